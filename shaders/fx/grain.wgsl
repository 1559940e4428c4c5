//! Film grain: finest in the lights, alive in the middle, a little colour in it.

struct Params {
    amount: f32, // 0..1 = 0.22: how strong it is
    size: f32,   // 0.0007..0.02 heights square = 0.0022: size of a grain
    colour: f32, // 0..1 = 0.3: how different red, green and blue are
    rate: f32,   // 1..60 Hz = 24: new grains a second
    dust: f32,   // 0..1 = 0.05: now and then a speck or a hair line
}

// Nearly a bell curve of mean 0 and spread 1: the sum of four even ones.
fn bell(q: vec2f) -> f32 {
    let sum = hash(q) + hash(q + 113.7) + hash(q * 1.31 + 47.1) + hash(q * 0.77 - 19.3);
    return (sum - 2.0) * 1.73;
}

// Grains at `q` in cells, smooth between the cells.
fn grains(q: vec2f) -> f32 {
    let whole = floor(q);
    let t = q - whole;
    let low = mix(bell(whole), bell(whole + vec2f(1.0, 0.0)), t.x);
    let high = mix(bell(whole + vec2f(0.0, 1.0)), bell(whole + 1.0), t.x);
    // Divided by the spread that mixing leaves, so that there is no lattice of sharper cells.
    let left = sqrt((t.x * t.x + (1.0 - t.x) * (1.0 - t.x)) * (t.y * t.y + (1.0 - t.y) * (1.0 - t.y)));
    return mix(low, high, t.y) / left;
}

fn effect(uv: vec2f) -> vec4f {
    let now = max(picture(uv).rgb, vec3f(0.0));
    let number = floor(time() * p.rate) % 997.0;
    let jump = vec2f(hash(vec2f(number, 1.0)), hash(vec2f(number, 2.0))) * 512.0;
    let square = uv * vec2f(aspect(), 1.0);
    let q = square / p.size + jump;
    let one = grains(q);
    let grain = mix(vec3f(one), vec3f(one, grains(q + 231.0), grains(q + 467.0)), p.colour);

    let tone = encode(min(now, vec3f(1.0)));
    let grey = dot(tone, vec3f(0.299, 0.587, 0.114));
    // Most in the middle tones, some in black, little in white.
    let strength = p.amount * 0.18 * (0.35 + 2.2 * grey * (1.0 - grey)) * (1.0 - 0.5 * grey);
    var result = decode(max(tone + grain * strength, vec3f(0.0))) + max(now - 1.0, vec3f(0.0));

    if p.dust > 0.0 && hash(vec2f(number, 5.0)) < p.dust {
        let speck = vec2f(hash(vec2f(number, 6.0)) * aspect(), hash(vec2f(number, 7.0)));
        let away = length((square - speck) * vec2f(1.0, 0.6)) + 0.004 * noise(square * 300.0);
        result = mix(result, vec3f(0.6, 0.57, 0.5), 0.6 * (1.0 - smoothstep(0.005, 0.007, away)));
        let hair = abs(square.x - hash(vec2f(number, 8.0)) * aspect() - 0.004 * sin(square.y * 5.0));
        result = mix(result, vec3f(0.6, 0.57, 0.5), 0.2 * (1.0 - smoothstep(0.0004, 0.0012, hair)));
    }
    return vec4f(result, 1.0);
}
