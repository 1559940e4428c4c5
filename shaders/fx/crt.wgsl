//! A picture tube: scan lines, a mask of red, green and blue phosphor, a curved front

struct Params {
    lines: f32,  // 80..540 = 180: scan lines from top to bottom
    scan: f32,   // 0..1 = 0.7: how dark it is between them
    mask: f32,   // 0..1 = 0.45: how much of the phosphor's colours is seen
    curve: f32,  // 0..1 = 0.25: how far the front bulges
    glow: f32,   // 0..2 = 0.6: light that spreads in the glass
    roll: f32,   // 0..1 = 0.12: a brighter band that runs down
    tear: f32,   // 0..1 = 0: how far lines slip to the side, as with a bad signal
}

// The place on the tube's front, in 0..1; outside it there is no picture.
fn bulged(uv: vec2f) -> vec2f {
    let q = uv * 2.0 - 1.0;
    let away = q.yx * q.yx * vec2f(0.10, 0.13) * p.curve;
    return (q * (1.0 + away)) * 0.5 + 0.5;
}

// The light of one scan line at `x`, a little blurred along it as the beam is.
fn beam(x: f32, line: f32) -> vec3f {
    let y = (line + 0.5) / p.lines;
    let jump = hash(vec2f(line, floor(time() * 24.0))) - 0.5;
    let wave = noise(vec2f(y * 6.0, time() * 3.0)) - 0.5;
    let slip = p.tear * p.tear * (0.05 * jump + 0.12 * wave);
    let wide = 0.35 / (p.lines * aspect());
    let at = vec2f(x + slip, y);
    return (max(picture(at - vec2f(wide, 0.0)).rgb, vec3f(0.0)) + max(picture(at + vec2f(wide, 0.0)).rgb, vec3f(0.0))) * 0.5;
}

fn effect(uv: vec2f) -> vec4f {
    let q = bulged(uv);
    let rim = smoothstep(vec2f(0.0), pixel() * 3.0, q) * smoothstep(vec2f(0.0), pixel() * 3.0, 1.0 - q);

    // Two beams cross each place. A bright beam is wider than a dark one, so that highlights close the gaps.
    let at = q.y * p.lines - 0.5;
    let line = floor(at);
    var light = vec3f(0.0);
    for (var i = 0; i < 2; i++) {
        let colour = beam(q.x, line + f32(i));
        let away = abs(at - line - f32(i));
        let width = mix(0.32, 0.62, clamp(sqrt(luma(colour)), 0.0, 1.0));
        light += colour * exp(-away * away / (2.0 * width * width));
    }
    // Where a line has fewer than three pixels it cannot be shown without moiré.
    let fits = smoothstep(1.6, 3.2, resolution().y / p.lines);
    light = mix(max(picture(q).rgb, vec3f(0.0)), light, p.scan * fits);

    // Triads of three pixels each, wider on a large output, shifted in every second row.
    let wide = max(1.0, floor(resolution().y / 720.0 + 0.5));
    let column = floor(uv.x * resolution().x / wide) + floor(uv.y * resolution().y / (wide * 4.0)) * 1.5;
    let third = column - 3.0 * floor(column / 3.0);
    let phosphor = clamp(1.0 - abs(third - vec3f(0.5, 1.5, 2.5)), vec3f(0.0), vec3f(1.0)) * 1.6 + 0.35;
    light *= mix(vec3f(1.0), phosphor * 1.35, p.mask);

    // Glow of the glass, from four places around.
    let far = vec2f(0.012 / aspect(), 0.012);
    let around = picture(q + far).rgb + picture(q - far).rgb + picture(q + far * vec2f(1.0, -1.0)).rgb
        + picture(q - far * vec2f(1.0, -1.0)).rgb;
    light += max(around, vec3f(0.0)) * 0.25 * p.glow * 0.35;

    let band = fract(q.y - time() * 0.11);
    light *= 1.0 + p.roll * (smoothstep(0.0, 0.8, band) * (1.0 - smoothstep(0.8, 1.0, band)) - 0.4);
    return vec4f(light * rim.x * rim.y, 1.0);
}
