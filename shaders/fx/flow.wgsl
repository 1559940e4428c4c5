//! The picture becomes paint: it flows along its own contours, and comes back slowly.
//@ import lib/sharp.wgsl
//@ import lib/relief.wgsl
//@ texture ground 320x180
//@ texture relief 160x90
//@ step level -> ground
//@ step soften -> relief

struct Params {
    speed: f32,     // -1..1 heights/s = 0.12: how fast it flows
    direction: f32, // 0..1 turns = 0.25: 0 runs to the light, 0.25 along the contours, 0.5 to the dark
    reach: f32,     // 0.005..0.2 heights square = 0.035: size of the slopes that it follows
    fresh: f32,     // 0..8 /s square = 0.7: how fast the picture comes back
    detail: f32,    // 0..1 = 0.35: the picture comes back sooner where it differs most
    swirl: f32,     // 0..1 = 0.25: slow eddies beside its own slopes
}

// Eddies: the curl of a noise, so that nothing gathers or thins out. They turn slowly on the spot.
fn eddy(uv: vec2f) -> vec2f {
    let turn = time() * 0.1;
    let q = uv * vec2f(aspect(), 1.0) * 3.0 + vec2f(cos(turn), sin(turn)) * 2.0;
    let d = 0.1;
    return vec2f(
        noise(q + vec2f(0.0, d)) - noise(q - vec2f(0.0, d)),
        noise(q - vec2f(d, 0.0)) - noise(q + vec2f(d, 0.0)),
    ) * 3.0;
}

fn effect(uv: vec2f) -> vec4f {
    let now = picture(uv).rgb;
    let steep = turned_by(slope(uv, p.reach), p.direction);
    // Long slopes are shortened: dark pictures flow nearly as fast as bright ones.
    let velocity = (steep / (length(steep) + 0.08) + eddy(uv) * p.swirl) * p.speed;
    let taps = sharp_taps(uv - velocity * dt() / vec2f(aspect(), 1.0), resolution());
    var samples: array<vec3f, 5>;
    for (var i = 0; i < 5; i++) {
        samples[i] = last(mirrored(taps.uv[i])).rgb;
    }
    let paint = sharp(taps, samples);
    let difference = length(encode(min(now, vec3f(1.0))) - encode(min(paint, vec3f(1.0))));
    let rate = p.fresh * (1.0 + p.detail * 6.0 * difference * difference);
    let keep = select(exp(-rate * dt()), 0.0, is_new(last(uv)));
    return vec4f(safe(mix(now, paint, keep)), 1.0);
}
