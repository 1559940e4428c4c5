//! Cuts the dark (or the light) out of the picture. In the hole flies what was there before.
//@ import lib/sharp.wgsl
//@ import lib/behind.wgsl

struct Params {
    low: f32,    // 0..1 = 0.3: what is darker is cut out
    high: f32,   // 0..1 = 1: what is brighter is cut out
    soft: f32,   // 0..1 = 0.18: how soft the cut is
    invert: u32, // off | on = off: cuts out what stood, and the other way round
    behind: u32, // trail | network | painting | shown | palette | black = trail: what is seen in the hole
    length: f32, // 0.05..30 s square = 2.5: how long a trail lasts
    zoom: f32,   // -2..2 /s = 0.3: how fast a trail flies out (above 0) or in
    turn: f32,   // -1..1 turns/s = 0.02: how fast a trail turns
}

fn effect(uv: vec2f) -> vec4f {
    let now = max(picture(uv).rgb, vec3f(0.0));
    let grey = encode(vec3f(min(luma(now), 1.0))).r;
    let soft = p.soft * 0.5 + 1e-3;
    var share = smoothstep(p.low - soft, p.low + soft, grey);
    // At 1 nothing is too bright.
    if p.high < 1.0 {
        share *= 1.0 - smoothstep(p.high - soft, p.high + soft, grey);
    }
    if p.invert == 1u {
        share = 1.0 - share;
    }
    return vec4f(mix(behind(uv), now, share), 1.0);
}
