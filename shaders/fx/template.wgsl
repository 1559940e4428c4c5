//! A place to begin: copy this file, give it another name, and change it while it plays.
//
// Each pixel calls `effect` with its place `uv`: 0, 0 is the top left, 1, 1 the bottom right. Colours are linear light.
// From Shadertoy: `fragCoord` is `uv * resolution()`, `iResolution` is `resolution()`, `iTime` is `time()`, `iTimeDelta` is
// `dt()`, `iFrame` is `frame()`, and `texture(iChannel0, uv)` is `picture(uv)`. There, y goes up, and colours are as the screen
// shows them: end with `decode(colour)`.

// The parameters. Each becomes a knob: range, default, help.
struct Params {
    amount: f32, // 0..1 = 0.6: how much of the pattern is seen
    scale: f32,  // 1..40 square = 7: rings from top to bottom
    speed: f32,  // -4..4 Hz = 0.2: how fast they run outwards
    bend: f32,   // 0..0.1 heights = 0.02: how far the picture bends with them
}

// Coordinates with square pixels: the centre is 0, 0, the top and the bottom are -0.5 and 0.5.
fn centred(uv: vec2f) -> vec2f {
    return (uv - 0.5) * vec2f(aspect(), 1.0);
}

// Inigo Quilez' cosine palette: a + b cos(tau (c t + d)).
fn rainbow(t: f32) -> vec3f {
    return 0.5 + 0.5 * cos(TAU * (t + vec3f(0.0, 0.33, 0.67)));
}

fn effect(uv: vec2f) -> vec4f {
    let q = centred(uv);
    let away = length(q);

    // Rings that run outwards; a beat makes them swell.
    let hit = exp(-4.0 * fract(beat()));
    let ring = sin((away * p.scale - time() * p.speed) * TAU);

    // Bend the picture along the rings. `normalize` of 0 is not a number: keep away from it.
    let outwards = q / max(away, 1e-4);
    let bent = uv + outwards * ring * p.bend * (1.0 + hit) / vec2f(aspect(), 1.0);
    let below = picture(mirrored(bent)).rgb;

    // Light the rings where the picture is light.
    let glow = rainbow(away - time() * 0.05) * smoothstep(0.6, 1.0, ring) * luma(below);
    return vec4f(below + glow * p.amount * (0.5 + hit), 1.0);
}
