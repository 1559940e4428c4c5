//! A pass: one kernel over pictures, as data.
//!
//! A canvas runs it, on a device by its WGSL and in memory by its twin. Bindings are the uniforms at 0, then the pictures
//! it reads, then the one it writes; `//! import NAME` takes a text of `shaders/shared` in.

use std::borrow::Cow;

use crate::image::Image;

/// Pictures that a pass reads, at most.
pub const MOST_READS: usize = 3;
/// Uniforms of a pass, at most: 32-bit words.
pub const MOST_UNIFORMS: usize = 64;

/// One kernel over pictures.
pub struct Pass {
    /// Its name everywhere: the file's, in labels and in messages.
    pub name: Cow<'static, str>,
    /// The kernel's text; it has workgroups of 256 threads.
    pub wgsl: Cow<'static, str>,
    /// How many pictures it reads, beside the one that it writes.
    pub reads: usize,
    /// Names of the 32-bit words in its `Settings`, in order.
    pub uniforms: &'static [&'static str],
    pub threads: Threads,
    /// The same in memory. `None`: in memory there is nothing to do, a later pass does it all.
    pub twin: Option<Twin>,
}

/// How many threads a pass takes.
pub enum Threads {
    /// One a number of the picture that it writes.
    Numbers,
    /// One a pixel of it.
    Pixels,
    /// Workgroups, by the uniforms.
    Groups(fn(&[u32]) -> [usize; 3]),
}

/// A pass in plain arithmetic.
pub type Twin = fn(&mut Work);

/// What a twin works on.
pub struct Work<'a> {
    pub uniforms: &'a [u32],
    /// Those that were left out are empty.
    pub reads: [&'a Image; MOST_READS],
    /// Shaped already.
    pub to: &'a mut Image,
    /// Room for a picture in between.
    pub scratch: &'a mut Image,
}

impl Work<'_> {
    /// A uniform that is a float.
    pub fn float(&self, at: usize) -> f32 {
        f32::from_bits(self.uniforms[at])
    }
}

impl Pass {
    /// Is it the same kernel?
    pub fn is(&self, name: &str, wgsl: &str) -> bool {
        self.name == name && (std::ptr::eq(self.wgsl.as_ref(), wgsl) || self.wgsl == wgsl)
    }
}
