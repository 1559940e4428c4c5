//! Mirrors one wedge of the picture around a centre.
//@ import lib/fold.wgsl
//@ import lib/clock.wgsl
//@ texture spun 1x1
//@ texture walked 1x1
//@ step spin -> spun
//@ step walk -> walked

struct Params {
    sectors: i32, // 2..32 = 6: how many mirrored pairs go round
    angle: f32,   // 0..1 turns = 0: turns the mirrors
    spin: f32,    // -1..1 turns/s = 0.02: how fast the mirrors turn
    zoom: f32,    // 0.2..4 square = 1: size of what is mirrored
    drift: f32,   // 0..0.5 heights = 0.25: how far the wedge wanders over the picture
    speed: f32,   // -1..1 Hz = 0.03: how fast it wanders
    x: f32,       // -1..1 heights = 0: moves the wedge right over the picture
    y: f32,       // -1..1 heights = 0: moves the wedge down
    rings: f32,   // 0..4 = 0: mirrors outwards too, this many times
}

fn spin(uv: vec2f) -> vec4f { return clock_ticked(spun(uv), p.spin); }

fn walk(uv: vec2f) -> vec4f { return clock_ticked(walked(uv), p.speed); }

fn effect(uv: vec2f) -> vec4f {
    let square = vec2f(aspect(), 1.0);
    let from_centre = (uv - 0.5) * square;
    var radius = length(from_centre);
    // Atan2 of two zeros is not defined.
    var turns = 0.0;
    if radius > 1e-6 {
        turns = atan2(from_centre.y, from_centre.x) / TAU;
    }
    turns -= clock_phase(spun(vec2f(0.5))) + p.angle;

    let wedge = 1.0 / f32(max(p.sectors, 1));
    let folded_turns = abs(fract(turns / wedge) - 0.5) * wedge;
    if p.rings > 0.0 {
        radius = abs(fract(radius * p.rings - 0.25) - 0.5) / p.rings;
    }
    // The wedge points upwards: there is most picture above and below the centre of the wedge's walk.
    let direction = (folded_turns + 0.25 - 0.5 * wedge) * TAU;
    let phase = clock_phase(walked(vec2f(0.5))) * TAU;
    let wander = vec2f(cos(phase), sin(phase * 2.0) * 0.7) * p.drift + vec2f(p.x, p.y);
    let at_wedge = (vec2f(cos(direction), sin(direction)) * radius / p.zoom + wander) / square;
    return picture(folded(at_wedge + 0.5));
}
