//! Only the colours of the palette: each pixel takes the nearest ones, light and shade stay.

struct Params {
    strength: f32, // 0..1 = 0.85: how far colours move to the palette's
    colours: i32,  // 2..16 = 6: how many colours are taken from the palette
    soft: f32,     // 0..1 = 0.45: 0 takes the nearest colour alone, 1 mixes all that are near
    light: f32,    // 0..1 = 0.6: how much of the picture's own light is left
    shift: f32,    // 0..1 = 0: takes other colours between the palette's ends
}

fn effect(uv: vec2f) -> vec4f {
    let now = max(picture(uv).rgb, vec3f(0.0));
    let own = encode(min(now, vec3f(1.0)));
    let own_grey = dot(own, vec3f(0.299, 0.587, 0.114));
    let count = clamp(p.colours, 2, 16);
    let hard = 1.0 / mix(0.0015, 0.08, p.soft * p.soft);

    var nearest = 1e9;
    for (var i = 0; i < count; i++) {
        nearest = min(nearest, distance_to(own, own_grey, colour_at(i, count)));
    }
    var sum = vec3f(0.0);
    var weights = 0.0;
    for (var i = 0; i < count; i++) {
        let colour = colour_at(i, count);
        let weight = exp((nearest - distance_to(own, own_grey, colour)) * hard);
        sum += colour * weight;
        weights += weight;
    }
    let chosen = decode(sum / weights);
    let lit = chosen * clamp(luma(now) / max(luma(chosen), 0.01), 0.0, 4.0);
    return vec4f(mix(now, mix(chosen, lit, p.light), p.strength), 1.0);
}

fn colour_at(i: i32, count: i32) -> vec3f {
    let t = (f32(i) + 0.5) / f32(count);
    return encode(min(palette(select(t, fract(t + p.shift), p.shift > 0.0)).rgb, vec3f(1.0)));
}

// Squared distance in encoded colour; hue counts twice as much as light.
fn distance_to(own: vec3f, own_grey: f32, colour: vec3f) -> f32 {
    let grey = dot(colour, vec3f(0.299, 0.587, 0.114));
    let chroma = (own - own_grey) - (colour - grey);
    return 2.0 * dot(chroma, chroma) + (own_grey - grey) * (own_grey - grey);
}
