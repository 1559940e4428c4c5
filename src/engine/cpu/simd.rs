//! Which vector instructions the machine has, and the few operations that the kernels are written with.
//!
//! Every kernel is written once over [`pulp::Simd`] and compiled for AVX-512, AVX2, NEON and plain code. The plain
//! version runs on every machine, so tests can compare the others with it.

use pulp::{Simd, WithSimd};

/// A set of vector instructions that this machine has.
#[derive(Clone, Copy, Debug)]
pub enum Isa {
    #[cfg(target_arch = "x86_64")]
    Avx512(pulp::x86::V4),
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
    #[cfg(target_arch = "aarch64")]
    Neon(pulp::aarch64::Neon),
    Portable,
}

impl Isa {
    /// All those that this machine has, fastest first.
    pub fn available() -> Vec<Isa> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(pulp::x86::V4::try_new().map(Isa::Avx512));
            all.extend(pulp::x86::V3::try_new().map(Isa::Avx2));
        }
        #[cfg(target_arch = "aarch64")]
        all.extend(pulp::aarch64::Neon::try_new().map(Isa::Neon));
        all.push(Isa::Portable);
        all
    }

    /// The fastest one that this machine has.
    pub fn best() -> Isa {
        Isa::available()[0]
    }

    /// Runs an operation compiled for these instructions.
    #[inline]
    pub fn run<Op: WithSimd>(self, op: Op) -> Op::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512(simd) => Simd::vectorize(simd, op),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2(simd) => Simd::vectorize(simd, op),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon(simd) => Simd::vectorize(simd, op),
            Isa::Portable => Simd::vectorize(pulp::Scalar128b, op),
        }
    }

    /// Floats in a vector.
    pub fn lanes(self) -> usize {
        struct Lanes;
        impl WithSimd for Lanes {
            type Output = usize;
            fn with_simd<S: Simd>(self, _: S) -> usize {
                S::F32_LANES
            }
        }
        self.run(Lanes)
    }
}

impl std::fmt::Display for Isa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512(_) => "AVX-512",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2(_) => "AVX2",
            #[cfg(target_arch = "aarch64")]
            Isa::Neon(_) => "NEON",
            Isa::Portable => "no vector instructions",
        })
    }
}

/// Reads one vector.
///
/// # Safety
/// A whole vector must be readable at `from`; alignment does not matter.
#[inline(always)]
pub unsafe fn load<S: Simd>(from: *const f32) -> S::f32s {
    // SAFETY: readable, as the caller guarantees; every bit pattern is a float.
    unsafe { from.cast::<S::f32s>().read_unaligned() }
}

/// Writes one vector.
///
/// # Safety
/// A whole vector must be writable at `to`; alignment does not matter.
#[inline(always)]
pub unsafe fn store<S: Simd>(to: *mut f32, value: S::f32s) {
    // SAFETY: writable, as the caller guarantees.
    unsafe { to.cast::<S::f32s>().write_unaligned(value) }
}

/// Asks for the cache line at `at` ahead of its use; it need not be readable.
#[inline(always)]
pub fn prefetch(at: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has SSE, and a prefetch never faults.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// `a·b + c`. Rounded twice without hardware support: emulating a single rounding is a hundred times slower.
#[inline(always)]
pub fn fma<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
    if std::any::TypeId::of::<S>() == std::any::TypeId::of::<pulp::Scalar128b>() {
        simd.add_f32s(simd.mul_f32s(a, b), c)
    } else {
        simd.mul_add_f32s(a, b, c)
    }
}
