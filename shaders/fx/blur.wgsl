//! Softens the picture: all of it, or all but a band, a circle, or what is bright.
//@ texture small half
//@ texture small_across half
//@ texture small_blurred half
//@ texture wide 320x180
//@ texture wide_across 320x180
//@ texture wide_blurred 320x180
//@ step shrink -> small
//@ step across_small -> small_across
//@ step down_small -> small_blurred
//@ step shrink_more -> wide
//@ step across_wide -> wide_across
//@ step down_wide -> wide_blurred

struct Params {
    size: f32,  // 0..0.08 heights square = 0.012: radius of the blur
    focus: u32, // nowhere | band | centre | bright | dark = nowhere: what stays sharp
    place: f32, // 0..1 = 0.5: height of the sharp band or of the centre
    width: f32, // 0..1 = 0.3: size of what stays sharp
    glow: f32,  // 0..1 = 0.25: blurred light covers the dark more than dark covers light
}

// The spread of the blur, in pixels of the texture that is drawn.
fn spread(limit: f32) -> f32 {
    return clamp(p.size * 0.6 * resolution().y, 0.3, limit);
}

// What bright places weigh beside dark ones. The sum is divided by it again, so that flat places keep their light.
fn weighed(colour: vec4f) -> vec4f {
    let light = mix(1.0, 0.05 + min(luma(colour.rgb), 4.0), p.glow);
    return vec4f(colour.rgb * light, light);
}

fn shrink(uv: vec2f) -> vec4f {
    return weighed(max(picture(uv), vec4f(0.0)));
}

fn across_small(uv: vec2f) -> vec4f {
    let s = spread(4.0);
    var sum = vec4f(0.0);
    var weights = 0.0;
    // To four times the spread: what is left out would show as a square around a star.
    for (var i = -8; i <= 8; i++) {
        let weight = exp(-0.5 * f32(i * i) * 0.25);
        sum += small(uv + vec2f(f32(i) * 0.5 * s * pixel().x, 0.0)) * weight;
        weights += weight;
    }
    return sum / weights;
}

fn down_small(uv: vec2f) -> vec4f {
    let s = spread(4.0);
    var sum = vec4f(0.0);
    var weights = 0.0;
    for (var i = -8; i <= 8; i++) {
        let weight = exp(-0.5 * f32(i * i) * 0.25);
        sum += small_across(uv + vec2f(0.0, f32(i) * 0.5 * s * pixel().y)) * weight;
        weights += weight;
    }
    return sum / weights;
}

fn shrink_more(uv: vec2f) -> vec4f {
    var sum = vec4f(0.0);
    for (var i = 0; i < 4; i++) {
        let offset = vec2f(f32(i % 2), f32(i / 2)) - 0.5;
        sum += small_blurred(uv + offset * pixel() * 0.5) * 0.25;
    }
    return sum;
}

fn across_wide(uv: vec2f) -> vec4f {
    let s = spread(24.0);
    var sum = vec4f(0.0);
    var weights = 0.0;
    for (var i = -10; i <= 10; i++) {
        let weight = exp(-0.5 * f32(i * i) * 0.16);
        sum += wide(uv + vec2f(f32(i) * 0.4 * s * pixel().x, 0.0)) * weight;
        weights += weight;
    }
    return sum / weights;
}

fn down_wide(uv: vec2f) -> vec4f {
    let s = spread(24.0);
    var sum = vec4f(0.0);
    var weights = 0.0;
    for (var i = -10; i <= 10; i++) {
        let weight = exp(-0.5 * f32(i * i) * 0.16);
        sum += wide_across(uv + vec2f(0.0, f32(i) * 0.4 * s * pixel().y)) * weight;
        weights += weight;
    }
    return sum / weights;
}

fn soft_wide(uv: vec2f) -> vec4f {
    let d = vec2f(0.5) / vec2f(320.0, 180.0);
    return 0.25 * (wide_blurred(uv + d) + wide_blurred(uv - d) + wide_blurred(uv + vec2f(d.x, -d.y)) + wide_blurred(uv + vec2f(-d.x, d.y)));
}

// How blurred this place is, 0 to 1.
fn blurred_here(uv: vec2f, now: vec3f) -> f32 {
    // From dark to light the blur changes slowly: a quick change would draw outlines.
    let grey = encode(vec3f(clamp(luma(now), 0.0, 1.0))).r;
    let half_width = p.width * 0.5;
    switch p.focus {
        case 1u: { return smoothstep(half_width, half_width + 0.25, abs(uv.y - p.place)); }
        case 2u: { return smoothstep(half_width, half_width + 0.35, length((uv - vec2f(0.5, p.place)) * vec2f(aspect(), 1.0))); }
        case 3u: { return 1.0 - smoothstep(p.width - 0.3, p.width + 0.3, grey); }
        case 4u: { return smoothstep(p.width - 0.3, p.width + 0.3, grey); }
        default: { return 1.0; }
    }
}

fn effect(uv: vec2f) -> vec4f {
    let now = picture(uv).rgb;
    let fine = small_blurred(uv);
    let fine_colour = fine.rgb / max(fine.a, 1e-4);
    let share = blurred_here(uv, now);
    let amount = share * share;
    // Three pictures of rising softness; what is wanted lies between two of them.
    let pixels = p.size * 0.6 * resolution().y * amount;
    let wide_one = soft_wide(uv);
    let wide_colour = wide_one.rgb / max(wide_one.a, 1e-4);
    // Half-size pixels begin to show what the full size cannot at about one pixel.
    let a = smoothstep(0.0, min(2.0, p.size * 0.6 * resolution().y + 1e-3), pixels);
    let b = smoothstep(4.0, 10.0, pixels);
    let mixed = mix(mix(now, fine_colour, a), wide_colour, b);
    // The glow lies over bright places too: without it they would look dark at their borders.
    let glow = mix(fine_colour, wide_colour, b) * p.glow;
    return vec4f(select(mixed, max(mixed, glow), p.focus == 3u), 1.0);
}
