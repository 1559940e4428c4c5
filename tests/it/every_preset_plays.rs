//! Does every bundled preset render frames that are neither flat nor still, and do no two look alike?

use std::sync::Arc;

use crate::common::rig::Rig;
use crate::common::skip_gpu;
use latent_jockey::engine::gpu::Device;
use latent_jockey::patch::library::Library;
use latent_jockey::show::Picture;

/// On the screen if there is a device: some presets have effects. Without one they play all the same, with a line.
fn pictures(preset: &str, frames: usize, device: Option<&Arc<Device>>) -> Vec<Arc<Picture>> {
    let setup = Rig::shipped(preset);
    let mut show = match device {
        Some(device) => setup.on_screen(device.clone()).start(),
        None => setup.start(),
    };
    show.set_output_size([128, 128]);
    (0..frames)
        .map(|frame| {
            show.step(if frame == 0 { 0.0 } else { 0.25 }, &[]);
            let notice =
                show.status().notice.filter(|line| device.is_some() || !line.starts_with("no graphics adapter"));
            assert_eq!(notice, None, "{preset}");
            show.picture().expect("a picture").clone()
        })
        .collect()
}

/// Mean difference of two pictures of the same size, in 8-bit steps.
fn difference(a: &Picture, b: &Picture) -> f64 {
    let sum: u64 = a.rgba.iter().zip(&b.rgba).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.rgba.len() as f64
}

/// Standard deviation of the green channel, in 8-bit steps.
fn spread(picture: &Picture) -> f64 {
    let green: Vec<f64> = picture.rgba.chunks_exact(4).map(|p| f64::from(p[1])).collect();
    let mean = green.iter().sum::<f64>() / green.len() as f64;
    (green.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / green.len() as f64).sqrt()
}

#[test]
fn every_preset_plays() {
    let library = Library::default();
    let names = library.names();
    assert!(names.len() >= 4, "only {} presets", names.len());
    let device = Device::open(false).map(Arc::new).map_err(skip_gpu).ok();
    let mut firsts: Vec<(String, Arc<Picture>)> = Vec::new();
    for name in names {
        let shown = pictures(&name, 4, device.as_ref());
        let last = &shown[3];
        assert!(spread(last) > 8.0, "{} is flat: {}", name, spread(last));
        assert!(difference(&shown[0], last) > 0.5, "{} stands still", name);
        for (other, picture) in &firsts {
            if (picture.width, picture.height) == (last.width, last.height) {
                assert!(difference(picture, last) > 10.0, "{} looks like {other}", name);
            }
        }
        firsts.push((name, last.clone()));
    }
}

#[test]
fn the_same_steps_give_the_same_pictures() {
    let (a, b) = (pictures("1", 3, None), pictures("1", 3, None));
    assert!(a.iter().zip(&b).all(|(a, b)| a.rgba == b.rgba));
    assert!(a[0].rgba != a[2].rgba, "the comparison can fail");
}
