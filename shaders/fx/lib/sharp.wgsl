//! Part of other effects: reads a texture sharply, so that feedback stays clear over many pictures.
//
// Catmull-Rom (Catmull and Rom 1974) by five bilinear samples: the corners of the 4x4 texels weigh little and are left out.

struct SharpTaps {
    uv: array<vec2f, 5>,
    // The weights sum to 1; the outer ones are negative.
    weight: array<f32, 5>,
}

// Where to sample a texture of `size` pixels, and how much each sample counts.
fn sharp_taps(uv: vec2f, size: vec2f) -> SharpTaps {
    let texel = uv * size - 0.5;
    let whole = floor(texel);
    let t = texel - whole;
    let outer_low = t * (-0.5 + t * (1.0 - 0.5 * t));
    let inner_low = 1.0 + t * t * (-2.5 + 1.5 * t);
    let inner_high = t * (0.5 + t * (2.0 - 1.5 * t));
    let outer_high = t * t * (-0.5 + 0.5 * t);
    let inner = inner_low + inner_high;
    let a = (whole - 0.5) / size;
    let b = (whole + 0.5 + inner_high / inner) / size;
    let c = (whole + 2.5) / size;
    let up = inner.x * outer_low.y;
    let left = outer_low.x * inner.y;
    let centre = inner.x * inner.y;
    let right = outer_high.x * inner.y;
    let down = inner.x * outer_high.y;
    let sum = up + left + centre + right + down;
    return SharpTaps(
        array(vec2f(b.x, a.y), vec2f(a.x, b.y), b, vec2f(c.x, b.y), vec2f(b.x, c.y)),
        array(up / sum, left / sum, centre / sum, right / sum, down / sum),
    );
}

// The colour at these taps, given the samples there. It never passes the brightest or darkest of them: feedback would collect
// what does.
fn sharp(taps: SharpTaps, samples: array<vec3f, 5>) -> vec3f {
    var sum = vec3f(0.0);
    var low = samples[0];
    var high = samples[0];
    for (var i = 0; i < 5; i++) {
        sum += samples[i] * taps.weight[i];
        low = min(low, samples[i]);
        high = max(high, samples[i]);
    }
    return safe(clamp(sum, low, high));
}

// Whether a texture that this effect fills is still as it began: black and transparent. Whoever starts from the picture
// instead of from black does not fade in when the effect is added.
fn is_new(texel: vec4f) -> bool {
    return texel.a < 0.5;
}

// Feedback must never leave what a 16-bit texture holds, nor keep a value that is not a number.
fn safe(colour: vec3f) -> vec3f {
    return clamp(colour, vec3f(0.0), vec3f(16.0));
}
