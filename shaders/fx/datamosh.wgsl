//! A video whose key frames got lost: blocks of the old picture are dragged by the motion of the new one.
//@ import lib/motion.wgsl
//@ texture grey 320x180
//@ texture change 320x180
//@ texture motion 160x90
//@ texture before full
//@ texture moshed full
//@ step compare -> grey
//@ step measure -> change
//@ step find -> motion
//@ step mosh -> moshed
//@ step keep -> before

struct Params {
    drag: f32,   // -12..12 = 4.5: how far blocks go with the motion, 1 is just as far
    block: f32,  // 0.01..0.2 heights square = 0.045: size of a block
    fresh: f32,  // 0..4 /s square = 0.22: how many blocks are renewed
    residue: f32, // 0..1 = 0.3: how much of each change is drawn over the old picture
    every: f32,  // 0..128 beats = 32: a whole key frame comes through after this many beats; 0 never
    quiet: f32,  // 0..1 = 0.35: how much comes back where nothing moves
    chroma: f32, // 0..1 = 0.25: colour is dragged further than light
}

fn block_of(uv: vec2f) -> vec2f {
    let count = max(round(vec2f(aspect(), 1.0) / p.block), vec2f(1.0));
    return (floor(uv * count) + 0.5) / count;
}

fn mosh(uv: vec2f) -> vec4f {
    let now = clamp(picture(uv).rgb, vec3f(0.0), vec3f(16.0));
    let block = block_of(uv);
    // Each block has one motion, as in a codec: that is what tears.
    let velocity = motion(block).rg;
    let shift = velocity * p.drag * dt() / vec2f(aspect(), 1.0);
    let old = moshed(mirrored(uv - shift)).rgb;
    let old_colour = moshed(mirrored(uv - shift * (1.0 + 2.0 * p.chroma))).rgb;
    let old_light = luma(old);
    let dragged = old_light + (old_colour - luma(old_colour)) * clamp(old_light / max(luma(old_colour), 0.02), 0.0, 2.0);

    // What a codec sends beside the motion: the change that the motion does not explain.
    let residue = now - before(mirrored(uv - velocity * dt() / vec2f(aspect(), 1.0))).rgb;
    var mixed = max(dragged + residue * p.residue, vec3f(0.0));

    // Blocks come back at random times, each with one throw of a die per tenth of a second.
    let number = floor(time() * 10.0) % 4096.0;
    let thrown = hash(block * 913.0 + vec2f(number * 0.37, number * 0.71));
    let chance = 1.0 - exp(-p.fresh * 0.1);
    let speed = length(velocity);
    let still = p.quiet * (1.0 - smoothstep(0.005, 0.05, speed));
    let back = select(1.0 - exp(-(4.0 * still + 0.05) * dt()), 1.0 - exp(-dt() / 0.03), thrown < chance);
    mixed = mix(mixed, now, back);

    let key = p.every > 0.0 && fract(beat() / p.every) < dt() * bpm() / 60.0 / max(p.every, 1e-3);
    if key || moshed(uv).a < 0.5 {
        mixed = now;
    }
    return vec4f(min(mixed, vec3f(16.0)), 1.0);
}

fn keep(uv: vec2f) -> vec4f {
    return picture(uv);
}

fn effect(uv: vec2f) -> vec4f {
    return moshed(uv);
}
