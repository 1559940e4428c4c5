// What every effect can use. Follows the effect's text, so that line numbers stay its own; `docs/EFFECTS.md` describes it.

struct LjFrame {
    resolution: vec2f,
    time: f32,
    dt: f32,
    beat: f32,
    bpm: f32,
    frame: u32,
    mix: f32,
    // Width over height of the output; a step's own texture may have another shape.
    aspect: f32,
}
@group(0) @binding(0) var<storage, read> lj: LjFrame;
@group(0) @binding(2) var lj_sampler: sampler;
@group(0) @binding(3) var lj_picture: texture_2d<f32>;
@group(0) @binding(4) var lj_last: texture_2d<f32>;
@group(0) @binding(5) var lj_shown: texture_2d<f32>;
@group(0) @binding(6) var lj_painting: texture_2d<f32>;
@group(0) @binding(7) var lj_network: texture_2d<f32>;
@group(0) @binding(8) var lj_palette: texture_2d<f32>;

// Turns of all loops of this invocation; counted and limited by the instrument.
var<private> lj_turns: u32;

const PI = 3.141592653589793;
const TAU = 6.283185307179586;

fn picture(uv: vec2f) -> vec4f { return textureSampleLevel(lj_picture, lj_sampler, uv, 0.0); }
fn last(uv: vec2f) -> vec4f { return textureSampleLevel(lj_last, lj_sampler, uv, 0.0); }
fn shown(uv: vec2f) -> vec4f { return textureSampleLevel(lj_shown, lj_sampler, uv, 0.0); }
fn painting(uv: vec2f) -> vec4f { return textureSampleLevel(lj_painting, lj_sampler, uv, 0.0); }
fn network(uv: vec2f) -> vec4f { return textureSampleLevel(lj_network, lj_sampler, uv, 0.0); }
fn palette(t: f32) -> vec4f { return textureSampleLevel(lj_palette, lj_sampler, vec2f(clamp(t, 0.0, 1.0) * 255.0 / 256.0 + 0.5 / 256.0, 0.5), 0.0); }
fn at(pixel: vec2u) -> vec4f { return textureLoad(lj_picture, min(pixel, textureDimensions(lj_picture) - 1u), 0); }
fn time() -> f32 { return lj.time; }
fn dt() -> f32 { return lj.dt; }
fn beat() -> f32 { return lj.beat; }
fn bpm() -> f32 { return lj.bpm; }
fn frame() -> u32 { return lj.frame; }
fn resolution() -> vec2f { return lj.resolution; }
fn pixel() -> vec2f { return 1.0 / lj.resolution; }
fn aspect() -> f32 { return lj.aspect; }

fn mirrored(uv: vec2f) -> vec2f { return 1.0 - abs(1.0 - (uv - 2.0 * floor(uv * 0.5))); }
fn repeated(uv: vec2f) -> vec2f { return fract(uv); }
fn inside(uv: vec2f) -> f32 { return select(0.0, 1.0, all(uv >= vec2f(0.0)) && all(uv <= vec2f(1.0))); }
fn turned(uv: vec2f, turns: f32) -> vec2f {
    let square = vec2f(aspect(), 1.0);
    let off = (uv - 0.5) * square;
    let c = cos(turns * TAU);
    let s = sin(turns * TAU);
    return vec2f(off.x * c - off.y * s, off.x * s + off.y * c) / square + 0.5;
}

// Rec. 709 luminance of linear light.
fn luma(rgb: vec3f) -> f32 { return dot(rgb, vec3f(0.2126, 0.7152, 0.0722)); }
// The sRGB transfer function, IEC 61966-2-1, from linear light and back.
fn encode(rgb: vec3f) -> vec3f {
    let light = max(rgb, vec3f(0.0));
    return select(1.055 * pow(light, vec3f(1.0 / 2.4)) - 0.055, light * 12.92, light <= vec3f(0.0031308));
}
fn decode(rgb: vec3f) -> vec3f {
    let coded = max(rgb, vec3f(0.0));
    return select(pow((coded + 0.055) / 1.055, vec3f(2.4)), coded / 12.92, coded <= vec3f(0.04045));
}
// Hue, saturation and value, each 0 to 1 (value may be above), of a colour in whatever coding, and back. (Smith 1978)
fn hsv(rgb: vec3f) -> vec3f {
    let high = max(rgb.r, max(rgb.g, rgb.b));
    let low = min(rgb.r, min(rgb.g, rgb.b));
    let range = high - low;
    if high <= 0.0 || range <= 0.0 { return vec3f(0.0, 0.0, max(high, 0.0)); }
    var hue = (rgb.g - rgb.b) / range;
    if high == rgb.g { hue = 2.0 + (rgb.b - rgb.r) / range; }
    if high == rgb.b && high != rgb.g { hue = 4.0 + (rgb.r - rgb.g) / range; }
    return vec3f(fract(hue / 6.0), range / high, high);
}
fn rgb(hsv: vec3f) -> vec3f {
    let wheel = abs(fract(hsv.xxx + vec3f(1.0, 2.0 / 3.0, 1.0 / 3.0)) * 6.0 - 3.0) - 1.0;
    return hsv.z * mix(vec3f(1.0), clamp(wheel, vec3f(0.0), vec3f(1.0)), hsv.y);
}
// 0 to 1 from a point (integer hash: Jarzynski and Olano 2020, pcg2d).
fn hash(at: vec2f) -> f32 {
    var v = bitcast<vec2u>(at) * 1664525u + 1013904223u;
    v.x += v.y * 1664525u;
    v.y += v.x * 1664525u;
    v = v ^ (v >> vec2u(16u));
    v.x += v.y * 1664525u;
    v.y += v.x * 1664525u;
    v = v ^ (v >> vec2u(16u));
    return f32(v.x >> 8u) / 16777216.0;
}
// Smooth value noise, 0 to 1; one bump per unit.
fn noise(at: vec2f) -> f32 {
    let cell = floor(at);
    let t = at - cell;
    let s = t * t * (3.0 - 2.0 * t);
    let low = mix(hash(cell), hash(cell + vec2f(1.0, 0.0)), s.x);
    let high = mix(hash(cell + vec2f(0.0, 1.0)), hash(cell + vec2f(1.0, 1.0)), s.x);
    return mix(low, high, s.y);
}

// A number that a feedback loop cannot choke on: no NaN, no infinity.
fn lj_sane(colour: vec4f) -> vec4f {
    let broken = (bitcast<vec4u>(colour) & vec4u(0x7f800000u)) == vec4u(0x7f800000u);
    return clamp(select(colour, vec4f(0.0), broken), vec4f(-64.0), vec4f(64.0));
}
fn lj_finish(colour: vec4f) -> vec4f {
    if lj_turns > LJ_MOST_TURNS { return vec4f(LJ_RUNAWAY); }
    return lj_sane(colour);
}

struct LjCorner {
    @builtin(position) position: vec4f,
    @location(0) uv: vec2f,
}
@vertex
fn lj_vertex(@builtin(vertex_index) index: u32) -> LjCorner {
    let uv = vec2f(f32((index << 1u) & 2u), f32(index & 2u));
    return LjCorner(vec4f(uv.x * 2.0 - 1.0, 1.0 - uv.y * 2.0, 0.0, 1.0), uv);
}
