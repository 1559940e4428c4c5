//! Part of other effects: what is seen where the picture is keyed out.
//
// The effect declares: u32 field `behind` with the choices below, f32 fields `length`, `zoom`, `turn`.

const BEHIND_TRAIL = 0u;
const BEHIND_NETWORK = 1u;
const BEHIND_PAINTING = 2u;
const BEHIND_SHOWN = 3u;
const BEHIND_PALETTE = 4u;
const BEHIND_BLACK = 5u;

fn behind(uv: vec2f) -> vec3f {
    let moved = turned((uv - 0.5) * exp(-p.zoom * dt()) + 0.5, -p.turn * dt());
    let keep = exp(-dt() / p.length);
    switch p.behind {
        case BEHIND_NETWORK: { return network(uv).rgb; }
        case BEHIND_PAINTING: { return painting(uv).rgb; }
        case BEHIND_SHOWN: { return clamp(shown(mirrored(moved)).rgb, vec3f(0.0), vec3f(4.0)) * keep; }
        case BEHIND_PALETTE: { return palette(mirrored(vec2f(uv.y + time() * 0.03)).x).rgb; }
        case BEHIND_BLACK: { return vec3f(0.0); }
        default: {
            let taps = sharp_taps(moved, resolution());
            var samples: array<vec3f, 5>;
            for (var i = 0; i < 5; i++) {
                samples[i] = last(mirrored(taps.uv[i])).rgb;
            }
            let sum = sharp(taps, samples);
            return max(sum * keep - 0.003 * dt(), vec3f(0.0));
        }
    }
}
