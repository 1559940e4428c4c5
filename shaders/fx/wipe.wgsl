//! Wipes from one picture to another: by hand, or again and again in time with the music.
//@ texture place 1x1
//@ texture held full
//@ step advance -> place
//@ step hold -> held

struct Params {
    under: u32,    // network | painting | before | black = before: what the picture is wiped over; before is the picture at the last change
    position: f32, // 0..1 = 0.5: how far the wipe has come, when `every` is 0
    every: f32,    // 0..64 beats = 8: begins again after this many beats; 0 leaves it to `position`
    share: f32,    // 0.05..1 = 0.6: part of that time in which it moves
    kind: u32,     // line | circle | clock | blinds | clouds | light = clouds: shape of the wipe
    angle: f32,    // 0..1 turns = 0.07: direction of lines and blinds, start of the clock
    count: f32,    // 1..32 = 6: number of blinds, of clouds from top to bottom
    soft: f32,     // 0..1 = 0.14: how soft its border is
    rim: f32,      // 0..3 = 0.5: light along its border
}

// How far the wipe has come, 0 to 1, without its easing.
fn progress() -> f32 {
    if p.every <= 0.0 {
        return p.position;
    }
    let turns = beat() / p.every;
    let t = clamp(fract(turns) / p.share, 0.0, 1.0);
    // Over its own past the picture comes again and again; over another picture it comes and goes.
    let there_and_back = p.under != 2u && (i32(floor(turns)) & 1) != 0;
    return smoothstep(0.0, 1.0, select(t, 1.0 - t, there_and_back));
}

// In r how far it has come, in g 1 when a new wipe begins.
fn advance(uv: vec2f) -> vec4f {
    let now = progress();
    let begins = now < place(vec2f(0.5)).r - 0.5 || held(vec2f(0.5)).a < 0.5;
    return vec4f(now, select(0.0, 1.0, begins), 0.0, 1.0);
}

// The picture when the wipe began.
fn hold(uv: vec2f) -> vec4f {
    let change = place(vec2f(0.5));
    return select(held(uv), picture(uv), change.g > 0.5);
}

// When the wipe passes this place, 0 to 1.
fn order(uv: vec2f) -> f32 {
    let square = (uv - 0.5) * vec2f(aspect(), 1.0);
    let direction = vec2f(cos(p.angle * TAU), sin(p.angle * TAU));
    let reach = 0.5 * (abs(direction.x) * aspect() + abs(direction.y));
    let along = 0.5 + 0.5 * dot(square, direction) / reach;
    switch p.kind {
        case 1u: { return length(square) / length(vec2f(aspect(), 1.0)) * 2.0; }
        case 2u: {
            if dot(square, square) < 1e-9 {
                return 0.0;
            }
            return fract(atan2(square.y, square.x) / TAU + 0.25 - p.angle);
        }
        case 3u: { return fract(along * round(p.count)); }
        case 4u: {
            let q = square * p.count;
            let cloud = 0.55 * noise(q) + 0.3 * noise(q * 2.03 + 11.0) + 0.15 * noise(q * 4.1 + 29.0);
            return clamp((cloud - 0.15) / 0.7, 0.0, 1.0);
        }
        case 5u: { return encode(vec3f(clamp(luma(picture(uv).rgb), 0.0, 1.0))).r; }
        default: { return along; }
    }
}

fn other(uv: vec2f) -> vec3f {
    switch p.under {
        case 0u: { return network(uv).rgb; }
        case 1u: { return painting(uv).rgb; }
        case 2u: { return held(uv).rgb; }
        default: { return vec3f(0.0); }
    }
}

fn effect(uv: vec2f) -> vec4f {
    let soft = p.soft * 0.5 + 2e-3;
    // The border begins before the first place and ends after the last: 0 and 1 are clean.
    let border = mix(-soft, 1.0 + soft, place(vec2f(0.5)).r);
    let away = (border - order(uv)) / soft;
    let share = smoothstep(-1.0, 1.0, away);
    let now = picture(uv).rgb;
    let both = mix(other(uv), now, share);
    let glow = exp(-away * away * 2.0) * p.rim;
    return vec4f(both + both * glow * 2.0 + vec3f(0.5, 0.45, 0.4) * glow * glow * 0.1, 1.0);
}
