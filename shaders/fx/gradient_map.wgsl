//! Colours by brightness: the palette from its first colour for black to its last for white.
//@ import lib/clock.wgsl
//@ texture clock 1x1
//@ step tick -> clock

struct Params {
    bands: f32,    // 0.25..8 square = 1: how often the palette runs from black to white
    shift: f32,    // 0..1 = 0: moves the palette along
    speed: f32,    // -1..1 /s = 0: how fast the palette runs through the picture
    balance: f32,  // -1..1 = 0.2: more of the first colours, or of the last
    contrast: f32, // 0.2..3 = 1.1: spread of the brightness
    light: f32,    // 0..1 = 0.35: how much of the picture's own light and shade is left
}

fn tick(uv: vec2f) -> vec4f { return clock_ticked(clock(uv), p.speed * 0.5); }

fn effect(uv: vec2f) -> vec4f {
    let now = max(picture(uv).rgb, vec3f(0.0));
    let grey = encode(vec3f(min(luma(now), 1.0))).r;
    let balanced = pow(max(grey, 1e-5), exp2(-p.balance));
    let t = clamp(0.5 + (balanced - 0.5) * p.contrast, 0.0, 1.0) * p.bands + p.shift + 2.0 * clock_phase(clock(vec2f(0.5)));
    // Once through, the palette ends at its last colour; otherwise it runs there and back, without a seam.
    let still = p.bands <= 1.0 && p.speed == 0.0 && p.shift == 0.0;
    let place = select(mirrored(vec2f(t)).x, clamp(t, 0.0, 1.0), still);
    let colour = palette(place).rgb;
    let shade = luma(now) / max(luma(colour), 0.02);
    return vec4f(colour * mix(1.0, clamp(shade, 0.0, 1.6), p.light), 1.0);
}
