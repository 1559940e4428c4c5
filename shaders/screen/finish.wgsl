// The chain's last picture, for the window and the recorder. The target encodes to sRGB.

@group(0) @binding(0) var linear_light: texture_2d<f32>;

struct Corner {
    @builtin(position) position: vec4f,
}
@vertex
fn vertex(@builtin(vertex_index) index: u32) -> Corner {
    let uv = vec2f(f32((index << 1u) & 2u), f32(index & 2u));
    return Corner(vec4f(uv.x * 2.0 - 1.0, 1.0 - uv.y * 2.0, 0.0, 1.0));
}
@fragment
fn fragment(corner: Corner) -> @location(0) vec4f {
    let light = textureLoad(linear_light, vec2i(corner.position.xy), 0).rgb;
    return vec4f(clamp(light, vec3f(0.0), vec3f(1.0)), 1.0);
}
