//! Dots of a printed page: three lights on black, or four inks on paper.

struct Params {
    kind: u32,    // light | ink | mono = light: red, green and blue light on black; four inks on paper; one ink
    lines: f32,   // 20..220 = 72: rows of dots from top to bottom
    angle: f32,   // 0..1 turns = 0.04: turns the screens
    contrast: f32, // 0..2 = 1.15: how fast the dots grow with the light
    soft: f32,    // 0..1 = 0.12: how soft the dots are
    bright: f32,  // 0..3 = 1: light of the dots
    paper: f32,   // 0..1 = 0.12: how much of the picture lies under them
}

// One screen of dots, turned by `turns`: the middle of the dot that is nearest to `uv`, and how far off it is in half cells.
struct Dot {
    uv: vec2f,
    away: f32,
}

fn nearest(uv: vec2f, turns: f32) -> Dot {
    let cells = p.lines;
    let q = (turned(uv, turns) - 0.5) * vec2f(aspect(), 1.0) * cells;
    let centre = floor(q) + 0.5;
    return Dot(turned(centre / cells / vec2f(aspect(), 1.0) + 0.5, -turns), length(q - centre) * 2.0);
}

// How much of the dot covers this place; `tone` from 0 to 1 is the share of the cell that it fills.
fn covered(dot: Dot, tone: f32) -> f32 {
    let t = clamp(tone, 0.0, 1.0);
    // A circle has the area of the tone until it meets its neighbours; a full one reaches the corners.
    let radius = sqrt(t) * (1.13 + 0.32 * t * t * t);
    let edge = max(p.soft, p.lines * pixel().y) + 1e-3;
    return (1.0 - smoothstep(radius - edge, radius + edge, dot.away)) * min(radius / edge, 1.0);
}

// The light at a dot, as the eye sees it, bent so that `contrast` above 1 spreads it.
fn tone_of(uv: vec2f) -> vec3f {
    let tone = encode(min(max(picture(clamp(uv, vec2f(0.0), vec2f(1.0))).rgb, vec3f(0.0)), vec3f(1.0)));
    return clamp(0.4 + (tone - 0.4) * p.contrast, vec3f(0.0), vec3f(1.0));
}

fn effect(uv: vec2f) -> vec4f {
    let now = max(picture(uv).rgb, vec3f(0.0));
    let a = nearest(uv, p.angle);
    if p.kind == 2u {
        let tone = 1.0 - dot(tone_of(a.uv), vec3f(0.3, 0.59, 0.11));
        let paper = mix(vec3f(0.9, 0.87, 0.8), now, p.paper);
        return vec4f(mix(paper, vec3f(0.012, 0.012, 0.02), covered(a, tone)) * min(p.bright, 1.0), 1.0);
    }
    // 30 degrees apart, which gives the finest rosette.
    let b = nearest(uv, p.angle + 1.0 / 12.0);
    let c = nearest(uv, p.angle + 2.0 / 12.0);
    let tones = vec3f(tone_of(a.uv).r, tone_of(b.uv).g, tone_of(c.uv).b);
    if p.kind == 0u {
        // Nearly the light itself: on black, dots look brighter than they are.
        let share = tones * sqrt(tones + 1e-6);
        let lights = vec3f(covered(a, share.r), covered(b, share.g), covered(c, share.b));
        return vec4f(lights * p.bright + now * p.paper, 1.0);
    }
    let key = nearest(uv, p.angle + 0.5 / 12.0);
    let key_tones = tone_of(key.uv);
    let ink = 1.0 - tones;
    let black = (1.0 - max(key_tones.r, max(key_tones.g, key_tones.b))) * 0.55;
    var page = mix(vec3f(0.93, 0.91, 0.85), now, p.paper);
    page *= mix(vec3f(1.0), vec3f(0.02, 0.5, 0.8), covered(a, ink.r - 0.4 * black));
    page *= mix(vec3f(1.0), vec3f(0.8, 0.03, 0.25), covered(b, ink.g - 0.4 * black));
    page *= mix(vec3f(1.0), vec3f(0.95, 0.78, 0.02), covered(c, ink.b - 0.4 * black));
    page *= 1.0 - 0.97 * covered(key, black);
    return vec4f(page * min(p.bright, 1.0), 1.0);
}
