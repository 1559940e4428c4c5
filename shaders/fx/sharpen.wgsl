//! Brings out fine detail and, more broadly, the shapes. Edges do not get halos.
//@ texture small quarter
//@ texture broad 160x90
//@ step shrink -> small
//@ step soften -> broad

struct Params {
    fine: f32,    // 0..3 = 0.8: strength in fine detail
    width: f32,   // 0.0005..0.01 heights square = 0.0018: size of fine detail
    clarity: f32, // -1..2 = 0.35: strength in the large shapes; below 0 dreamy
    limit: f32,   // 0..1 = 0.3: how far a pixel may pass its neighbours
}

fn shrink(uv: vec2f) -> vec4f {
    var sum = vec3f(0.0);
    for (var i = 0; i < 4; i++) {
        let offset = vec2f(f32(i % 2), f32(i / 2)) - 0.5;
        sum += encode(picture(uv + offset * pixel() * 0.5).rgb);
    }
    return vec4f(sum * 0.25, 1.0);
}

fn soften(uv: vec2f) -> vec4f {
    var sum = vec4f(0.0);
    for (var i = 0; i < 25; i++) {
        let offset = vec2f(f32(i % 5), f32(i / 5)) - 2.0;
        sum += small(uv + offset * 1.3 * pixel()) * exp(-0.3 * dot(offset, offset));
    }
    return sum / max(sum.a, 1e-4);
}

fn effect(uv: vec2f) -> vec4f {
    // As the eye sees it: the same step looks as strong in the dark as in the light.
    let now = encode(picture(uv).rgb);
    let w = p.width / vec2f(aspect(), 1.0);
    var sum = vec3f(0.0);
    var low = now;
    var high = now;
    for (var i = 0; i < 8; i++) {
        let turn = f32(i) / 8.0 * TAU;
        let near = encode(picture(uv + vec2f(cos(turn), sin(turn)) * w).rgb);
        sum += near;
        low = min(low, near);
        high = max(high, near);
    }
    let spread = high - low;
    // Strong edges need no help: where the neighbours differ much, less is added.
    let calm = 1.0 / (1.0 + 2.0 * max(spread.r, max(spread.g, spread.b)));
    var sharp = now + (now - sum / 8.0) * p.fine * 2.0 * calm;
    sharp = clamp(sharp, low - spread * p.limit, high + spread * p.limit);
    let shape = dot(now - broad(uv).rgb, vec3f(0.299, 0.587, 0.114));
    // The middle tones take the most.
    let grey = clamp(dot(now, vec3f(0.299, 0.587, 0.114)), 0.0, 1.0);
    sharp += shape * p.clarity * (0.3 + 2.8 * grey * (1.0 - grey));
    return vec4f(decode(max(sharp, vec3f(0.0))), 1.0);
}
