//! The z of a seed, exactly as in every StyleGAN tool: numpy's legacy generator.
//!
//! `np.random.RandomState(seed).randn(z_dim)`: Mersenne Twister MT19937 and Marsaglia's polar method. A seed
//! therefore gives the same picture as in NVIDIA's and everybody else's tools.

use rand_mt::Mt;

/// z `[z_dim]` of a seed, as 64-bit floats rounded to 32-bit.
pub fn z_from_seed(seed: u32, z_dim: usize) -> Vec<f32> {
    let mut z = vec![0.0; z_dim];
    fill_from_seed(seed, &mut z);
    z
}

/// The uniform numbers of a seed, 0 to 1, from 53 random bits each: `np.random.RandomState(seed).random_sample()`.
pub fn uniform(seed: u32) -> impl FnMut() -> f64 {
    let mut generator = Mt::new(seed);
    move || {
        let a = generator.next_u32() >> 5;
        let b = generator.next_u32() >> 6;
        (f64::from(a) * 67_108_864.0 + f64::from(b)) / 9_007_199_254_740_992.0
    }
}

/// Like [`z_from_seed`], into `z`.
pub fn fill_from_seed(seed: u32, z: &mut [f32]) {
    let mut uniform = uniform(seed);
    for pair in z.chunks_mut(2) {
        let (x1, x2, r2) = loop {
            let (x1, x2) = (2.0 * uniform() - 1.0, 2.0 * uniform() - 1.0);
            let r2 = x1 * x1 + x2 * x2;
            if r2 > 0.0 && r2 < 1.0 {
                break (x1, x2, r2);
            }
        };
        let f = (-2.0 * r2.ln() / r2).sqrt();
        // numpy returns the second of the pair first.
        for (z, x) in pair.iter_mut().zip([x2, x1]) {
            *z = (f * x) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_lengths_are_prefixes_of_longer_ones() {
        assert_eq!(z_from_seed(85, 7)[..], z_from_seed(85, 512)[..7]);
    }
}
