//! Part of other effects: folds coordinates back into the picture a little inside its border.
//
// The outermost pixels of a network's picture are often grey. Folded exactly at the border they would make a line.

const FOLD_MARGIN = 0.02;

fn folded(uv: vec2f) -> vec2f {
    return mirrored((uv - FOLD_MARGIN) / (1.0 - 2.0 * FOLD_MARGIN)) * (1.0 - 2.0 * FOLD_MARGIN) + FOLD_MARGIN;
}
