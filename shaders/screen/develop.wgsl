// From sRGB-encoded values to linear light, sharpened on the way.
//
// Sharpening lifts each pixel away from the mean of its four neighbours, less where the contrast is high already, and keeps
// it within what the neighbourhood has: it rings at no edge.

struct Develop {
    // 0 leaves the picture as it is.
    sharpness: f32,
    padding: vec3f,
}
@group(0) @binding(0) var<storage, read> d: Develop;
@group(0) @binding(1) var encoded: texture_2d<f32>;

struct Corner {
    @builtin(position) position: vec4f,
}
@vertex
fn vertex(@builtin(vertex_index) index: u32) -> Corner {
    let uv = vec2f(f32((index << 1u) & 2u), f32(index & 2u));
    return Corner(vec4f(uv.x * 2.0 - 1.0, 1.0 - uv.y * 2.0, 0.0, 1.0));
}

fn load(at: vec2i) -> vec3f {
    let most = vec2i(textureDimensions(encoded)) - 1;
    return textureLoad(encoded, clamp(at, vec2i(0), most), 0).rgb;
}

// The sRGB transfer function, IEC 61966-2-1.
fn linear_from_srgb(coded: vec3f) -> vec3f {
    let c = max(coded, vec3f(0.0));
    return select(pow((c + 0.055) / 1.055, vec3f(2.4)), c / 12.92, c <= vec3f(0.04045));
}

@fragment
fn fragment(corner: Corner) -> @location(0) vec4f {
    let at = vec2i(corner.position.xy);
    let centre = load(at);
    var colour = centre;
    if d.sharpness > 0.0 {
        let a = load(at + vec2i(-1, 0));
        let b = load(at + vec2i(1, 0));
        let c = load(at + vec2i(0, -1));
        let e = load(at + vec2i(0, 1));
        let low = min(min(min(a, b), min(c, e)), centre);
        let high = max(max(max(a, b), max(c, e)), centre);
        let contrast = clamp((high - low) * 2.0, vec3f(0.0), vec3f(1.0));
        let lift = (centre - (a + b + c + e) * 0.25) * d.sharpness * 2.0 * (1.0 - 0.7 * contrast);
        let slack = (high - low) * 0.1;
        colour = clamp(centre + lift, max(low - slack, vec3f(0.0)), high + slack);
    }
    return vec4f(linear_from_srgb(clamp(colour, vec3f(0.0), vec3f(1.0))), 1.0);
}
