//! Splits the picture into its colours, like a prism or a lens that does not quite focus.

struct Params {
    split: f32,  // 0..0.2 heights square = 0.022: distance between red and blue
    angle: f32,  // 0..1 turns = 0: direction of the split
    lens: f32,   // 0..1 = 0.75: 0 splits evenly, 1 outwards from the centre and most at the rim
    pulse: f32,  // 0..4 = 0: how much more it splits on the beat
    rainbow: f32, // 0..1 = 1: 0 gives three sharp pictures, 1 a rainbow between them
}

const TAPS = 11;

fn effect(uv: vec2f) -> vec4f {
    let square = vec2f(aspect(), 1.0);
    let from_centre = (uv - 0.5) * square;
    let even = vec2f(cos(p.angle * TAU), sin(p.angle * TAU));
    let hit = 1.0 + p.pulse * exp(-4.0 * fract(beat()));
    let split = mix(even, from_centre * length(from_centre) * 3.0, p.lens) * p.split * hit / square;
    var sum = vec3f(0.0);
    var weights = vec3f(0.0);
    for (var i = 0; i < TAPS; i++) {
        let t = f32(i) / f32(TAPS - 1);
        // Three overlapping bells over the spectrum; narrow ones for three sharp pictures.
        let away = (vec3f(t) - vec3f(0.0, 0.5, 1.0)) / mix(0.05, 0.3, p.rainbow);
        let weight = exp(-away * away);
        sum += picture(mirrored(uv + split * (t - 0.5))).rgb * weight;
        weights += weight;
    }
    return vec4f(sum / weights, 1.0);
}
