//! Whatever moves drags wet paint behind it.
//@ import lib/sharp.wgsl
//@ import lib/motion.wgsl
//@ texture grey 320x180
//@ texture change 320x180
//@ texture motion 160x90
//@ step compare -> grey
//@ step measure -> change
//@ step find -> motion

struct Params {
    drag: f32,   // -12..12 = 5: how far the paint goes with the motion, 1 is just as far
    length: f32, // 0.05..20 s square = 2.5: how long a smear lasts
    still: f32,  // 0..1 = 0.2: how much is smeared where nothing moves
    reach: f32,  // 0.01..1 heights/s square = 0.05: the speed at which everything is smeared
    light: f32,  // 0..1 = 0.25: bright paint covers dark
}

fn effect(uv: vec2f) -> vec4f {
    let now = picture(uv).rgb;
    let velocity = motion(uv).rg;
    let taps = sharp_taps(uv - velocity * p.drag * dt() / vec2f(aspect(), 1.0), resolution());
    var samples: array<vec3f, 5>;
    for (var i = 0; i < 5; i++) {
        samples[i] = last(mirrored(taps.uv[i])).rgb;
    }
    let paint = sharp(taps, samples);
    let moving = mix(p.still, 1.0, smoothstep(0.0, p.reach, length(velocity)));
    let keep = exp(-dt() / (p.length * max(moving, 0.02)));
    if is_new(last(uv)) {
        return vec4f(safe(now), 1.0);
    }
    let dry = mix(now, paint, keep);
    return vec4f(safe(mix(dry, max(dry, paint * exp(-dt() / p.length)), p.light * moving)), 1.0);
}
