//! Aligned memory and feature maps that several threads write at once, each a different part.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// A cache line, so that no vector crosses one.
const ALIGN: usize = 64;
/// Bytes of a huge page of x86-64 and of most arm64. Memory that is longer lies in such pages where the system has them to give:
/// wide layers read a hundred megabytes a picture from end to end, and each small page of them costs a walk of the page tables.
const HUGE_PAGE: usize = 2 << 20;

/// Zeroed floats, aligned, at an address that does not change.
///
/// Reading and writing go through [`Floats::ptr`], because the threads of a stage write disjoint parts of the same
/// memory. The caller guarantees that the parts are disjoint and in bounds.
pub struct Floats {
    start: NonNull<f32>,
    len: usize,
}

// SAFETY: plain memory; `ptr` is only used in `unsafe` code that keeps threads apart.
unsafe impl Send for Floats {}
// SAFETY: as above.
unsafe impl Sync for Floats {}

impl Floats {
    pub fn new(len: usize) -> Floats {
        if len == 0 {
            return Floats { start: NonNull::dangling(), len };
        }
        let layout = Self::layout(len);
        // SAFETY: the layout is not empty.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        ask_for_huge_pages(start, layout);
        // SAFETY: as long as the layout. Zeroed bytes are valid floats.
        unsafe { start.write_bytes(0, layout.size()) };
        Floats { start: start.cast(), len }
    }

    pub fn from_slice(values: &[f32]) -> Floats {
        let mut floats = Floats::new(values.len());
        floats.as_mut_slice().copy_from_slice(values);
        floats
    }

    fn layout(len: usize) -> Layout {
        let align = if len * size_of::<f32>() >= HUGE_PAGE { HUGE_PAGE } else { ALIGN };
        Layout::array::<f32>(len).and_then(|l| l.align_to(align)).expect("sizes come from buffers that fit into memory")
    }

    pub fn ptr(&self) -> *mut f32 {
        self.start.as_ptr()
    }

    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: `start` points to `len` valid floats, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    /// # Safety
    /// No thread may write the memory while the slice is in use.
    pub unsafe fn as_slice(&self) -> &[f32] {
        // SAFETY: `start` points to `len` valid floats; nobody writes them, as the caller guarantees.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Floats {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: allocated in `new` with this layout.
            unsafe { dealloc(self.start.as_ptr().cast(), Self::layout(self.len)) };
        }
    }
}

/// A wish, which the system may refuse. Must come before the memory is touched.
fn ask_for_huge_pages(start: NonNull<u8>, layout: Layout) {
    #[cfg(target_os = "linux")]
    if layout.align() == HUGE_PAGE {
        // SAFETY: whole pages of memory that was just allocated; the advice does not change what is in it.
        unsafe { libc::madvise(start.as_ptr().cast(), layout.size() / HUGE_PAGE * HUGE_PAGE, libc::MADV_HUGEPAGE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, layout);
}

/// A feature map in the kernels' layout: `[H + 2, W + 2, padded channels]`, channels fastest, with a border of zeros
/// around the picture and channels rounded up to whole vectors. Numbers in surplus channels are finite but meaningless.
pub struct Map {
    pub data: Floats,
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    /// Channels rounded up to whole vectors.
    pub padded: usize,
}

impl Map {
    pub fn new(channels: usize, height: usize, width: usize, lanes: usize) -> Map {
        let padded = channels.next_multiple_of(lanes);
        Map { data: Floats::new((height + 2) * (width + 2) * padded), channels, height, width, padded }
    }

    /// Numbers from one row to the next.
    pub fn row(&self) -> usize {
        (self.width + 2) * self.padded
    }

    /// Index of the sample (y, x); −1 and `height` or `width` are in the border of zeros.
    pub fn at(&self, y: isize, x: isize) -> usize {
        debug_assert!(y >= -1 && x >= -1 && y <= self.height as isize && x <= self.width as isize);
        ((y + 1) as usize * (self.width + 2) + (x + 1) as usize) * self.padded
    }

    /// The sample (y, x).
    ///
    /// # Safety
    /// y and x must be inside the map or its border.
    pub unsafe fn ptr(&self, y: isize, x: isize) -> *mut f32 {
        // SAFETY: in bounds, as the caller guarantees.
        unsafe { self.data.ptr().add(self.at(y, x)) }
    }
}

impl Map {
    /// Fills the map from `[C, H, W]`.
    ///
    /// Only for stages that run alone.
    pub fn write_planar(&self, values: &[f32]) {
        for (c, plane) in values.chunks_exact(self.height * self.width).take(self.channels).enumerate() {
            for (i, value) in plane.iter().enumerate() {
                let (y, x) = (i / self.width, i % self.width);
                // SAFETY: inside the map; no other thread uses it at the same time.
                unsafe { *self.ptr(y as isize, x as isize).add(c) = *value };
            }
        }
    }

    /// The map as `[C, H, W]`.
    pub fn to_planar(&self, out: &mut [f32]) {
        for (c, plane) in out.chunks_exact_mut(self.height * self.width).take(self.channels).enumerate() {
            for (i, value) in plane.iter_mut().enumerate() {
                let (y, x) = (i / self.width, i % self.width);
                // SAFETY: inside the map; stages are over.
                *value = unsafe { *self.ptr(y as isize, x as isize).add(c) };
            }
        }
    }
}

/// A picture `[C, H, W]`, x fastest.
pub struct Planes {
    pub data: Floats,
    pub channels: usize,
    pub height: usize,
    pub width: usize,
}

impl Planes {
    pub fn new(channels: usize, height: usize, width: usize) -> Planes {
        Planes { data: Floats::new(channels * height * width), channels, height, width }
    }
}
