//! A pass: one kernel over pictures, as data.
//!
//! A canvas runs it, on a device by its WGSL and in memory by its twin. Bindings are the uniforms at 0, then the pictures it
//! reads, then the one it writes; `//! import NAME` includes a file of `shaders/shared`.

use std::borrow::Cow;

use crate::image::Image;

/// Maximum number of pictures that a pass reads.
pub const MOST_READS: usize = 3;
/// Maximum number of uniforms of a pass, in 32-bit words.
pub const MOST_UNIFORMS: usize = 64;

/// One kernel over pictures.
pub struct Pass {
    /// Its name: that of the file, also used in labels and messages.
    pub name: Cow<'static, str>,
    /// The kernel's source, with workgroups of 256 threads.
    pub wgsl: Cow<'static, str>,
    /// Number of pictures it reads, besides the one it writes.
    pub reads: usize,
    /// Names of the 32-bit words of its `Settings`, in order.
    pub uniforms: &'static [&'static str],
    pub threads: Threads,
    /// The same computation in memory. `None` if a later pass's twin does everything.
    pub twin: Option<Twin>,
}

/// Number of threads of a pass.
pub enum Threads {
    /// One per number of the picture it writes.
    Numbers,
    /// One per pixel of the picture it writes.
    Pixels,
    /// This many workgroups, computed from the uniforms.
    Groups(fn(&[u32]) -> [usize; 3]),
}

/// A pass in plain arithmetic.
pub type Twin = fn(&mut Work);

/// The arguments of a twin.
pub struct Work<'a> {
    pub uniforms: &'a [u32],
    /// Missing ones are empty.
    pub reads: [&'a Image; MOST_READS],
    /// Already has its shape.
    pub to: &'a mut Image,
    /// An intermediate picture.
    pub scratch: &'a mut Image,
}

impl Work<'_> {
    /// A float uniform.
    pub fn float(&self, at: usize) -> f32 {
        f32::from_bits(self.uniforms[at])
    }
}

impl Pass {
    /// Whether it is the same kernel.
    pub fn is(&self, name: &str, wgsl: &str) -> bool {
        self.name == name && (std::ptr::eq(self.wgsl.as_ref(), wgsl) || self.wgsl == wgsl)
    }
}
