//! Draws the outlines: as neon on black, as ink on paper, or over the picture.

struct Params {
    kind: u32,     // neon | ink | over | palette = neon: how the lines are drawn
    strength: f32, // 0..8 square = 3.5: how strong they are
    width: f32,    // 0.0005..0.01 heights square = 0.0035: how thick they are
    threshold: f32, // 0..0.5 = 0.03: weaker edges are left out
    colour: f32,   // 0..1 = 0.8: 0 white, 1 the picture's own colour at full strength
    ground: f32,   // 0..1 = 0.06: how much of the picture is left under neon and ink
}

fn seen(uv: vec2f) -> vec3f {
    return encode(min(picture(uv).rgb, vec3f(1.0)));
}

fn effect(uv: vec2f) -> vec4f {
    let w = vec2f(p.width / aspect(), p.width);
    let a = seen(uv - w);
    let b = seen(uv + vec2f(0.0, -w.y));
    let c = seen(uv + vec2f(w.x, -w.y));
    let d = seen(uv + vec2f(-w.x, 0.0));
    let e = seen(uv + vec2f(w.x, 0.0));
    let f = seen(uv + vec2f(-w.x, w.y));
    let g = seen(uv + vec2f(0.0, w.y));
    let h = seen(uv + w);
    // Sobel in each channel: an edge between two colours of one brightness counts too.
    let across = (c + 2.0 * e + h) - (a + 2.0 * d + f);
    let down = (f + 2.0 * g + h) - (a + 2.0 * b + c);
    let steep = sqrt(across * across + down * down) * 0.25;
    let edge = max(steep.r, max(steep.g, steep.b)) - p.threshold;
    let line = 1.0 - exp(-max(edge, 0.0) * p.strength * 4.0);

    let now = max(picture(uv).rgb, vec3f(0.0));
    let mean = (a + b + c + d + e + f + g + h) / 8.0;
    let tone = hsv(decode(mean));
    let own = rgb(vec3f(tone.x, min(tone.y * 1.6, 1.0), 1.0));
    let neon = mix(vec3f(1.0), own, p.colour);
    switch p.kind {
        case 1u: {
            let paper = mix(vec3f(0.86, 0.82, 0.74), now, p.ground);
            let ink = mix(vec3f(0.01, 0.01, 0.015), own * own * 0.12, p.colour);
            return vec4f(mix(paper, ink, line), 1.0);
        }
        case 2u: { return vec4f(now + neon * line * line, 1.0); }
        case 3u: { return vec4f(now * p.ground + palette(line).rgb * line, 1.0); }
        default: { return vec4f(now * p.ground + neon * line * line + own * line * 0.2 * p.colour, 1.0); }
    }
}
