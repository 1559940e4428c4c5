//! Time runs through the picture: each line shows another moment of the last seconds.
//
// The last 48 moments lie side by side in one texture, 8 in a row, 16 a second.
//@ texture past 2560x1080
//@ step remember -> past

struct Params {
    depth: f32,  // 0..2.8 s = 1.8: how far back the latest line goes
    by: u32,     // rows | columns | centre | rim | dark | light = rows: what is late: lower rows, columns to the right, and so on
    centre: u32, // off | on = on: rows and columns go both ways from the middle
    bend: f32,   // 0.2..4 square = 1: above 1 most of the picture stays near the present
    wave: f32,   // 0..1 = 0: makes lateness swing to and fro with the beat
    noise: f32,  // 0..1 = 0.1: makes the border between moments uneven
}

const MOMENTS = 48;
const RATE = 16.0;
const GRID = vec2f(8.0, 6.0);
const TILE = vec2f(320.0, 180.0);

// The tile of moment `number`, counted from the start of the show, as its column and row.
fn tile_of(number: i32) -> vec2f {
    let slot = ((number % MOMENTS) + MOMENTS) % MOMENTS;
    return vec2f(f32(slot % 8), f32(slot / 8));
}

// The newest moment is drawn again with each picture until the next begins; all others stay.
fn remember(uv: vec2f) -> vec4f {
    let place = uv * GRID;
    let tile = floor(place);
    let number = i32(floor(time() * RATE));
    // Before it has a past of its own, every moment is the present.
    let is_new = past(uv).a < 0.5;
    if !is_new && any(tile != tile_of(number)) {
        return past(uv);
    }
    return vec4f(clamp(picture(fract(place)).rgb, vec3f(0.0), vec3f(16.0)), 1.0);
}

// Moment `number` at `uv`; half a pixel inside, so that the tiles do not bleed into each other.
fn moment(number: i32, uv: vec2f) -> vec3f {
    let half_pixel = 0.5 / TILE;
    return past((tile_of(number) + clamp(uv, half_pixel, 1.0 - half_pixel)) / GRID).rgb;
}

// How late this place is, 0 to 1.
fn lateness(uv: vec2f) -> f32 {
    let from_centre = (uv - 0.5) * vec2f(aspect(), 1.0);
    let rim = length(from_centre) / length(vec2f(aspect(), 1.0)) * 2.0;
    let grey = encode(vec3f(clamp(luma(picture(uv).rgb), 0.0, 1.0))).r;
    switch p.by {
        case 0u: { return select(uv.y, abs(uv.y * 2.0 - 1.0), p.centre == 1u); }
        case 1u: { return select(uv.x, abs(uv.x * 2.0 - 1.0), p.centre == 1u); }
        case 2u: { return 1.0 - rim; }
        case 3u: { return rim; }
        case 4u: { return 1.0 - grey; }
        default: { return grey; }
    }
}

fn effect(uv: vec2f) -> vec4f {
    var late = clamp(lateness(uv), 0.0, 1.0);
    late += (noise(uv * vec2f(aspect(), 1.0) * 5.0) - 0.5) * p.noise * 0.5 * late;
    late *= 1.0 - p.wave * (0.5 - 0.5 * cos(beat() * TAU / 8.0));
    let ago = pow(clamp(late, 1e-5, 1.0), p.bend) * min(p.depth, 2.8) * RATE;

    // Moment k is complete at k + 1; the newest is as of now.
    let now = time() * RATE;
    let newest = i32(floor(now));
    let wanted = now - ago;
    let older = i32(floor(wanted)) - 1;
    var share = fract(wanted);
    if older + 1 == newest {
        share = clamp((wanted - f32(newest)) / max(now - f32(newest), 1e-3), 0.0, 1.0);
    }
    let then = mix(moment(older, uv), moment(older + 1, uv), share);
    // The present is the picture itself, sharp.
    return vec4f(mix(picture(uv).rgb, then, smoothstep(0.0, 2.0, ago)), 1.0);
}
