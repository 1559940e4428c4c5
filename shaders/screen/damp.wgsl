// Shows a slow mean of the pictures while they flash; see `flash.wgsl`. While they do not, the triangle has no area.

struct State {
    hold: f32,
    share: f32,
    is_damping: u32,
    begins: u32,
}
@group(0) @binding(0) var<storage, read> state: State;
// For `damp` the end of the chain and the one before, for `cover` the mean, twice.
@group(0) @binding(1) var picture: texture_2d<f32>;
@group(0) @binding(2) var before: texture_2d<f32>;

struct Corner {
    @builtin(position) position: vec4f,
    @location(0) @interpolate(flat) share: f32,
    @location(1) @interpolate(flat) begins: u32,
}
@vertex
fn vertex(@builtin(vertex_index) index: u32) -> Corner {
    let uv = vec2f(f32((index << 1u) & 2u), f32(index & 2u)) * f32(state.is_damping);
    return Corner(vec4f(uv.x * 2.0 - 1.0, 1.0 - uv.y * 2.0, 0.0, 1.0), state.share, state.begins);
}

// Blended over the mean so far.
@fragment
fn damp(corner: Corner) -> @location(0) vec4f {
    let place = vec2i(corner.position.xy);
    let now = clamp(textureLoad(picture, place, 0).rgb, vec3f(0.0), vec3f(1.0));
    if corner.begins == 0u {
        return vec4f(now, corner.share);
    }
    let then = clamp(textureLoad(before, place, 0).rgb, vec3f(0.0), vec3f(1.0));
    return vec4f(mix(then, now, corner.share), 1.0);
}

// The target encodes to sRGB.
@fragment
fn cover(corner: Corner) -> @location(0) vec4f {
    return vec4f(textureLoad(picture, vec2i(corner.position.xy), 0).rgb, 1.0);
}
