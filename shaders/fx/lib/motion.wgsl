//! Part of other effects: how the picture moves, found by comparing it with its predecessor.
//
// Lucas and Kanade 1981: the displacement that best explains the change of brightness in a small window. The effect declares:
// texture grey 320x180, texture change 320x180, texture motion 160x90, step compare -> grey, step measure -> change,
// step find -> motion. Steps take them in this order. The sizes are fixed, so that motion is the same at every output size.

// Brightness now in r, at the picture before in g.
fn compare(uv: vec2f) -> vec4f {
    var sum = 0.0;
    for (var i = 0; i < 9; i++) {
        let offset = vec2f(f32(i % 3), f32(i / 3)) / 2.0 - 0.5;
        sum += encode(vec3f(clamp(luma(picture(uv + offset * pixel()).rgb), 0.0, 1.0))).r;
    }
    return vec4f(sum / 9.0, grey(uv).r, 0.0, 1.0);
}

// Slopes across and down per pixel of `grey`, and the change since the picture before.
fn measure(uv: vec2f) -> vec4f {
    let x = vec2f(pixel().x, 0.0);
    let y = vec2f(0.0, pixel().y);
    let here = grey(uv);
    let across = grey(uv + x).rg - grey(uv - x).rg;
    let down = grey(uv + y).rg - grey(uv - y).rg;
    return vec4f(0.25 * (across.r + across.g), 0.25 * (down.r + down.g), here.r - here.g, 1.0);
}

// Motion in heights a second to the right (r) and down (g), smoothed over a tenth of a second.
fn find(uv: vec2f) -> vec4f {
    let texel = 1.0 / vec2f(320.0, 180.0);
    var xx = 0.0;
    var xy = 0.0;
    var yy = 0.0;
    var xt = 0.0;
    var yt = 0.0;
    for (var i = 0; i < 25; i++) {
        let offset = vec2f(f32(i % 5), f32(i / 5)) - 2.0;
        let s = change(uv + offset * 2.5 * texel).rgb;
        let weight = exp(-0.15 * dot(offset, offset));
        xx += weight * s.x * s.x;
        xy += weight * s.x * s.y;
        yy += weight * s.y * s.y;
        xt += weight * s.x * s.z;
        yt += weight * s.y * s.z;
    }
    // A little is added to the diagonal: flat places have no motion, and nothing divides by zero.
    xx += 4e-4;
    yy += 4e-4;
    let pixels = vec2f(xy * yt - yy * xt, xy * xt - xx * yt) / max(xx * yy - xy * xy, 1e-9);
    let square_pixels = pixels * vec2f(aspect() / 320.0, 1.0 / 180.0);
    let found = clamp(square_pixels / max(dt(), 0.002), vec2f(-2.0), vec2f(2.0));
    return vec4f(mix(found, motion(uv).rg, exp(-dt() / 0.1)), 0.0, 1.0);
}
