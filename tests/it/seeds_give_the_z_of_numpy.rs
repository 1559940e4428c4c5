//! Is the z of a seed bit for bit that of numpy's legacy generator (`np.random.RandomState(seed).randn(1, 512)`)?

use latent_jockey::latent::seed::z_from_seed;
use safetensors::SafeTensors;

#[test]
fn seeds_give_the_z_of_numpy() {
    let bytes = include_bytes!("../fixtures/seeds.safetensors");
    let tensors = SafeTensors::deserialize(bytes).expect("the fixture");
    let mut compared = 0;
    for (name, tensor) in tensors.tensors() {
        let Some(seed) = name.strip_prefix("seed_").and_then(|n| n.strip_suffix(".z_f32")) else { continue };
        let seed: u32 = seed.parse().expect("a seed");
        let expected: Vec<f32> = tensor.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let z = z_from_seed(seed, expected.len());
        let differing = z.iter().zip(&expected).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
        assert_eq!(differing, 0, "seed {seed}");
        assert_ne!(z_from_seed(seed.wrapping_add(1), expected.len()), expected, "the comparison can fail");
        compared += 1;
    }
    assert_eq!(compared, 6);
}
