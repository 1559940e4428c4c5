// Positions in a map with reflection padding.

// The sample at a position along an axis of `side` samples, extended by reflection without repeating its ends; `reach` is the
// largest distance beyond the axis.
fn reflect_at(at: i32, side: u32, reach: u32) -> u32 {
    let last = i32(side) - 1;
    if (i32(reach) <= last) {
        return u32(last - abs(last - abs(at)));
    }
    // Reflected repeatedly if the axis is shorter than the padding.
    let period = max(2 * last, 1);
    let folded = ((at % period) + period) % period;
    return u32(min(folded, 2 * last - folded));
}
