use super::*;
use crate::engine::plan::Plan;
use crate::engine::{Inputs, Program};

/// An engine whose programs return the negative of the picture, and count.
struct Negative;

impl Engine for Negative {
    fn name(&self) -> &'static str {
        "negative"
    }
    fn prepare(&self, _: Arc<Plan>) -> Result<Box<dyn Program>, EngineError> {
        Ok(Box::new(Negative))
    }
}

impl Program for Negative {
    fn engine(&self) -> &'static str {
        "negative"
    }

    fn run(&mut self, inputs: &Inputs, out: &mut Surface) -> Result<(), EngineError> {
        let image = inputs.image.and_then(Surface::image).expect("a picture in memory");
        let out = out.write([image.channels, image.height, image.width]);
        out.data.iter_mut().zip(&image.data).for_each(|(out, x)| *out = -*x);
        Ok(())
    }
}

fn plain() -> StyleSettings {
    StyleSettings { size: 16, feedback: 0.0, zoom: 1.0, clean: 0.0, ..StyleSettings::default() }
}

fn negative() -> StyleLoop {
    StyleLoop::new(Arc::new(Negative), Arc::new(StyleNetwork::without_layers(3)))
}

fn picture(value: f32) -> Image {
    let mut image = Image::new(3, 16, 16);
    image.data.iter_mut().enumerate().for_each(|(i, x)| *x = if i % 2 == 0 { value } else { value - 0.5 });
    image
}

/// The first number of each frame.
fn play(style: &mut StyleLoop, settings: &StyleSettings, pictures: &[f32]) -> Vec<f32> {
    let mut out = Image::default();
    let frame = |&value: &f32| {
        style.process(&picture(value), settings, &mut out).expect("frames fit");
        out.data[0]
    };
    pictures.iter().map(frame).collect()
}

#[test]
fn passes_paint_over_their_own_output() {
    for (passes, expected) in [(0, 0.5), (1, -0.5), (2, 0.5), (5, -0.5)] {
        assert_eq!(play(&mut negative(), &StyleSettings { passes, ..plain() }, &[0.5]), [expected], "{passes} passes");
    }
}

#[test]
fn amount_mixes_painting_and_picture() {
    for (amount, expected) in [(0.0, 0.5), (0.25, 0.25), (1.0, -0.5)] {
        assert_eq!(play(&mut negative(), &StyleSettings { amount, ..plain() }, &[0.5]), [expected], "amount {amount}");
    }
}

#[test]
fn feedback_brings_the_last_painting_back() {
    let settings = StyleSettings { feedback: 0.25, ..plain() };
    // 0.5 → −0.5; the next canvas is 0.75·0.3 + 0.25·(−0.5) = 0.1.
    let shown = play(&mut negative(), &settings, &[0.5, 0.3]);
    assert!((shown[1] + 0.1).abs() < 1e-6, "{shown:?}");
}

#[test]
fn frames_between_paintings_fade() {
    let settings = StyleSettings { every: 2, ..plain() };
    // Painted at the first, third and fifth frame.
    let shown = play(&mut negative(), &settings, &[0.5, 0.9, 0.3, 0.9, 0.1]);
    assert_eq!(shown[..2], [-0.5, -0.5]);
    assert!(
        (shown[2] + 0.4).abs() < 1e-6 && (shown[3] + 0.3).abs() < 1e-6 && (shown[4] + 0.2).abs() < 1e-6,
        "{shown:?}"
    );
}

#[test]
fn another_size_continues_from_the_same_painting() {
    let mut style = negative();
    let settings = StyleSettings { feedback: 0.5, ..plain() };
    play(&mut style, &settings, &[0.5]);
    let mut out = Image::default();
    style.process(&picture(0.3), &StyleSettings { size: 32, ..settings }, &mut out).expect("another size");
    assert_eq!((out.height, out.width, out.data.len()), (32, 32, 3 * 32 * 32));
    style
        .process(&picture(0.3), &StyleSettings { size: 16, every: 4, ..settings }, &mut out)
        .expect("back, between paintings");
    assert_eq!(out.data.len(), 3 * 16 * 16);
}

#[test]
fn a_grey_picture_is_refused() {
    let (mut style, mut out) = (negative(), Image::default());
    assert!(style.process(&Image::new(1, 8, 8), &plain(), &mut out).is_err());
    assert!(style.process(&Image::default(), &plain(), &mut out).is_err());
    assert!(style.process(&picture(0.1), &plain(), &mut out).is_ok());
}

#[test]
fn a_new_network_continues_from_the_current_painting() {
    let settings = StyleSettings { feedback: 0.25, ..plain() };
    let (mut style, mut frame, mut out) = (Style::default(), Surface::from(picture(0.5)), Surface::default());
    let values = Values { style: settings, ..Values::default() };
    let mut show = |style: &mut Style| {
        style.process(&mut Memory::default(), &mut frame, &mut out, &values, Time::default()).expect("paints");
        out.image().expect("it is in memory").data[0]
    };
    style.change(Some(Box::new(negative())));
    assert_eq!(show(&mut style), -0.5);
    let old = style.change(Some(Box::new(negative())));
    assert!(old.is_some_and(|old| !old.paintings.has_painted()));
    // As the first network would have: −(0.75·0.5 + 0.25·(−0.5)).
    assert!((show(&mut style) + 0.25).abs() < 1e-6);
    style.change(None);
    style.change(Some(Box::new(negative())));
    assert_eq!(show(&mut style), -0.5, "after having none, a painting starts from the picture");
}

#[test]
fn a_loop_that_has_warmed_up_allocates_nothing() {
    use crate::engine::gpu::{Device, Gpu, GpuCanvas, Precision, skip_test};
    let gpu = match Device::open(false).and_then(|device| Gpu::new(device, Precision::F32)) {
        Ok(gpu) => gpu,
        Err(error) => return skip_test(error),
    };
    let mut canvas = GpuCanvas::new(gpu.device().clone()).expect("there is room");
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("presets/networks/painters8.safetensors");
    let network = Arc::new(StyleNetwork::open(&file).expect("opens"));
    let mut style = StyleLoop::new(Arc::new(gpu), network);
    let mut image = Image::new(3, 48, 48);
    image.data.iter_mut().enumerate().for_each(|(i, x)| *x = (i as f32 * 0.01).sin());
    let (mut image, mut out, mut resized) = (Surface::from(image), Surface::default(), Surface::default());
    let settings = StyleSettings { size: 32, passes: 3, keep: 0.5, ..StyleSettings::default() };
    let mut play = |frames: u32| {
        for frame in 0..frames {
            // Two alternating sizes, like the two pictures of a fade.
            canvas.resize(&mut image, 40 + frame as usize % 2, 60, &mut resized).expect("resizes");
            style.play(&mut canvas, &mut resized, &settings, &mut out).expect("plays");
            canvas.finish().expect("submits");
            out.bring().expect("comes back");
        }
        canvas.made()
    };
    let warm = play(8);
    assert_eq!(play(12), warm);
}
