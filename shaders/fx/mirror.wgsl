//! Mirrors one side of the picture on the other, or tiles it with mirrored copies.
//@ import lib/fold.wgsl

struct Params {
    kind: u32,  // left | right | top | bottom | corners | tiles = left: which side is mirrored
    axis: f32,  // 0..1 = 0.5: where the mirror stands
    shift: f32, // -1..1 = 0: slides the picture under the mirror
    angle: f32, // -0.5..0.5 turns = 0: turns the mirrors about the centre
    tiles: f32, // 1..12 = 2: tiles from top to bottom
    soft: f32,  // 0..0.3 heights = 0.02: blends the two sides at the mirror
}

// A distance from the mirror, folded to one side. Near 0 it is rounded, so that the crease is soft.
fn creased(distance: f32, soft: f32) -> f32 {
    return sqrt(distance * distance + soft * soft);
}

fn effect(uv: vec2f) -> vec4f {
    let square = vec2f(aspect(), 1.0);
    var q = turned(uv, -p.angle);
    let from_axis = q - p.axis;
    let soft = p.soft * 0.5 / square;
    switch p.kind {
        case 0u: { q.x = p.axis - creased(from_axis.x, soft.x) + p.shift; }
        case 1u: { q.x = p.axis + creased(from_axis.x, soft.x) + p.shift; }
        case 2u: { q.y = p.axis - creased(from_axis.y, soft.y) + p.shift; }
        case 3u: { q.y = p.axis + creased(from_axis.y, soft.y) + p.shift; }
        case 4u: {
            q.x = p.axis - creased(from_axis.x, soft.x) + p.shift;
            q.y = p.axis - creased(from_axis.y, soft.y) + p.shift;
        }
        default: { q = from_axis * p.tiles + 0.5 + vec2f(p.shift, 0.0); }
    }
    // Back to the picture's own angle: only the mirrors turn.
    if p.kind < 5u {
        q = turned(q, p.angle);
    }
    return picture(folded(q));
}
