//! Pushes the picture along its own slopes, and by slow noise: glass, heat, liquid.
//@ import lib/relief.wgsl
//@ import lib/clock.wgsl
//@ texture ground 320x180
//@ texture relief 160x90
//@ texture clock 1x1
//@ step level -> ground
//@ step soften -> relief
//@ step tick -> clock

struct Params {
    depth: f32,     // -0.5..0.5 heights = 0.12: how far its own slopes push it
    direction: f32, // 0..1 turns = 0.12: 0 pushes towards the light, 0.25 across it
    reach: f32,     // 0.005..0.2 heights square = 0.05: size of the slopes that count
    noise: f32,     // 0..0.3 heights square = 0.02: how far noise pushes it
    scale: f32,     // 0.5..30 square = 4: waves of the noise from top to bottom
    speed: f32,     // 0..1 Hz = 0.08: how fast the noise moves
    split: f32,     // 0..1 = 0.25: red, green and blue are pushed differently, as through glass
}

fn tick(uv: vec2f) -> vec4f { return clock_ticked(clock(uv), p.speed * 0.25); }

// Noise that comes back to where it was after one turn of the clock.
fn waves(uv: vec2f) -> vec2f {
    let phase = clock_phase(clock(vec2f(0.5))) * TAU;
    let q = uv * vec2f(aspect(), 1.0) * p.scale + vec2f(cos(phase), sin(phase)) * 3.0;
    return vec2f(noise(q + 17.0), noise(q.yx + 71.0)) + 0.5 * vec2f(noise(q * 2.1 + 3.0), noise(q.yx * 2.1 + 37.0)) - 0.75;
}

fn effect(uv: vec2f) -> vec4f {
    let pushed = (turned_by(slope(uv, p.reach), p.direction) * p.depth + waves(uv) * p.noise * 1.4) / vec2f(aspect(), 1.0);
    let less = picture(mirrored(uv - pushed * (1.0 - 0.5 * p.split)));
    let same = picture(mirrored(uv - pushed));
    let more = picture(mirrored(uv - pushed * (1.0 + 0.5 * p.split)));
    return vec4f(less.r, same.g, more.b, 1.0);
}
