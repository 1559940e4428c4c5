// Words over what is shown, blended in linear light. The viewport is where they are: one triangle covers it.

// For each pixel, white light, and the share of the picture that it covers.
@group(0) @binding(0) var words: texture_2d<f32>;
// How much of them is seen, 0 to 1.
@group(0) @binding(1) var<uniform> opacity: f32;

struct Corner {
    @builtin(position) position: vec4f,
    @location(0) uv: vec2f,
}
@vertex
fn vertex(@builtin(vertex_index) index: u32) -> Corner {
    let uv = vec2f(f32((index << 1u) & 2u), f32(index & 2u));
    return Corner(vec4f(uv.x * 2.0 - 1.0, 1.0 - uv.y * 2.0, 0.0, 1.0), uv);
}

@fragment
fn fragment(corner: Corner) -> @location(0) vec4f {
    let size = textureDimensions(words);
    let at = min(vec2u(corner.uv * vec2f(size)), size - 1u);
    let pixel = textureLoad(words, at, 0);
    return vec4f(pixel.rrr, pixel.g) * opacity;
}
