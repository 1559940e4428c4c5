//! Does a folder of pictures play with drifting pictures and the captions of its table, and does a take have all of it?

use std::fs;
use std::sync::Arc;

use latent_jockey::caption::watch;
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::gpu::Device;
use latent_jockey::image::words::Place;
use latent_jockey::params::{Id, Value};
use latent_jockey::patch::library::Library;
use latent_jockey::record::take::Take;
use latent_jockey::show::{Show, input_is_seen};

use crate::common::rig::{Folder, Rig, Setup, bang, number, write};
use crate::common::skip_gpu;

/// Pictures stay for two seconds and fade for one.
const SHOW: &str = "[params]\n\"/input\" = \"./slides\"\n\"/input/every\" = 2\n\"/input/fade\" = 1\n\"/input/drift\" = 0.2\n\
                    \"/caption/show\" = true\n";

/// Three pictures of 60 x 60 pixels with a ramp of light, of which the last has no caption.
fn with_pictures(preset: &str) -> Setup {
    let setup = Rig::with(&[("a", preset)]);
    let folder = setup.folder().join("slides");
    fs::create_dir(&folder).expect("a folder");
    for (number, name) in (0..).zip(["a.png", "b.png", "c.png"]) {
        let ramp = |x: u32, y: u32| image::Rgb([x as u8 * 4, y as u8 * 4, number * 100]);
        image::RgbImage::from_fn(60, 60, ramp).save(folder.join(name)).expect("a picture");
    }
    fs::write(folder.join("captions.csv"), "file;caption;guess\na.png;one;\nb.png;two;yes\n").expect("a table");
    setup
}

fn said(show: &Show) -> &str {
    show.params().text(Id::CaptionInput)
}

/// The brightest of the bytes: white words over pictures that have no white.
fn brightest(pixels: &[u8]) -> u8 {
    pixels.as_chunks::<4>().0.iter().map(|[r, g, b, _]| *r.min(g).min(b)).max().unwrap_or_default()
}

#[test]
fn captions_follow_the_pictures() {
    let mut rig = with_pictures(SHOW).start();
    let (mut captions, looker) = watch::Offline::new();
    rig.show.tap(looker);
    let mut seen = Vec::new();
    for frame in 0..20 {
        let dt = if frame == 0 { 0.0 } else { 0.25 };
        assert_eq!(captions.event(rig.show.params(), dt), None, "the captioner cannot see the input");
        rig.show.step(dt, &[]);
        seen.push((said(&rig.show).to_owned(), brightest(&rig.pixels()) == 255));
    }
    // The second comes after two seconds and is half there in the next frame. Its words fade with it.
    let at = |frame: usize| (seen[frame].0.as_str(), seen[frame].1);
    assert_eq!(
        [at(0), at(7), at(8), at(9), at(12), at(15), at(17)],
        [("one", true), ("one", true), ("one", false), ("two?", false), ("two?", true), ("two?", true), ("", false)]
    );
    assert_eq!(rig.show.words_at(), None);
    // With more of the network than of the input, its captions are not shown.
    rig.show.step(0.0, &[bang(Id::InputNext), number(Id::InputFade, 0.0)]);
    rig.show.step(0.1, &[]);
    assert_eq!((said(&rig.show), brightest(&rig.pixels())), ("one", 255));
    assert_eq!(rig.show.words_at(), Some(Place::Bottom), "who draws over the picture keeps away from them");
    (0..20).for_each(|_| rig.show.step(0.1, &[number(Id::InputAmount, 0.3)]));
    assert!(!input_is_seen(rig.show.params()) && brightest(&rig.pixels()) < 255);
    rig.show.step(0.1, &[write(Id::CaptionWords, Value::Text("my own".to_owned()))]);
    assert_eq!(brightest(&rig.pixels()), 255);
}

#[test]
fn still_pictures_drift_and_stand_still_without_it() {
    let still = SHOW.replace("0.2", "0").replace("true", "false");
    for (preset, drifts) in [(SHOW.replace("true", "false"), true), (still, false)] {
        let mut rig = with_pictures(&preset).start();
        rig.show.step(0.0, &[]);
        let first = rig.pixels();
        rig.show.step(1.0, &[]);
        let later = rig.pixels();
        assert_eq!(later != first, drifts, "{preset}");
        rig.show.step(0.5, &[write(Id::Freeze, Value::Bool(true))]);
        assert!(rig.pixels() == later, "frozen");
        // In the middle of a fade another one comes: the mix stays where it is, and nothing jumps.
        rig.show.step(0.0, &[write(Id::Freeze, Value::Bool(false))]);
        (0..6).for_each(|_| rig.show.step(0.25, &[]));
        let mix = rig.pixels();
        rig.show.step(0.001, &[bang(Id::InputNext)]);
        let furthest = mix.iter().zip(rig.pixels()).map(|(a, b)| a.abs_diff(b)).max();
        assert!(furthest.is_some_and(|furthest| furthest <= 3), "{furthest:?} of 255");
    }
}

#[test]
fn captions_fade_on_a_device_as_in_memory() {
    let device = match Device::open(false) {
        Ok(device) => Arc::new(device),
        Err(error) => return skip_gpu(error),
    };
    let still = SHOW.replace("drift\" = 0.2", "drift\" = 0");
    let mut rig = with_pictures(&still).on_screen(device).start();
    rig.show.set_output_size([128, 128]);
    rig.show.step(0.0, &[]);
    (0..7).for_each(|_| rig.show.step(0.25, &[]));
    let whole = brightest(&rig.pixels());
    // After two seconds the next one comes: a quarter of the fade, half of the words.
    rig.show.step(0.25, &[]);
    let half = brightest(&rig.pixels());
    rig.show.step(0.25, &[]);
    let none = brightest(&rig.pixels());
    assert_eq!(whole, 255);
    // Half of white's light is 188 in sRGB, and some of the picture's comes through.
    assert!((188..=215).contains(&half) && none < 188, "{half} {none}");
}

#[test]
fn captions_go_with_the_preset_that_has_asked_for_them() {
    let setup = Rig::with(&[("a", SHOW), ("b", "[params]\n\"/seed\" = 7\n"), ("c", "")]);
    fs::create_dir(setup.folder().join("slides")).expect("a folder");
    image::RgbImage::new(60, 60).save(setup.folder().join("slides/a.png")).expect("a picture");
    let mut rig = setup.start();
    let go = |rig: &mut Rig, preset: f64, events: &[_]| {
        rig.show.step(0.1, &[&[number(Id::Preset, preset)], events].concat());
        rig.show.step(0.1, &[]);
        rig.show.params().bool(Id::CaptionShow)
    };
    rig.show.step(0.1, &[]);
    assert!(rig.show.params().bool(Id::CaptionShow));
    assert!(!go(&mut rig, 2.0, &[]), "they have gone with the slide show");
    // A hand's stay, also one that is quicker than the preset.
    rig.show.step(0.1, &[write(Id::CaptionShow, Value::Bool(true))]);
    assert!(go(&mut rig, 3.0, &[]) && go(&mut rig, 1.0, &[]));
    assert!(go(&mut rig, 2.0, &[write(Id::CaptionShow, Value::Bool(true))]));
}

#[test]
fn a_size_can_be_chosen() {
    let mut rig = with_pictures(SHOW).start();
    rig.show.step(0.0, &[]);
    let size = |rig: &Rig| rig.show.picture().map(|picture| [picture.width, picture.height]);
    assert_eq!(size(&rig), Some([512; 2]));
    rig.show.step(0.1, &[write(Id::InputSize, Value::Text("1024".to_owned()))]);
    assert_eq!(size(&rig), Some([1024; 2]));
}

#[test]
fn broken_captions_are_one_line_and_the_pictures_play() {
    let setup = with_pictures(SHOW);
    fs::write(setup.folder().join("slides/captions.csv"), "picture,words\na.png,one\n").expect("a table");
    let mut rig = setup.start();
    rig.show.step(0.0, &[]);
    assert!(rig.notice().contains("expected columns named file and caption"), "{}", rig.notice());
    assert_eq!((said(&rig.show), rig.show.failure()), ("", None));
    assert_eq!(rig.show.picture().map(|picture| picture.width), Some(512));
}

#[test]
fn a_take_has_the_captions_of_its_time() {
    // Words that fade are seen at once here.
    let still =
        SHOW.replace("/input/every\" = 2", "/input/every\" = 0").replace("/input/fade\" = 1", "/input/fade\" = 0");
    let mut rig = with_pictures(&still).live().start();
    let folder = Folder::new();
    let file = folder.join("slides.take");
    rig.show.start_take(Some(file.clone()));
    rig.wait(&[], |show| said(show) == "one");
    rig.wait(&[bang(Id::InputNext)], |show| said(show) == "two?");
    rig.wait(&[bang(Id::TakeStop)], |show| !show.is_taking());
    let table = rig.folder().join("slides/captions.csv");
    fs::write(&table, "file,caption\na.png,other\nb.png,other\n").expect("a table");
    let take = Take::read(&file).expect("a take");
    let played = || {
        let places = take.locate().expect("all files");
        let mut show =
            Show::of_take(&take, places, Library::default(), Arc::new(Cpu::default()), None).expect("a show");
        let (last, frames) = take.frames.split_last().expect("frames");
        frames.iter().for_each(|frame| show.repeat(frame, false));
        show.repeat(last, true);
        (said(&show).to_owned(), show.picture().expect("a picture").rgba.clone())
    };
    let (words, pixels) = played();
    assert_eq!((words.as_str(), brightest(&pixels)), ("two?", 255));
    assert!(played().1 == pixels, "the same bytes");
}
