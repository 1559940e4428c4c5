//! A camera that films its own screen: the output comes back moved, and is laid over the picture.
//@ import lib/sharp.wgsl
//@ import lib/blends.wgsl
//@ texture fed full
//@ texture mean 16x9
//@ step feed -> fed
//@ step measure -> mean

struct Params {
    picture: f32, // 0..1 = 1: light of the picture itself
    share: f32,   // 0..1 = 0.85: how much of what comes back is laid over the picture
    blend: u32,   // mix | add | screen | lighten | darken | multiply | difference | overlay = difference: how it is laid over
    delay: f32,   // 0.02..4 s square = 0.15: how long the output takes to come back
    zoom: f32,    // -4..4 /s = 0.7: grows (above 0) or shrinks on its way
    turn: f32,    // -2..2 turns/s = -0.06: turns on its way
    x: f32,       // -2..2 heights/s = 0: drifts to the right
    y: f32,       // -2..2 heights/s = 0: drifts down
    border: u32,  // edge | mirror | repeat | black = mirror: what comes in from outside
    gain: f32,    // 0..2 = 0.9: light of what comes back; darken and multiply find their own
    colour: f32,  // 0..2 = 1.15: saturation of what comes back
    hue: f32,     // -1..1 turns = 0.15: hue of what comes back
}

fn bordered(uv: vec2f) -> vec2f {
    switch p.border {
        case 1u: { return mirrored(uv); }
        case 2u: { return repeated(uv); }
        default: { return uv; }
    }
}

// A slow copy of the output that moves on. Being slow, it gives the same picture at every frame rate, and the blend
// "difference" settles instead of flickering.
fn feed(uv: vec2f) -> vec4f {
    let square = vec2f(aspect(), 1.0);
    let source = turned((uv - 0.5) * exp(-p.zoom * dt()) + 0.5, -p.turn * dt()) - vec2f(p.x, p.y) / square * dt();
    let taps = sharp_taps(source, resolution());
    var samples: array<vec3f, 5>;
    for (var i = 0; i < 5; i++) {
        samples[i] = fed(bordered(taps.uv[i])).rgb;
    }
    var old = sharp(taps, samples);
    if p.border == 3u {
        old *= inside(source);
    }
    if is_new(fed(uv)) {
        return vec4f(safe(picture(uv).rgb), 1.0);
    }
    return vec4f(safe(mix(last(source).rgb, old, exp(-dt() / p.delay))), 1.0);
}

// Mean light of what comes back, in this part of the picture.
fn measure(uv: vec2f) -> vec4f {
    var sum = 0.0;
    for (var i = 0; i < 16; i++) {
        let offset = vec2f(f32(i % 4), f32(i / 4)) / 4.0 - 0.375;
        sum += luma(fed(uv + offset * pixel()).rgb) / 16.0;
    }
    return vec4f(vec3f(mix(sum, mean(uv).r, exp(-dt() / 0.2))), 1.0);
}

// Bends light above 0.8 so that it never passes 1.4: the loop cannot run away.
fn limited(colour: vec3f) -> vec3f {
    let top = max(colour.r, max(colour.g, colour.b));
    let over = max(top - 0.8, 0.0);
    return colour * (min(top, 0.8) + 0.6 * over / (0.6 + over)) / max(top, 1e-4);
}

fn effect(uv: vec2f) -> vec4f {
    let now = picture(uv).rgb * p.picture;
    var back = hsv(safe(fed(uv).rgb));
    // Where the loop is bright already, it gains no more: shapes stay, and nothing ends in white.
    let around = mean(uv).r;
    var gain = min(p.gain, 0.4 / max(around, 1e-3));
    // What only adds light would fill the picture with fog: what is even fades, shapes stay.
    if p.blend == BLEND_ADD || p.blend == BLEND_SCREEN || p.blend == BLEND_LIGHTEN {
        gain = min(gain, 0.16 / max(around, 1e-3));
        back.z = max(back.z - 0.4 * around, 0.0) * 1.2;
    }
    // Darken and multiply only take light away. So that the loop does not end in black, light grows back in them.
    if p.blend == BLEND_DARKEN || p.blend == BLEND_MULTIPLY {
        gain = 1.25;
    }
    back = rgb(vec3f(fract(back.x + p.hue), min(back.y * p.colour, 1.0), back.z * gain));
    if p.blend == BLEND_MULTIPLY {
        back = sqrt(max(back, vec3f(0.0)));
    }
    let both = blended(now, back, p.blend, p.share * 0.97);
    return vec4f(max(limited(both), min(now, both)), 1.0);
}
