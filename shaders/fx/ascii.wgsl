//! The picture in letters, as an old terminal would show it.
//@ texture cells half
//@ step shrink -> cells

struct Params {
    lines: f32,    // 12..140 = 52: lines of text from top to bottom
    colour: u32,   // picture | green | amber | white | palette = picture: colour of the letters
    contrast: f32, // 0.5..3 = 1.35: how different light and dark are
    bright: f32,   // 0..3 = 1.35: light of the letters
    ground: f32,   // 0..1 = 0.07: how much of the picture is left between them
    invert: u32,   // off | on = off: dark places get the dense letters
    glow: f32,     // 0..1 = 0.3: the tube's glow around the letters
}

// Sixteen letters of 5x7 dots, from empty to dense. Bit 0 is the top left; five bits a row, four rows in x and three in y.
const GLYPHS = array<vec2u, 16>(
    vec2u(0x00000u, 0x0000u), // space
    vec2u(0x70000u, 0x0000u), // -
    vec2u(0x00000u, 0x18c0u), // .
    vec2u(0x018c0u, 0x00c6u), // :
    vec2u(0xf9080u, 0x0084u), // +
    vec2u(0x21804u, 0x3884u), // i
    vec2u(0x22a20u, 0x022au), // x
    vec2u(0x07c00u, 0x001fu), // =
    vec2u(0x8b800u, 0x3a21u), // c
    vec2u(0x8b800u, 0x3a31u), // o
    vec2u(0x22263u, 0x6322u), // %
    vec2u(0x83800u, 0x7a3eu), // a
    vec2u(0x7462eu, 0x3a31u), // 8
    vec2u(0xac631u, 0x4775u), // W
    vec2u(0x57d4au, 0x295fu), // #
    vec2u(0xaf62eu, 0x783du), // @
);

// Four samples a pixel, so that a letter sees all of its cell.
fn shrink(uv: vec2f) -> vec4f {
    var sum = vec4f(0.0);
    for (var i = 0; i < 4; i++) {
        let offset = vec2f(f32(i % 2), f32(i / 2)) - 0.5;
        sum += max(picture(uv + offset * pixel() * 2.0), vec4f(0.0));
    }
    return sum * 0.25;
}

fn dot_of(glyph: vec2u, place: vec2i) -> f32 {
    if any(place < vec2i(0)) || place.x > 4 || place.y > 6 {
        return 0.0;
    }
    let rows = select(glyph.y, glyph.x, place.y < 4);
    return f32((rows >> u32((place.y % 4) * 5 + place.x)) & 1u);
}

// How dense the letter is. An S curve about the dark middle: black stays empty, and the middle tones use many letters.
fn density_of(grey: f32) -> f32 {
    let g = clamp(grey, 0.0, 1.0);
    let middle = 0.42;
    let low = middle * pow(min(g, middle) / middle + 1e-5, p.contrast);
    let high = 1.0 - (1.0 - middle) * pow((1.0 - max(g, middle)) / (1.0 - middle) + 1e-5, p.contrast);
    return clamp(select(high, low, g < middle), 0.0, 1.0);
}

fn effect(uv: vec2f) -> vec4f {
    // A cell is 6 by 9 dots: the letter, and the space to the next.
    let count = vec2f(round(p.lines * 1.5 * aspect()), round(p.lines));
    let q = uv * count;
    let cell = floor(q);
    let centre = (cell + 0.5) / count;
    var mean = vec3f(0.0);
    for (var i = 0; i < 4; i++) {
        let offset = vec2f(f32(i % 2), f32(i / 2)) - 0.5;
        mean += cells(centre + offset * 0.5 / count).rgb * 0.25;
    }
    // Brighter than around it counts as brighter still: shapes stand out among so few letters.
    var around = 0.0;
    for (var i = 0; i < 4; i++) {
        let offset = vec2f(f32(i % 2), f32(i / 2)) * 2.0 - 1.0;
        around += 0.25 * encode(vec3f(luma(cells(centre + offset * 2.5 / count).rgb))).r;
    }
    let grey = encode(vec3f(luma(mean))).r;
    var density = density_of(grey * 1.05 + (grey - around) * 0.9);
    if p.invert == 1u {
        density = 1.0 - density;
    }
    let glyph = GLYPHS[clamp(i32(density * 15.999), 0, 15)];

    // The dots are smoothed over one pixel of the output.
    let dots = (q - cell) * vec2f(6.0, 9.0) - vec2f(0.5, 1.0);
    let edge = clamp(vec2f(6.0, 9.0) * count * pixel(), vec2f(0.02), vec2f(1.0));
    let whole = floor(dots - 0.5);
    let t = clamp((dots - 0.5 - whole - 0.5) / edge + 0.5, vec2f(0.0), vec2f(1.0));
    let place = vec2i(whole);
    let low = mix(dot_of(glyph, place), dot_of(glyph, place + vec2i(1, 0)), t.x);
    let high = mix(dot_of(glyph, place + vec2i(0, 1)), dot_of(glyph, place + vec2i(1, 1)), t.x);
    let ink = mix(low, high, t.y);

    let strength = 0.35 + 0.65 * density;
    var colour = vec3f(0.85, 0.9, 1.0) * strength;
    switch p.colour {
        case 0u: {
            let tone = hsv(mean);
            colour = rgb(vec3f(tone.x, min(tone.y * 1.15, 1.0), 1.0)) * max(strength * strength, tone.z);
        }
        case 1u: { colour = vec3f(0.08, 1.0, 0.22) * strength; }
        case 2u: { colour = vec3f(1.0, 0.45, 0.04) * strength; }
        case 4u: { colour = palette(density).rgb; }
        default: {}
    }
    let haze = colour * density * p.glow * 0.12;
    return vec4f(colour * ink * p.bright + haze + cells(uv).rgb * p.ground, 1.0);
}
