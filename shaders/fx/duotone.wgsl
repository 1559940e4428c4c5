//! Two inks: one for the dark, one for the light.

struct Params {
    dark_hue: f32,    // 0..1 turns = 0.72: hue of the dark ink
    dark_colour: f32, // 0..1 = 0.92: saturation of the dark ink
    dark_light: f32,  // 0..1 square = 0.11: light of the dark ink
    light_hue: f32,   // 0..1 turns = 0.09: hue of the light ink
    light_colour: f32, // 0..1 = 0.55: saturation of the light ink
    light_light: f32, // 0..1.5 = 1: light of the light ink
    balance: f32,     // -1..1 = 0.1: more of the dark ink, or of the light one
    contrast: f32,    // 0..3 = 1.5: how hard the inks meet
    own: f32,         // 0..1 = 0.08: the picture's own colour that is left
}

fn effect(uv: vec2f) -> vec4f {
    let now = max(picture(uv).rgb, vec3f(0.0));
    let grey = encode(vec3f(min(luma(now), 1.0))).r;
    let balanced = pow(max(grey, 1e-5), exp2(-p.balance));
    let bent = 0.5 + (balanced - 0.5) * p.contrast;
    // Rolls off at both ends instead of clipping.
    let t = smoothstep(-0.08, 1.08, bent);
    let dark = encode(rgb(vec3f(fract(p.dark_hue), p.dark_colour, p.dark_light)));
    let light = encode(rgb(vec3f(fract(p.light_hue), p.light_colour, min(p.light_light, 1.0))));
    // Mixed as the eye sees light: mixed linearly, the middle would be nearly as bright as the light ink.
    let inks = decode(mix(dark, light, t)) * mix(1.0, max(p.light_light, 1.0), t);
    // Below the dark ink there is black, so that a dark picture stays a dark picture.
    let black = smoothstep(0.0, 0.12, balanced);
    return vec4f(mix(inks * mix(0.25, 1.0, black), now, p.own), 1.0);
}
