//! Does the discriminator of every kind of file score pictures as PyTorch does?
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::common::{Expected, fixture};
use latent_jockey::commands::convert::convert;
use latent_jockey::engine::score::Discriminator;
use latent_jockey::image::Image;
use latent_jockey::network::canonical::Precision;

/// Network, file, architecture.
const FILES: &[(&str, &str, &str)] = &[
    ("sg2_32", "sg2_32.pkl", "resnet"),
    ("sg2_16", "sg2_16_p2.pkl", "resnet"),
    ("sg2_16_orig_gray", "sg2_16_orig_gray.pkl", "orig"),
    ("sg2_32_cond", "sg2_32_cond.pkl", "resnet"),
    ("sg2_32_resnet", "sg2_32_resnet.pkl", "skip"),
    ("sg2_16_legacy", "sg2_16_legacy_resaved.pkl", "resnet"),
    ("sg3t_32_cond", "sg3t_32_cond.pkl", "resnet"),
    ("sg3r_32", "sg3r_32.pkl", "resnet"),
    ("rosi_32", "rosi_32_train.pt", "resnet"),
];

/// The four pictures of the description, and their classes.
fn pictures(expected: &Expected, c_dim: usize) -> Vec<(Image, Vec<f32>)> {
    let of = |name: &str, n: usize| {
        let (shape, _) = expected.get(name);
        let data = expected.sample(name, n);
        let class = if c_dim > 0 { expected.sample("c", n) } else { Vec::new() };
        (Image { channels: shape[1], height: shape[2], width: shape[3], data }, class)
    };
    let names = ["psi1.image", "psi07.image"];
    names.into_iter().flat_map(|name| [of(name, 0), of(name, 1)]).collect()
}

#[test]
fn scores_agree_and_survive_conversion() {
    let out = std::env::temp_dir().join(format!("latent-jockey-score-{}.safetensors", std::process::id()));
    for &(name, file, architecture) in FILES {
        let expected = Expected::open(name);
        let judge = Discriminator::open(&fixture(file)).unwrap().expect(file);
        assert_eq!((judge.architecture, judge.c_dim > 0), (architecture, expected.has("c")), "{file}");
        convert(&fixture(file), &out, Precision::Full, true).unwrap();
        let converted = Discriminator::open(&out).unwrap().expect(file);
        let (_, scores) = expected.get("D.single");
        let mut worst = 0.0f32;
        for ((picture, class), score) in pictures(&expected, judge.c_dim).into_iter().zip(scores) {
            let found = judge.score(&picture, &class).unwrap();
            assert!((found - score).abs() < 1e-5, "{file}: {found} instead of {score}");
            worst = worst.max((found - score).abs());
            assert_eq!(converted.score(&picture, &class), Some(found), "{file}");
            assert_eq!(judge.score(&Image::new(3, 4, 4), &class), None);
        }
        println!("{file:32} largest difference {worst:.1e}");
    }
    std::fs::remove_file(out).unwrap();
}

#[test]
fn files_without_a_discriminator_have_no_score() {
    for file in ["sg2_16_gema_only.pkl", "sg2_32.safetensors", "sgxl_32_super.pkl", "rosi_32_bare.pt"] {
        assert!(Discriminator::open(&fixture(file)).unwrap().is_none(), "{file}");
    }
    let error = Discriminator::open(&fixture("hostile/network_plus_os_system.pkl")).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("posix.system"), "{error}");
}
