use std::path::{Path, PathBuf};

use super::*;
use crate::engine::cpu::Cpu;
use crate::engine::{Inputs, Program};
use crate::image::Image;
use crate::latent::directions::Origin;
use crate::latent::directions::{of_styles, principal, sigma};
use crate::network;
use crate::network::checkpoint::Checkpoint;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn expected(file: &str) -> impl Fn(&str) -> Vec<f32> {
    let tensors = Checkpoint::open(&fixture(file)).unwrap().tensors;
    move |name| tensors[name].to_f32().unwrap()
}

#[track_caller]
fn check<'a>(what: &str, found: impl IntoIterator<Item = &'a f64>, expected: &[f32], limit: f64) {
    let found: Vec<f64> = found.into_iter().copied().collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    let worst = found.iter().zip(expected).map(|(a, b)| (a - f64::from(*b)).abs()).fold(0.0, f64::max);
    assert!(worst <= limit, "{what}: off by {worst:e}");
}

#[test]
fn principal_and_style_directions_are_those_of_the_prototype() {
    let network = network::open(fixture("sg2_32.safetensors")).unwrap();
    let expected = expected("latent/directions.safetensors");
    let moments = moments(&network.mapping, SEEDS);
    check("mean", &moments.mean(), &expected("pca.mean"), 1e-5);
    let covariance = moments.covariance();
    let found = principal(&covariance, 64);
    let values: Vec<f64> = found.iter().map(|(value, _)| *value).collect();
    let largest = values[0];
    check("eigenvalues", &values, &expected("pca.eigenvalues"), 1e-4 * largest);
    let vectors = |found: &[(f64, nalgebra::DVector<f64>)]| -> Vec<f64> {
        found.iter().take(8).flat_map(|(_, vector)| vector.iter().copied()).collect()
    };
    check("components", &vectors(&found), &expected("pca.components"), 1e-4);
    let strengths = |found: &[(f64, nalgebra::DVector<f64>)]| -> Vec<f64> {
        found.iter().take(8).map(|(_, vector)| sigma(&covariance, vector)).collect()
    };
    check("sigma", &strengths(&found), &expected("pca.sigma"), 1e-4);
    let styles = styles(&network);
    assert_eq!(styles.len(), 8, "seven convolutions and the last conversion to colours");
    let all = of_styles(&styles, 8);
    check("SeFa", &vectors(&all), &expected("sefa_all.vectors"), 1e-4);
    check("SeFa's sigma", &strengths(&all), &expected("sefa_all.sigma"), 1e-4);
    let some = of_styles(&styles[3..=5], 8);
    check("SeFa of three layers", &vectors(&some), &expected("sefa_3_5.vectors"), 1e-4);
    check("its sigma", &strengths(&some), &expected("sefa_3_5.sigma"), 1e-4);
    // How much a step changes the picture.
    let mut program = Cpu::new(1).program(network.plan.clone()).unwrap();
    let mut draw = |ws: &[f32]| {
        let mut picture = Image::default();
        program.draw(&Inputs { ws, ..Inputs::default() }, &mut picture).ok()?;
        Some(picture.data)
    };
    let mut found: Vec<Direction> = (found.iter().take(8).enumerate())
        .map(|(i, (_, unit))| Direction {
            origin: Origin::Principal(i),
            vector: unit.iter().map(|x| *x as f32).collect(),
            sigma: sigma(&covariance, unit) as f32,
            effect: 0.0,
            change: 0.0,
        })
        .collect();
    let changes: Vec<f64> = found.iter().map(|one| change(&network, one, 8, &mut draw).unwrap()).collect();
    check("change", &changes, &expected("pca.effect"), 1e-3);
    rank(&network, &mut found, &mut draw);
    assert!(found.windows(2).all(|pair| pair[0].change >= pair[1].change));
    assert!(matches!(found[0].origin, Origin::Principal(0 | 5)), "one of the two that change most");
}

#[test]
fn those_of_stylegan3_are_the_prototypes_too() {
    let network = network::open(fixture("latent/sg3t_64.net.safetensors")).unwrap();
    let expected = expected("latent/sg3t_64.safetensors");
    let moments = moments(&network.mapping, SEEDS);
    check("mean", &moments.mean(), &expected("pca.mean"), 1e-5);
    let covariance = moments.covariance();
    let styles = styles(&network);
    assert_eq!(styles.len(), 15, "the input has none");
    for (set, vectors, found) in
        [("pca", "components", principal(&covariance, 8)), ("sefa_all", "vectors", of_styles(&styles, 8))]
    {
        let vector = |(_, vector): &(f64, nalgebra::DVector<f64>)| vector.iter().copied().collect::<Vec<f64>>();
        let all: Vec<f64> = found.iter().flat_map(vector).collect();
        check(set, &all, &expected(&format!("{set}.{vectors}")), 1e-4);
        let strengths: Vec<f64> = found.iter().map(|(_, vector)| sigma(&covariance, vector)).collect();
        check("its sigma", &strengths, &expected(&format!("{set}.sigma")), 1e-4);
    }
}

#[test]
fn directions_are_ranked_and_different() {
    let network = network::open(fixture("sg2_32.safetensors")).unwrap();
    let found = compute(&network);
    assert_eq!(found.len(), MOST);
    assert!(found.windows(2).all(|pair| pair[0].effect >= pair[1].effect));
    for (i, direction) in found.iter().enumerate() {
        let length: f32 = direction.vector.iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-4 && direction.sigma > 0.0);
        let cosine = |other: &Direction| direction.vector.iter().zip(&other.vector).map(|(a, b)| a * b).sum::<f32>();
        assert!(found[i + 1..].iter().all(|other| cosine(other).abs() < 0.91));
    }
    // A network without a mapping network has those of its styles.
    let network = network::open(fixture("fastgan_256.safetensors")).unwrap();
    let found = compute(&network);
    assert!(found.len() > 8 && found.iter().all(|direction| matches!(direction.origin, Origin::Style(_))));
    assert!(found.iter().all(|direction| (direction.sigma - 1.0).abs() < 0.1), "z is normal");
}

#[test]
fn files_of_other_tools_open() {
    let expected = expected("latent/directions.safetensors");
    let (pca, sefa) = (expected("pca.components"), expected("sefa_all.vectors"));
    for (file, rows, stdev) in [
        ("ganspace.npz", &pca[..], Some(expected("pca.sigma"))),
        ("sefa.npy", &sefa[..], None),
        ("fortran.npy", &pca[..], None),
        ("boundary.npy", &pca[..64], None),
        ("factor.pt", &sefa[..], None),
    ] {
        let found = foreign::open(&fixture("latent").join(file), 64).unwrap();
        let numbers: Vec<f64> = found.rows.iter().flatten().take(rows.len()).map(|x| f64::from(*x)).collect();
        check(file, &numbers, rows, 1e-6);
        assert_eq!(found.stdev, stdev, "{file}");
    }
    let wrong = foreign::open(&fixture("latent/sefa.npy"), 512).unwrap_err().to_string();
    assert!(wrong.ends_with("sefa.npy: its directions have 64 numbers, w has 512"), "{wrong}");
    let wrong = foreign::open(&fixture("seeds.safetensors"), 64).unwrap_err().to_string();
    assert!(wrong.contains("expected lat_comp"), "{wrong}");
}
