//! Flashes in time. Never more than three a second, for the eyes of the audience, unless `safe` is off.
//@ texture state 1x1
//@ texture held full
//@ step count -> state
//@ step hold -> held

struct Params {
    amount: f32,  // 0..1 = 0.4: how strong a flash is
    sync: u32,    // seconds | beats = beats: what `rate` counts by
    rate: f32,    // 0.125..16 square = 1: flashes a second, or a beat
    length: f32,  // 0.02..1 = 0.35: how long a flash lasts, as a share of the time to the next
    shape: u32,   // fade | even = fade: a flash dies away, or is on and off
    kind: u32,    // white | black | negative | palette | still = white: what it shows; still holds the picture between flashes
    safe: u32,    // off | on = on: at most three flashes a second; W3C and broadcasters ask for this
}

const SAFE_SECONDS = 1.0 / 3.0;

// Turns since the last flash was due, 0 to 1.
fn due(phase: f32) -> f32 {
    if p.sync == 1u {
        // Halved until there are few enough: they stay on the beat.
        var rate = p.rate;
        for (var i = 0; i < 8; i++) {
            if p.safe == 1u && rate * bpm() / 60.0 > 3.0 {
                rate *= 0.5;
            }
        }
        return fract(beat() * rate);
    }
    return phase;
}

fn shaped(turns: f32) -> f32 {
    let t = turns / p.length;
    return p.amount * select(select(0.0, 1.0, t < 1.0), exp(-3.0 * t) * (1.0 - smoothstep(0.7, 1.0, t)), p.shape == 0u);
}

// In r the light of the flash, in g the seconds since it last rose, in b and a the clock's coarse and fine part.
// Whatever the parameters do, and whoever plays them, the light may rise only once in a third of a second.
fn count(uv: vec2f) -> vec4f {
    let before = state(vec2f(0.5));
    let rate = select(p.rate, min(p.rate, 3.0), p.safe == 1u);
    let phase = fract(before.b + before.a + rate * dt());
    let coarse = floor(phase * 256.0) / 256.0;
    let asked = shaped(due(phase));
    let since = min(before.g + dt(), 10.0);
    let rises = asked > before.r + 0.02;
    if rises && (p.safe == 0u || since >= SAFE_SECONDS - 0.002) {
        return vec4f(asked, 0.0, coarse, phase - coarse);
    }
    return vec4f(min(asked, before.r), since, coarse, phase - coarse);
}

// The picture of the newest flash, for `still`.
fn hold(uv: vec2f) -> vec4f {
    let new_flash = state(vec2f(0.5)).g == 0.0 || held(uv).a < 0.5;
    return select(held(uv), picture(uv), new_flash);
}

fn effect(uv: vec2f) -> vec4f {
    let now = picture(uv).rgb;
    let light = state(vec2f(0.5)).r;
    switch p.kind {
        case 1u: { return vec4f(now * (1.0 - light), 1.0); }
        case 2u: { return vec4f(mix(now, decode(1.0 - encode(min(now, vec3f(1.0)))), light), 1.0); }
        case 3u: { return vec4f(mix(now, palette(fract(floor(beat()) * 0.381966)).rgb, light), 1.0); }
        case 4u: { return vec4f(mix(now, held(uv).rgb, p.amount), 1.0); }
        default: { return vec4f(mix(now, vec3f(1.0), light), 1.0); }
    }
}
