//! Cuts one colour out of the picture. In the hole flies what was there before.
//@ import lib/sharp.wgsl
//@ import lib/behind.wgsl

struct Params {
    hue: f32,    // 0..1 turns = 0.3: the colour that is cut out: 0 red, 0.33 green, 0.67 blue
    width: f32,  // 0.01..0.5 turns = 0.12: how different a hue may be
    soft: f32,   // 0..0.5 turns = 0.08: how soft the cut is
    colour: f32, // 0..1 = 0.12: greyer than this stays
    spill: f32,  // 0..1 = 0.5: takes the colour out of what stays, too
    invert: u32, // off | on = off: keeps only this colour
    behind: u32, // trail | network | painting | shown | palette | black = trail: what is seen in the hole
    length: f32, // 0.05..30 s square = 3: how long a trail lasts
    zoom: f32,   // -2..2 /s = 0.25: how fast a trail flies out (above 0) or in
    turn: f32,   // -1..1 turns/s = -0.02: how fast a trail turns
}

fn effect(uv: vec2f) -> vec4f {
    let now = max(picture(uv).rgb, vec3f(0.0));
    let tone = hsv(encode(min(now, vec3f(1.0))));
    let away = abs(fract(tone.x - p.hue + 0.5) - 0.5);
    let hue_cut = 1.0 - smoothstep(p.width - 0.5 * p.soft, p.width + 0.5 * p.soft + 1e-4, away);
    // Near black a hue means nothing: colour is saturation times light.
    let cut = hue_cut * smoothstep(p.colour, p.colour + 0.12, tone.y * min(tone.z * 2.0, 1.0));
    let share = select(1.0 - cut, cut, p.invert == 1u);
    // Hues beside the cut lose colour, so that no fringe is left.
    let fringe = (1.0 - smoothstep(p.width, p.width + p.soft + 0.08, away)) * p.spill;
    let kept = mix(now, vec3f(luma(now)), select(fringe, 0.0, p.invert == 1u));
    return vec4f(mix(behind(uv), kept, share), 1.0);
}
