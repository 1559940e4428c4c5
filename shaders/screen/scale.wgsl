// The network's picture at the output's size: one full-screen triangle.
//
// In: the picture [C, H, W] as floats in -1..1, sRGB-encoded. Out: sRGB-encoded, 0..1 and a little beyond; `finish.wgsl`
// sharpens and decodes. The kernels work on encoded values, where equal steps look equal.

struct Scale {
    // The picture.
    width: u32,
    height: u32,
    channels: u32,
    fit: u32,
    // Output uv -> picture uv, about the centre.
    scale: vec2f,
    centre: vec2f,
    // Output pixels per unit of uv.
    output: vec2f,
    // Picture pixels per output pixel; above 1 the picture shrinks.
    ratio: f32,
    // The share of the picture that mirrored copies show, so that its own border makes no line.
    inner: f32,
    sectors: f32,
    turn: f32,
    padding: vec2f,
}
// Not a uniform: software Vulkan (Mesa 22) compiles shaders anew whenever a uniform that they branch on is written.
@group(0) @binding(0) var<storage, read> s: Scale;
@group(0) @binding(1) var<storage, read> pixels: array<f32>;

// 0 linear, 1 Lanczos, 2 edge-adaptive.
override KERNEL: u32 = 0u;

const CONTAIN = 0u;
const COVER = 1u;
const MIRROR = 2u;
const KALEIDOSCOPE = 3u;
const TILE = 4u;
const TAU = 6.283185307179586;
const PI = 3.141592653589793;

struct Corner {
    @builtin(position) position: vec4f,
    @location(0) uv: vec2f,
}
@vertex
fn vertex(@builtin(vertex_index) index: u32) -> Corner {
    let uv = vec2f(f32((index << 1u) & 2u), f32(index & 2u));
    return Corner(vec4f(uv.x * 2.0 - 1.0, 1.0 - uv.y * 2.0, 0.0, 1.0), uv);
}

fn load(x: i32, y: i32) -> vec3f {
    let column = u32(clamp(x, 0, i32(s.width) - 1));
    let row = u32(clamp(y, 0, i32(s.height) - 1));
    let at = row * s.width + column;
    let plane = s.width * s.height;
    let first = pixels[at];
    if s.channels < 3u { return vec3f(first * 0.5 + 0.5); }
    return vec3f(first, pixels[at + plane], pixels[at + 2u * plane]) * 0.5 + 0.5;
}

fn mirrored(uv: vec2f) -> vec2f { return 1.0 - abs(1.0 - (uv - 2.0 * floor(uv * 0.5))); }

// Whether there is a picture at all, and where in it.
fn place(uv: vec2f) -> vec3f {
    let off = (uv - 0.5) * s.scale;
    var at = off + 0.5 + s.centre;
    let folded = (mirrored(at) - 0.5) * s.inner + 0.5;
    switch s.fit {
        case CONTAIN: {
            let is_inside = all(abs(off) <= vec2f(0.5));
            return vec3f(mirrored(at), select(0.0, 1.0, is_inside));
        }
        case KALEIDOSCOPE: {
            // Square coordinates, so that the sectors are equal.
            let size = vec2f(f32(s.width), f32(s.height));
            let shorter = min(size.x, size.y);
            let d = off * size / shorter;
            let sector = TAU / s.sectors;
            let angle = atan2(d.x, -d.y) + s.turn * TAU + 0.5 * sector;
            let fold = abs(angle - sector * floor(angle / sector) - 0.5 * sector);
            let radius = length(d);
            let to = vec2f(sin(fold), -cos(fold)) * radius * shorter / size;
            return vec3f((mirrored(to + 0.5 + s.centre) - 0.5) * s.inner + 0.5, 1.0);
        }
        case TILE: {
            return vec3f(fract(at), 1.0);
        }
        case MIRROR: {
            return vec3f(folded, 1.0);
        }
        default: {
            return vec3f(mirrored(at), 1.0);
        }
    }
}

fn linear(at: vec2f) -> vec3f {
    let whole = floor(at);
    let t = at - whole;
    let x = i32(whole.x);
    let y = i32(whole.y);
    let low = mix(load(x, y), load(x + 1, y), t.x);
    let high = mix(load(x, y + 1), load(x + 1, y + 1), t.x);
    return mix(low, high, t.y);
}

fn sinc(x: f32) -> f32 {
    let a = x * PI;
    return select(sin(a) / a, 1.0, abs(a) < 1e-4);
}

// The weights of the six pixels around a place, `t` past the third of them.
fn lobes(t: f32) -> array<f32, 6> {
    var w: array<f32, 6>;
    for (var k = 0; k < 6; k++) {
        let d = f32(k - 2) - t;
        w[k] = sinc(d) * sinc(d / 3.0);
    }
    return w;
}

// Lanczos with three lobes.
fn lanczos(at: vec2f) -> vec3f {
    let whole = floor(at);
    let across = lobes(at.x - whole.x);
    let down = lobes(at.y - whole.y);
    var sum = vec3f(0.0);
    var weights = 0.0;
    for (var j = 0; j < 6; j++) {
        for (var i = 0; i < 6; i++) {
            let w = across[i] * down[j];
            sum += load(i32(whole.x) + i - 2, i32(whole.y) + j - 2) * w;
            weights += w;
        }
    }
    return sum / weights;
}

// The same when shrinking: it widens with the ratio. From one pixel to the next the two sines are rotated, as software
// drivers take long for a sine.
fn wide_lanczos(at: vec2f) -> vec3f {
    let widen = min(s.ratio, 4.0);
    let reach = 3.0 * widen;
    let first = vec2i(ceil(at - reach));
    let last = vec2i(floor(at + reach));
    let angles = vec2f(PI, PI / 3.0);
    let turn = angles / widen;
    let turn_sin = sin(turn);
    let turn_cos = cos(turn);
    let begin = angles * (f32(first.x) - at.x) / widen;
    let begin_sin = sin(begin);
    let begin_cos = cos(begin);
    var sum = vec3f(0.0);
    var weights = 0.0;
    for (var y = first.y; y <= last.y; y++) {
        let dy = (f32(y) - at.y) / widen;
        let wy = sinc(dy) * sinc(dy / 3.0);
        var sines = begin_sin;
        var cosines = begin_cos;
        for (var x = first.x; x <= last.x; x++) {
            let dx = (f32(x) - at.x) / widen * PI;
            let d2 = dx * dx;
            // Near the middle a series: the rotated sines are not exact enough to be divided by so little.
            let near = 1.0 - d2 * (0.185185 - 0.0115 * d2);
            let w = wy * select(3.0 * sines.x * sines.y / max(d2, 1e-6), near, d2 < 0.09);
            sum += load(x, y) * w;
            weights += w;
            let turned = sines * turn_cos + cosines * turn_sin;
            cosines = cosines * turn_cos - sines * turn_sin;
            sines = turned;
        }
    }
    return sum / weights;
}

// Catmull-Rom as a function of distance.
fn bump(r: f32) -> f32 {
    if r < 1.0 { return 1.0 + r * r * (1.5 * r - 2.5); }
    if r < 2.0 { return 2.0 + r * (-4.0 + r * (2.5 - 0.5 * r)); }
    return 0.0;
}

fn light(c: vec3f) -> f32 { return dot(c, vec3f(0.299, 0.587, 0.114)); }

// Enlarges along edges: the structure tensor of the 4x4 pixels around says where an edge runs and how clearly; the kernel is
// stretched along it, and its result kept within the four nearest pixels, so that it neither frays nor rings.
fn along_edges(at: vec2f) -> vec3f {
    let whole = floor(at);
    let t = at - whole;
    let x0 = i32(whole.x) - 1;
    let y0 = i32(whole.y) - 1;
    var c: array<vec3f, 16>;
    var l: array<f32, 16>;
    for (var i = 0; i < 16; i++) {
        c[i] = load(x0 + (i & 3), y0 + (i >> 2u));
        l[i] = light(c[i]);
    }
    // Gradients at the four inner pixels, weighted by their nearness.
    var xx = 0.0;
    var xy = 0.0;
    var yy = 0.0;
    for (var i = 0; i < 4; i++) {
        let column = i & 1;
        let row = i >> 1u;
        let k = 5 + column + 4 * row;
        let gx = l[k + 1] - l[k - 1];
        let gy = l[k + 4] - l[k - 4];
        let w = select(1.0 - t.x, t.x, column == 1) * select(1.0 - t.y, t.y, row == 1);
        xx += w * gx * gx;
        xy += w * gx * gy;
        yy += w * gy * gy;
    }
    let h = 0.5 * (xx - yy);
    let root = sqrt(h * h + xy * xy);
    let strength = xx + yy;
    // 0 where there is no single direction, 1 on a straight edge.
    let clarity = select(0.0, 2.0 * root / strength, strength > 1e-7) * smoothstep(1e-5, 2e-3, strength);
    var across = vec2f(h + root, xy);
    if h < 0.0 { across = vec2f(xy, root - h); }
    let size = length(across);
    across = select(vec2f(1.0, 0.0), across / size, size > 1e-9);
    let along = mix(1.0, 0.55, clarity);
    let sharp = mix(1.0, 1.12, clarity);

    var sum = vec3f(0.0);
    var weights = 0.0;
    for (var i = 0; i < 16; i++) {
        let d = vec2f(f32(i & 3) - 1.0, f32(i >> 2u) - 1.0) - t;
        let u = dot(d, across) * sharp;
        let v = (d.y * across.x - d.x * across.y) * along;
        let w = bump(sqrt(u * u + v * v));
        sum += c[i] * w;
        weights += w;
    }
    let low = min(min(c[5], c[6]), min(c[9], c[10]));
    let high = max(max(c[5], c[6]), max(c[9], c[10]));
    let slack = (high - low) * 0.06;
    return clamp(sum / max(weights, 1e-3), low - slack, high + slack);
}

@fragment
fn fragment(corner: Corner) -> @location(0) vec4f {
    let found = place(corner.uv);
    if found.z == 0.0 { return vec4f(0.0, 0.0, 0.0, 1.0); }
    // Pixel centres are at whole numbers.
    let at = found.xy * vec2f(f32(s.width), f32(s.height)) - 0.5;
    var colour: vec3f;
    if s.ratio > 1.001 {
        colour = wide_lanczos(at);
    } else if KERNEL == 1u {
        colour = lanczos(at);
    } else if KERNEL == 2u {
        colour = along_edges(at);
    } else {
        colour = linear(at);
    }
    return vec4f(colour, 1.0);
}
