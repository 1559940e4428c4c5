//! Everything bright leaves a trail that flies off, turns and changes colour.
//@ import lib/sharp.wgsl
//@ texture trail full
//@ step draw -> trail

struct Params {
    share: f32,   // 0..1 = 0.85: how much of the trail is seen
    length: f32,  // 0.05..20 s square = 1.2: how long a trail lasts
    zoom: f32,    // -2..2 /s = 0.35: how fast it flies out (above 0) or in
    turn: f32,    // -1..1 turns/s = 0.03: how fast it turns
    x: f32,       // -1..1 heights/s = 0: drift to the right
    y: f32,       // -1..1 heights/s = 0: drift down
    hue: f32,     // -1..1 turns/s = 0.12: how fast its colour goes round
    light: f32,   // 0..1 = 0.7: 1 keeps what is bright, 0 averages
    centre_x: f32, // 0..1 = 0.5: where it flies from
    centre_y: f32, // 0..1 = 0.5: where it flies from
}

// Where the trail at `uv` was a picture ago.
fn source(uv: vec2f) -> vec2f {
    let square = vec2f(aspect(), 1.0);
    let centre = vec2f(p.centre_x, p.centre_y);
    let from_centre = (uv - centre) * exp(-p.zoom * dt());
    return turned(from_centre + 0.5, -p.turn * dt()) - 0.5 + centre - vec2f(p.x, p.y) / square * dt();
}

fn draw(uv: vec2f) -> vec4f {
    let back = source(uv);
    let taps = sharp_taps(back, resolution());
    var samples: array<vec3f, 5>;
    for (var i = 0; i < 5; i++) {
        samples[i] = trail(mirrored(taps.uv[i])).rgb;
    }
    let tone = hsv(sharp(taps, samples));
    let then = rgb(vec3f(fract(tone.x + p.hue * dt()), tone.yz));

    // The picture drawn along the way of this one step: a star leaves a line, not a row of dots.
    var mean = vec3f(0.0);
    var brightest = vec3f(0.0);
    for (var i = 0; i < 4; i++) {
        let colour = picture(mix(uv, back, f32(i) / 4.0)).rgb;
        mean += colour * 0.25;
        brightest = max(brightest, colour);
    }
    let keep = select(exp(-dt() / p.length), 0.0, is_new(trail(uv)));
    // The small difference lets the last shimmer die, which rounding would hold for ever.
    let bright = max(brightest, then * keep - 0.003 * dt());
    return vec4f(safe(mix(mix(mean, then, keep), bright, p.light)), 1.0);
}

fn effect(uv: vec2f) -> vec4f {
    return mix(picture(uv), trail(uv), p.share);
}
