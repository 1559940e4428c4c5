// Winograd transforms along one axis, for 3 taps and tiles of 2 or 4 results (Lavin and Gray 2016): `result·[(G·g) ⊙ (input·d)]`.
// The points are 0, ±1 and infinity, or 0, ±√½, ±√2 and infinity, which keep rounding errors small. Twin of `Points` in
// src/engine/cpu/winograd.rs.

// Results of a tile along an axis: 2 or 4.
const TILE: u32 = 4u;
// Products along an axis: TILE + 2.
const SIDE: u32 = 6u;

const A: f32 = 0.70710678;
const B: f32 = 1.41421356;

// Only the first SIDE are used.
alias Line = array<f32, 6>;

fn input_line(d: Line) -> Line {
    if (TILE == 2u) {
        return Line(d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3], 0.0, 0.0);
    }
    let even_a = d[4] - 2.0 * d[2];
    let odd_a = A * (d[3] - 2.0 * d[1]);
    let even_b = d[4] - 0.5 * d[2];
    let odd_b = B * (d[3] - 0.5 * d[1]);
    return Line(
        d[0] - 2.5 * d[2] + d[4],
        even_a + odd_a,
        even_a - odd_a,
        even_b + odd_b,
        even_b - odd_b,
        d[1] - 2.5 * d[3] + d[5],
    );
}

fn result_line(m: Line) -> vec4<f32> {
    if (TILE == 2u) {
        return vec4<f32>(m[0] + m[1] + m[2], m[1] - m[2] - m[3], 0.0, 0.0);
    }
    let sum_a = m[1] + m[2];
    let odd_a = A * (m[1] - m[2]);
    let sum_b = m[3] + m[4];
    let odd_b = B * (m[3] - m[4]);
    return vec4<f32>(
        m[0] + sum_a + sum_b,
        odd_a + odd_b,
        0.5 * sum_a + 2.0 * sum_b,
        0.5 * odd_a + 2.0 * odd_b + m[5],
    );
}
