//! Part of other effects: the picture's brightness as a landscape, and its slopes.
//
// The effect declares: texture ground 320x180, texture relief 160x90, step level -> ground, step soften -> relief. The sizes are
// fixed, so that slopes are the same at every output size.

// Brightness as the eye sees it: slopes are as steep in the dark as in the light.
fn brightness(colour: vec3f) -> f32 {
    return encode(vec3f(clamp(luma(colour), 0.0, 1.0))).r;
}

// Mean brightness of one pixel of `ground`.
fn level(uv: vec2f) -> vec4f {
    var sum = 0.0;
    for (var i = 0; i < 9; i++) {
        let offset = vec2f(f32(i % 3), f32(i / 3)) / 3.0 - 1.0 / 3.0;
        sum += brightness(picture(uv + offset * pixel()).rgb);
    }
    return vec4f(vec3f(sum / 9.0), 1.0);
}

// A 3x3 binomial filter, two pixels of `ground` apart, that also moves slowly: a network's flicker does not shake the slopes.
fn soften(uv: vec2f) -> vec4f {
    var sum = 0.0;
    for (var i = 0; i < 9; i++) {
        let offset = vec2f(f32(i % 3), f32(i / 3)) - 1.0;
        let weight = (2.0 - abs(offset.x)) * (2.0 - abs(offset.y)) / 16.0;
        sum += ground(uv + offset * pixel()).r * weight;
    }
    return vec4f(vec3f(mix(sum, relief(uv).r, exp(-dt() / 0.1))), 1.0);
}

// How brightness changes over `reach` (in heights) to the right and down, -1 to 1.
fn slope(uv: vec2f, reach: f32) -> vec2f {
    let r = vec2f(reach / aspect(), reach);
    let across = vec2f(r.x, 0.0);
    let down = vec2f(0.0, r.y);
    let corner = r * 0.7;
    let other = vec2f(corner.x, -corner.y);
    let a = relief(uv + corner).r - relief(uv - corner).r;
    let b = relief(uv + other).r - relief(uv - other).r;
    let straight = vec2f(relief(uv + across).r - relief(uv - across).r, relief(uv + down).r - relief(uv - down).r);
    return 0.5 * straight + 0.35 * vec2f(a + b, a - b);
}

// A vector turned clockwise by `turns`.
fn turned_by(v: vec2f, turns: f32) -> vec2f {
    let c = cos(turns * TAU);
    let s = sin(turns * TAU);
    return vec2f(c * v.x - s * v.y, s * v.x + c * v.y);
}
