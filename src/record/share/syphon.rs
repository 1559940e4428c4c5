//! Syphon: pictures for other programs on the same Mac, as a surface that both draw with.
//!
//! It needs `Syphon.framework`, which is looked for when a share begins. Its class `SyphonMetalServer` copies a texture on the
//! graphics card, tells receivers, and answers those that look for senders; the latter on the main thread, so only while
//! there is a window.

// Elsewhere than on macOS only the tests use it.
#![cfg_attr(not(target_os = "macos"), allow(dead_code, reason = "only macOS has Syphon"))]

#[cfg(target_os = "macos")]
mod server;

#[cfg(target_os = "macos")]
pub(super) use server::{Sender, available};

/// Blue, green, red and full alpha, with the rows of RGBA from bottom to top: as OpenGL has them, and so receivers take them.
fn surface(rgba: &[u8], width: u32, out: &mut Vec<u8>) {
    out.clear();
    rgba.chunks_exact(width.max(1) as usize * 4).rev().for_each(|row| super::push_bgra(row, out));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_surface_begins_at_the_bottom() {
        let mut out = vec![9; 3];
        surface(&[1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 10, 11, 12, 0], 2, &mut out);
        assert_eq!(out, [9, 8, 7, 255, 12, 11, 10, 255, 3, 2, 1, 255, 6, 5, 4, 255]);
        surface(&[], 0, &mut out);
        assert!(out.is_empty());
    }
}
