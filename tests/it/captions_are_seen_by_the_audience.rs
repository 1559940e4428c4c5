//! Do words reach the picture, the captioner's and one's own, and does a take give the same bytes?

use std::sync::Arc;

use latent_jockey::caption::watch;
use latent_jockey::control::{Event, queue};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::gpu::Device;
use latent_jockey::params::{Id, Value};
use latent_jockey::patch::library::Library;
use latent_jockey::record::take::Take;
use latent_jockey::show::{Devices, Show};

use crate::common::rig::{Folder, Rig, bang, number, write};
use crate::common::skip_gpu;

const STILL: &str = "[params]\n\"/walk/kind\" = \"hold\"\n";

fn words(text: &str) -> Event {
    write(Id::CaptionWords, Value::Text(text.to_owned()))
}

fn shown(is_on: bool) -> Event {
    write(Id::CaptionShow, Value::Bool(is_on))
}

/// Which part of the rows has changed, from the top: 0 to 1.
fn changed(before: &[u8], after: &[u8]) -> Option<[f64; 2]> {
    let rows = before.len() as f64 / 4.0;
    let places: Vec<usize> = (0..before.len()).filter(|i| before[*i] != after[*i]).collect();
    Some([*places.first()? as f64 / 4.0 / rows, *places.last()? as f64 / 4.0 / rows])
}

fn own_words_are_laid_over(mut rig: Rig) {
    rig.show.step(0.0, &[]);
    let plain = rig.pixels();
    rig.show.step(0.02, &[words("A vase of sunflowers")]);
    assert!(rig.pixels() == plain, "nobody shows them");
    rig.show.step(0.02, &[shown(true)]);
    let bottom = rig.pixels();
    let [from, to] = changed(&plain, &bottom).expect("words");
    assert!(from > 0.5 && to > 0.7, "{from} to {to}");
    assert!(bottom.as_chunks::<4>().0.contains(&[255; 4]), "white");
    rig.show.step(0.02, &[write(Id::CaptionPlace, Value::Text("top".to_owned()))]);
    let [from, to] = changed(&plain, &rig.pixels()).expect("words");
    assert!(from < 0.3 && to < 0.5, "{from} to {to}");
    let small = changed(&plain, &rig.pixels());
    rig.show.step(0.02, &[number(Id::CaptionSize, 0.2)]);
    assert_ne!(changed(&plain, &rig.pixels()), small);
    rig.show.step(0.02, &[shown(false)]);
    assert!(rig.pixels() == plain, "they leave nothing behind");
    rig.show.step(0.02, &[shown(true), words("")]);
    assert!(rig.pixels() == plain, "there are none");
}

#[test]
fn own_words_are_laid_over_the_networks_picture() {
    own_words_are_laid_over(Rig::with(&[("a", STILL)]).network("fastgan_256.safetensors").start());
}

#[test]
fn own_words_are_laid_over_the_output() {
    let device = match Device::open(false) {
        Ok(device) => Arc::new(device),
        Err(error) => return skip_gpu(error),
    };
    let start = |size| {
        let setup = Rig::with(&[("a", STILL)]).network("fastgan_256.safetensors");
        let mut rig = setup.on_screen(device.clone()).start();
        rig.show.set_output_size(size);
        rig
    };
    own_words_are_laid_over(start([640, 360]));
    // As the network makes it.
    own_words_are_laid_over(start([0, 0]));
}

#[test]
fn a_take_has_what_the_captioner_saw() {
    let mut rig = Rig::with(&[("a", STILL)]).live().start();
    let (sender, events) = queue();
    let (watch, looker) = watch::start(sender, false).expect("a thread");
    let mut devices = Devices::default();
    devices.listen(watch);
    devices.tap(looker);
    rig.show.connect(devices);
    let folder = Folder::new();
    let file = folder.join("seen.take");
    rig.show.start_take(Some(file.clone()));
    rig.show.step(0.01, &[shown(true), number(Id::CaptionSize, 0.25)]);
    let mut batch = Vec::new();
    let mut plain = None;
    let seen = |show: &Show| show.params().text(Id::CaptionSeen).to_owned();
    let end = std::time::Instant::now() + crate::common::rig::PATIENCE;
    loop {
        batch.clear();
        events.take_waiting(&mut batch);
        rig.show.step(0.01, &batch);
        let picture = rig.show.picture().map(|picture| picture.rgba.clone());
        if seen(&rig.show).is_empty() {
            plain = picture.or(plain);
        } else if picture.is_some() && picture != plain {
            break;
        }
        assert!(std::time::Instant::now() < end, "no words: {:?}", rig.show.status());
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let (words, live) = (seen(&rig.show), rig.pixels());
    assert!(plain.is_some_and(|plain| changed(&plain, &live).is_some()), "{words}");
    rig.wait(&[bang(Id::TakeStop)], |show| !show.is_taking());
    drop(rig);

    let take = Take::read(&file).expect("a take");
    let played = || {
        let places = take.locate().expect("all files");
        let mut show =
            Show::of_take(&take, places, Library::default(), Arc::new(Cpu::default()), None).expect("a show");
        take.frames.iter().for_each(|frame| show.repeat(frame, true));
        (seen(&show), show.picture().expect("a picture").rgba.clone())
    };
    let (again, pixels) = played();
    assert_eq!(again, words);
    assert!(pixels == live, "the take shows what the audience saw");
    assert!(played().1 == pixels, "the same bytes");
}

#[test]
fn offline_the_captioner_looks_at_the_same_moments() {
    let played = || {
        let mut rig = Rig::with(&[("a", "[params]\n\"/caption/show\" = true\n\"/caption/every\" = 1\n")]).start();
        let (mut captions, looker) = watch::Offline::new();
        rig.show.tap(looker);
        let mut heard = Vec::new();
        for frame in 0..30 {
            let dt = if frame == 0 { 0.0 } else { 0.1 };
            let event = captions.event(rig.show.params(), dt);
            if let Some(Event::Write(write)) = &event {
                heard.push((frame, write.value.clone()));
            }
            rig.show.step(dt, &event.into_iter().collect::<Vec<_>>());
        }
        (heard, rig.pixels())
    };
    let (heard, pixels) = played();
    assert!(heard.first().is_some_and(|(frame, _)| *frame == 1), "{heard:?}");
    assert!((heard, pixels) == played());
}
