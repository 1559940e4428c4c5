//! Few flat tones, like a screen print, with soft steps and an optional outline.

struct Params {
    levels: f32,  // 2..16 = 5: number of tones
    by: u32,      // light | colour = light: steps of the light alone, or of red, green and blue
    soft: f32,    // 0..1 = 0.12: how soft the steps are
    flat: f32,    // 0..0.02 heights square = 0.003: details smaller than this are left out
    outline: f32, // 0..1 = 0.35: dark lines between the tones
    colour: f32,  // 0..2 = 1.3: saturation
    dots: f32,    // 0..1 = 0: a fine pattern between two tones instead of a step
}

// Which tone `value` belongs to, 0 to 1; `levels` need not be whole.
fn stepped(value: f32, lines: f32, softness: f32) -> f32 {
    let steps = max(p.levels - 1.0, 1.0);
    let scaled = clamp(value, 0.0, 1.0) * steps + lines;
    let whole = floor(scaled);
    let rise = smoothstep(0.5 - 0.5 * softness, 0.5 + 0.5 * softness + 1e-4, scaled - whole);
    return clamp((whole + rise) / steps, 0.0, 1.0);
}

// A 4x4 ordered pattern, -0.5 to 0.5; its dots are as big at every output size.
fn dither(uv: vec2f) -> f32 {
    let cell = vec2u(floor(uv * vec2f(aspect(), 1.0) * 360.0)) & vec2u(3u);
    let x = cell.x ^ cell.y;
    let order = ((x & 1u) << 3u) | ((cell.y & 1u) << 2u) | (x & 2u) | ((cell.y & 2u) >> 1u);
    return (f32(order) + 0.5) / 16.0 - 0.5;
}

fn effect(uv: vec2f) -> vec4f {
    // Small details are averaged away first: flat tones with clean borders.
    let w = p.flat / vec2f(aspect(), 1.0);
    var sum = vec3f(0.0);
    for (var i = 0; i < 9; i++) {
        let offset = vec2f(f32(i % 3), f32(i / 3)) - 1.0;
        sum += encode(min(picture(uv + offset * w).rgb, vec3f(1.0)));
    }
    let mean = sum / 9.0;
    let pattern = dither(uv) * p.dots;
    let grey = dot(mean, vec3f(0.299, 0.587, 0.114));
    let toned = max(grey + (mean - grey) * p.colour, vec3f(0.0));

    var flat_tone: vec3f;
    if p.by == 0u {
        // Light moves to the next tone, colour keeps its proportions.
        let tone = stepped(grey, pattern, p.soft);
        flat_tone = toned * (tone + 0.02) / max(grey, 0.04);
    } else {
        flat_tone = vec3f(stepped(toned.r, pattern, p.soft), stepped(toned.g, pattern, p.soft), stepped(toned.b, pattern, p.soft));
    }
    let steps = max(p.levels - 1.0, 1.0);
    let from_border = abs(fract(clamp(grey, 0.0, 1.0) * steps) - 0.5);
    let line = (1.0 - smoothstep(0.03, 0.12, from_border)) * step(0.02, grey);
    return vec4f(decode(min(flat_tone, vec3f(1.2))) * (1.0 - p.outline * line), 1.0);
}
