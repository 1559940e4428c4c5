// Draws the newest picture on a window: one full-screen triangle, one pass.
//
// In: the picture [H, W] as an sRGB texture, so every sample is linear light. Out: linear light for targets that
// encode on write, otherwise sRGB-encoded. Enlarging uses Catmull-Rom (Catmull and Rom 1974; Keys 1981 with a = -1/2), with
// its 4x4 texels read by nine bilinear samples; shrinking and software drivers use plain bilinear.

struct Present {
    // Window uv -> picture uv, about the centre: picture = (window - 0.5) * scale + 0.5.
    scale: vec2f,
    // Size of the picture in texels.
    texels: vec2f,
    // Multiplies linear light: 1 shows the picture, 0 is black.
    brightness: f32,
    // 1 fills the area beyond the picture with its mirror image, 0 leaves it black.
    mirror: f32,
    // 1 for Catmull-Rom, when the picture is enlarged; 0 for bilinear.
    cubic: f32,
    padding: f32,
}

@group(0) @binding(0) var<uniform> present: Present;
@group(0) @binding(1) var picture: texture_2d<f32>;
// Bilinear, with mirrored repeat on both axes.
@group(0) @binding(2) var mirrored: sampler;

// Whether the target stores written values unchanged, so that sRGB must be encoded here.
override encode: bool = false;

struct Corner {
    @builtin(position) position: vec4f,
    @location(0) uv: vec2f,
}

// One triangle that covers the window; uv is 0..1 from its top left.
@vertex
fn vertex(@builtin(vertex_index) index: u32) -> Corner {
    let uv = vec2f(f32((index << 1u) & 2u), f32(index & 2u));
    return Corner(vec4f(uv.x * 2.0 - 1.0, 1.0 - uv.y * 2.0, 0.0, 1.0), uv);
}

fn tap(texel: vec2f) -> vec3f {
    return textureSampleLevel(picture, mirrored, texel / present.texels, 0.0).rgb;
}

// Catmull-Rom at `uv`. The two inner weights of each axis are positive, so one bilinear sample between those texels
// covers both.
fn catmull_rom(uv: vec2f) -> vec3f {
    let at = uv * present.texels - 0.5;
    let whole = floor(at);
    let t = at - whole;
    let outer_low = t * (-0.5 + t * (1.0 - 0.5 * t));
    let inner_low = 1.0 + t * t * (-2.5 + 1.5 * t);
    let inner_high = t * (0.5 + t * (2.0 - 1.5 * t));
    let outer_high = t * t * (-0.5 + 0.5 * t);
    let inner = inner_low + inner_high;

    let centre = whole + 0.5;
    let a = centre - 1.0;
    let b = centre + inner_high / inner;
    let c = centre + 2.0;
    let low = tap(a) * outer_low.x + tap(vec2f(b.x, a.y)) * inner.x + tap(vec2f(c.x, a.y)) * outer_high.x;
    let mid = tap(vec2f(a.x, b.y)) * outer_low.x + tap(b) * inner.x + tap(vec2f(c.x, b.y)) * outer_high.x;
    let high = tap(vec2f(a.x, c.y)) * outer_low.x + tap(vec2f(b.x, c.y)) * inner.x + tap(c) * outer_high.x;
    // The outer weights are negative: an edge may overshoot below black.
    return max(low * outer_low.y + mid * inner.y + high * outer_high.y, vec3f(0.0));
}

// The sRGB transfer function, IEC 61966-2-1.
fn srgb_from_linear(linear: vec3f) -> vec3f {
    let curve = 1.055 * pow(linear, vec3f(1.0 / 2.4)) - 0.055;
    return select(curve, linear * 12.92, linear <= vec3f(0.0031308));
}

@fragment
fn fragment(corner: Corner) -> @location(0) vec4f {
    let uv = (corner.uv - 0.5) * present.scale + 0.5;
    let outside = any(uv < vec2f(0.0)) || any(uv > vec2f(1.0));
    if outside && present.mirror == 0.0 {
        return vec4f(0.0, 0.0, 0.0, 1.0);
    }
    var colour: vec3f;
    if present.cubic != 0.0 {
        colour = catmull_rom(uv);
    } else {
        colour = textureSampleLevel(picture, mirrored, uv, 0.0).rgb;
    }
    colour = min(colour * present.brightness, vec3f(1.0));
    if encode {
        colour = srgb_from_linear(colour);
    }
    return vec4f(colour, 1.0);
}
