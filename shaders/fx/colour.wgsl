//! Grading: exposure, levels, contrast, temperature, hue, saturation.

struct Params {
    exposure: f32,    // -4..4 stops = 0.1: light
    contrast: f32,    // 0..3 = 1.15: contrast about middle grey
    black: f32,       // -0.2..0.5 = 0.01: what is darker becomes black; below 0 lifts the shadows
    white: f32,       // 0.2..2 = 1: what is brighter becomes white
    gamma: f32,       // 0.3..3 square = 1: brightens or darkens the middle
    temperature: f32, // -1..1 = 0.06: from blue to amber
    tint: f32,        // -1..1 = 0: from green to magenta
    hue: f32,         // -0.5..0.5 turns = 0: turns all hues
    saturation: f32,  // 0..3 = 1.1: colour
    vibrance: f32,    // -1..1 = 0.25: colour where there is little of it
}

// Rotates hue about grey and keeps light nearly the same (the usual YIQ turn).
fn hue_turned(colour: vec3f, turns: f32) -> vec3f {
    let grey = vec3f(0.57735);
    let c = cos(turns * TAU);
    return colour * c + cross(grey, colour) * sin(turns * TAU) + grey * dot(grey, colour) * (1.0 - c);
}

fn effect(uv: vec2f) -> vec4f {
    var light = max(picture(uv).rgb, vec3f(0.0)) * exp2(p.exposure);
    light *= exp2(vec3f(0.5, 0.0, -0.6) * p.temperature + vec3f(0.25, -0.35, 0.25) * p.tint);

    // From here as the eye sees it. Values above 1 go through: encode goes on above 1.
    var tone = encode(light);
    tone = max((tone - p.black) / max(p.white - p.black, 0.05), vec3f(0.0));
    tone = pow(tone + 1e-6, vec3f(1.0 / p.gamma));
    // An S curve in the range of the screen, a straight line above it; below 1 it flattens.
    let middle = 0.45;
    let shadows = middle * pow(min(tone, vec3f(middle)) / middle + 1e-6, vec3f(p.contrast));
    let lights = 1.0 - (1.0 - middle) * pow((1.0 - clamp(tone, vec3f(middle), vec3f(1.0))) / (1.0 - middle) + 1e-6, vec3f(p.contrast));
    tone = select(lights, shadows, tone < vec3f(middle)) + max(tone - 1.0, vec3f(0.0));

    tone = hue_turned(tone, p.hue);
    let grey = dot(tone, vec3f(0.299, 0.587, 0.114));
    let spread = max(tone.r, max(tone.g, tone.b)) - min(tone.r, min(tone.g, tone.b));
    let colour = p.saturation * (1.0 + p.vibrance * (1.0 - clamp(spread, 0.0, 1.0)));
    tone = max(grey + (tone - grey) * colour, vec3f(0.0));
    return vec4f(min(decode(tone), vec3f(16.0)), 1.0);
}
