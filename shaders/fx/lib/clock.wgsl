//! Part of other effects: a clock whose speed can be turned without a jump.
//
// `time() * speed` leaps when `speed` moves. This adds up `dt() * speed` instead, in a 1x1 texture. Its 16-bit numbers are too
// coarse for one long sum, so the phase is kept as a coarse part and a fine part.

// The new contents of the texture. `speed` in turns a second, `old` the contents so far.
fn clock_ticked(old: vec4f, speed: f32) -> vec4f {
    let phase = fract(old.r + old.g + speed * dt());
    let coarse = floor(phase * 256.0) / 256.0;
    return vec4f(coarse, phase - coarse, 0.0, 1.0);
}

// The phase, 0 to 1.
fn clock_phase(clock: vec4f) -> f32 {
    return clock.r + clock.g;
}
