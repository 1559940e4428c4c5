//! Bright places glow into their surroundings, with warm halos and an optional anamorphic streak.
//@ texture bright half
//@ texture near quarter
//@ texture far 160x90
//@ texture across 160x90
//@ texture around 160x90
//@ texture line 160x90
//@ step pick -> bright
//@ step shrink -> near
//@ step spread -> far
//@ step blur_across -> across
//@ step blur_down -> around
//@ step stretch -> line

struct Params {
    glow: f32,      // 0..3 = 0.7: light of the glow
    threshold: f32, // 0..1 = 0.35: only what is brighter glows
    size: f32,      // 0..1 = 0.6: 0 is a tight halo, 1 a wide haze
    streak: f32,    // 0..2 = 0.12: light of the streaks to both sides
    warm: f32,      // -1..1 = 0.25: colour of the wide haze, from blue to amber
    breathe: f32,   // 0..1 = 0: how much the glow swells on the beat
}

// What is above the threshold, with a soft knee. A single bright pixel is held down, so that stars do not flicker.
fn pick(uv: vec2f) -> vec4f {
    var sum = vec3f(0.0);
    var weights = 0.0;
    for (var i = 0; i < 4; i++) {
        let offset = vec2f(f32(i % 2), f32(i / 2)) - 0.5;
        let colour = clamp(picture(uv + offset * pixel()).rgb, vec3f(0.0), vec3f(16.0));
        let weight = 1.0 / (1.0 + luma(colour));
        sum += colour * weight;
        weights += weight;
    }
    let colour = sum / weights;
    let top = max(colour.r, max(colour.g, colour.b));
    // The threshold is on the scale that the eye sees.
    let threshold = p.threshold * p.threshold;
    let knee = threshold * 0.7 + 1e-4;
    let soft = clamp(top - threshold + knee, 0.0, 2.0 * knee);
    let over = max(top - threshold, soft * soft / (4.0 * knee));
    return vec4f(colour * over / max(top, 1e-4), 1.0);
}

fn shrink(uv: vec2f) -> vec4f {
    var sum = bright(uv) * 4.0;
    for (var i = 0; i < 4; i++) {
        let offset = vec2f(f32(i % 2), f32(i / 2)) * 2.0 - 1.0;
        sum += bright(uv + offset * pixel() * 0.75) * 3.0;
    }
    return sum / 16.0;
}

fn spread(uv: vec2f) -> vec4f {
    var sum = vec4f(0.0);
    for (var i = 0; i < 9; i++) {
        let offset = vec2f(f32(i % 3), f32(i / 3)) - 1.0;
        sum += near(uv + offset * pixel() * 0.6) * (2.0 - abs(offset.x)) * (2.0 - abs(offset.y));
    }
    return sum / 16.0;
}

fn blur_across(uv: vec2f) -> vec4f {
    var sum = vec4f(0.0);
    for (var i = -5; i <= 5; i++) {
        sum += far(uv + vec2f(f32(i) * 1.5 * pixel().x, 0.0)) * exp(-f32(i * i) / 9.0);
    }
    return sum / 5.31;
}

fn blur_down(uv: vec2f) -> vec4f {
    var sum = vec4f(0.0);
    for (var i = -5; i <= 5; i++) {
        sum += across(uv + vec2f(0.0, f32(i) * 1.5 * pixel().y)) * exp(-f32(i * i) / 9.0);
    }
    return sum / 5.31;
}

fn stretch(uv: vec2f) -> vec4f {
    var sum = vec4f(0.0);
    for (var i = -12; i <= 12; i++) {
        sum += far(uv + vec2f(f32(i) * 2.6 * pixel().x, 0.0)) * exp(-abs(f32(i)) / 5.0);
    }
    return sum / 9.3;
}

// The small textures enlarged by a soft tent, so that their pixels do not show.
fn soft_near(uv: vec2f) -> vec3f {
    let d = 2.0 / resolution();
    return 0.25 * (near(uv + d) + near(uv - d) + near(uv + vec2f(d.x, -d.y)) + near(uv + vec2f(-d.x, d.y))).rgb;
}

fn soft_line(uv: vec2f) -> vec3f {
    let d = vec2f(0.5) / vec2f(160.0, 90.0);
    return 0.25 * (line(uv + d) + line(uv - d) + line(uv + vec2f(d.x, -d.y)) + line(uv + vec2f(-d.x, d.y))).rgb;
}

fn soft_around(uv: vec2f) -> vec3f {
    let d = vec2f(0.7) / vec2f(160.0, 90.0);
    return 0.25 * (around(uv + d) + around(uv - d) + around(uv + vec2f(d.x, -d.y)) + around(uv + vec2f(-d.x, d.y))).rgb;
}

fn effect(uv: vec2f) -> vec4f {
    let now = picture(uv).rgb;
    let amber = vec3f(1.0 + 0.5 * p.warm, 1.0, 1.0 - 0.6 * p.warm);
    let haze = soft_near(uv) * (1.6 - 1.2 * p.size) + soft_around(uv) * amber * (0.4 + 1.6 * p.size);
    let swell = 1.0 + p.breathe * (2.0 * exp(-3.0 * fract(beat())) - 0.5);
    let light = haze * p.glow * swell + soft_line(uv) * vec3f(0.5, 0.8, 1.3) * p.streak * 4.0;
    // What is bright already takes less of it: clouds keep their shape, stars get their halo.
    return vec4f(now + light / (1.0 + 2.0 * luma(max(now, vec3f(0.0))) + 0.5 * luma(light)), 1.0);
}
