//! Part of other effects: ways to lay one colour over another. Both are linear light.

const BLEND_MIX = 0u;
const BLEND_ADD = 1u;
const BLEND_SCREEN = 2u;
const BLEND_LIGHTEN = 3u;
const BLEND_DARKEN = 4u;
const BLEND_MULTIPLY = 5u;
const BLEND_DIFFERENCE = 6u;
const BLEND_OVERLAY = 7u;

// `over` laid on `under`, in the order of the constants above; `share` is how much of it.
fn blended(under: vec3f, over: vec3f, mode: u32, share: f32) -> vec3f {
    // Screen and overlay are only meant for 0..1; above 1 they would turn round.
    let a = min(under, vec3f(1.0));
    let b = min(over, vec3f(1.0));
    var both = over;
    switch mode {
        case BLEND_ADD: { both = under + over; }
        case BLEND_SCREEN: { both = max(under, a + b - a * b); }
        case BLEND_LIGHTEN: { both = max(under, over); }
        case BLEND_DARKEN: { both = min(under, over); }
        case BLEND_MULTIPLY: { both = under * over; }
        case BLEND_DIFFERENCE: { both = abs(under - over); }
        case BLEND_OVERLAY: {
            let dark = encode(a);
            let light = encode(b);
            both = decode(select(1.0 - 2.0 * (1.0 - dark) * (1.0 - light), 2.0 * dark * light, dark < vec3f(0.5)));
        }
        default: {}
    }
    return mix(under, both, share);
}
