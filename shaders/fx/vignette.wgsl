//! Darkens the rim, as a lens does, so that the eye stays inside.

struct Params {
    amount: f32, // 0..1 = 0.55: how dark the rim is
    size: f32,   // 0..1.5 = 0.62: where it begins, from the centre to the corners
    soft: f32,   // 0.01..1.5 = 0.7: how gently
    round: f32,  // 0..1 = 0.45: 0 follows the picture's shape, 1 is a circle
    x: f32,      // 0..1 = 0.5: centre
    y: f32,      // 0..1 = 0.5: centre
    colour: f32, // 0..1 = 0.35: how much colour the rim loses
}

fn effect(uv: vec2f) -> vec4f {
    let now = max(picture(uv).rgb, vec3f(0.0));
    let from_centre = uv - vec2f(p.x, p.y);
    let wide = length(from_centre * 2.0) / 1.41421;
    let circle = length(from_centre * vec2f(aspect(), 1.0)) * 2.0 / length(vec2f(aspect(), 1.0));
    let away = mix(wide, circle, p.round);
    let rim = smoothstep(p.size - 0.5 * p.soft, p.size + 0.5 * p.soft + 1e-4, away);
    let greyer = mix(now, vec3f(luma(now)), p.colour * rim);
    // In stops, as light falls off in a lens: colours stay clean.
    return vec4f(greyer * mix(exp2(-5.0 * p.amount * rim), 1.0 - rim, p.amount * p.amount * p.amount), 1.0);
}
