//! Can a picture file be played as input, and does a bad one leave the show unchanged?

use std::fs;
use std::path::Path;

use crate::common::rig::{self, Rig, write};
use latent_jockey::params::{Id, Value};
use latent_jockey::patch::preset::Preset;
use latent_jockey::show::Show;

const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];

/// A temporary folder with pictures of a single colour.
struct Folder(rig::Folder);

impl Folder {
    fn new(pictures: &[(&str, [u8; 3])]) -> Folder {
        let folder = rig::Folder::new();
        for (file, colour) in pictures {
            let picture = image::RgbImage::from_pixel(40, 30, image::Rgb(*colour));
            picture.save(folder.join(file)).expect("a picture");
        }
        Folder(folder)
    }

    fn path(&self, file: &str) -> Value {
        Value::Text(self.0.join(file).to_str().expect("a path").to_owned())
    }
}

fn show_of(preset: Preset) -> Rig {
    let mut show = Rig::shipped("6-flowers").preset(preset).start();
    show.step(0.0, &[]);
    show
}

/// The network alone.
fn show() -> Rig {
    let mut show = Rig::shipped("6-flowers").start();
    show.step(0.0, &[]);
    show
}

/// The pixel at the centre.
fn middle(show: &Show) -> [u8; 3] {
    let picture = show.picture().expect("a picture");
    let at = 4 * ((picture.height / 2 * picture.width) + picture.width / 2) as usize;
    [picture.rgba[at], picture.rgba[at + 1], picture.rgba[at + 2]]
}

#[test]
fn a_picture_fades_in_over_the_network_and_out_again() {
    let folder = Folder::new(&[("a.png", RED)]);
    let (mut show, mut alone) = (show(), show());
    show.step(0.1, &[write(Id::InputFade, Value::Float(1.0)), write(Id::Input, folder.path("a.png"))]);
    alone.step(0.1, &[]);
    let begun = middle(&show);
    assert!(begun != RED && begun != middle(&alone), "{begun:?} is a tenth of the way");
    for _ in 0..10 {
        show.step(0.1, &[]);
        alone.step(0.1, &[]);
    }
    assert_eq!(middle(&show), RED);
    assert_eq!(show.picture().map(|p| (p.width, p.height)), Some((512, 512)));
    show.step(0.1, &[write(Id::InputAmount, Value::Float(0.5))]);
    for _ in 0..20 {
        show.step(0.1, &[]);
    }
    let half = middle(&show);
    assert!(half[0] > 127 && half[0] < 255, "{half:?} is no mixture");
    show.step(0.1, &[write(Id::Input, Value::Text(String::new()))]);
    for _ in 0..10 {
        show.step(0.1, &[]);
    }
    (0..32).for_each(|_| alone.step(0.1, &[]));
    assert!(show.picture().map(|p| &p.rgba) == alone.picture().map(|p| &p.rgba), "something of the input is left");
}

#[test]
fn the_pictures_of_a_folder_follow_one_another() {
    let folder = Folder::new(&[("a.png", RED), ("b.png", GREEN), ("c.JPG", BLUE)]);
    let mut show = show();
    show.step(0.1, &[write(Id::InputFade, Value::Float(0.0)), write(Id::Input, folder.path(""))]);
    assert_eq!(middle(&show), RED);
    show.step(0.1, &[write(Id::InputNext, Value::Nothing)]);
    assert_eq!(middle(&show), GREEN);
    show.step(0.1, &[write(Id::InputPrev, Value::Nothing), write(Id::InputPrev, Value::Nothing)]);
    let [red, _, blue] = middle(&show);
    assert!(red < 5 && blue > 250, "round and round to the last, a JPEG");
    let every = [write(Id::InputEvery, Value::Float(4.0)), write(Id::InputSync, Value::Text("beats".into()))];
    show.step(0.1, &every);
    // At 120 bpm, four beats take two seconds.
    show.step(1.7, &[]);
    assert!(middle(&show)[2] > 250, "too early");
    show.step(0.3, &[]);
    assert_eq!(middle(&show), RED);
    show.step(2.0, &[write(Id::Freeze, Value::Bool(true))]);
    assert_eq!(middle(&show), RED, "frozen");
}

#[test]
fn a_bad_picture_is_one_line_and_the_old_one_stays() {
    let folder = Folder::new(&[("a.png", RED), ("c.png", BLUE)]);
    fs::write(folder.0.join("b.png"), "not a picture").expect("a file");
    fs::create_dir(folder.0.join("empty")).expect("a folder");
    let mut show = show();
    show.step(0.1, &[write(Id::InputFade, Value::Float(0.0)), write(Id::Input, folder.path("a.png"))]);
    for (named, told) in
        [("b.png", "b.png is not a readable picture"), ("none.png", "none.png"), ("empty", "holds no pictures")]
    {
        show.step(0.1, &[write(Id::Input, folder.path(named))]);
        assert!(show.notice().contains(told), "{named}: {:?}", show.notice());
        assert_eq!(middle(&show), RED, "{named}");
    }
    // In a folder, the next step skips it.
    show.step(0.1, &[write(Id::Input, folder.path(""))]);
    show.step(0.1, &[write(Id::InputNext, Value::Nothing)]);
    assert_eq!(middle(&show), RED);
    show.step(0.1, &[write(Id::InputNext, Value::Nothing)]);
    assert_eq!(middle(&show), BLUE);
}

#[test]
fn an_open_port_takes_names_but_no_paths() {
    let folder = Folder::new(&[("a.png", RED)]);
    let mut show = show();
    show.set_names_only(true);
    for path in [folder.path("a.png"), folder.path(""), Value::Text("../networks/painters8.png".into())] {
        show.step(0.1, &[write(Id::InputFade, Value::Float(0.0)), write(Id::Input, path)]);
        assert!(show.notice().starts_with("no picture "), "{:?}", show.notice());
        assert_ne!(middle(&show), RED);
    }
    let before = middle(&show);
    show.step(0.0, &[write(Id::Input, Value::Text("paintings".into()))]);
    assert_ne!(middle(&show), before, "{:?}", show.notice());
    // A preset itself may name a path, which panic reads again.
    let file = folder.0.join("mine.toml");
    fs::write(&file, "network = \"flowers128\"\n[params]\n\"/input\" = \"./a.png\"\n").expect("a preset");
    let mut show = show_of(Preset::load(&file).expect("it is right"));
    show.set_names_only(true);
    let away = [write(Id::InputFade, Value::Float(0.0)), write(Id::Input, Value::Text(String::new()))];
    show.step(0.1, &away);
    assert_ne!(middle(&show), RED);
    show.step(0.1, &[write(Id::Panic, Value::Nothing)]);
    (0..12).for_each(|_| show.step(0.1, &[]));
    assert_eq!(middle(&show), RED, "{:?}", show.notice());
}

#[test]
fn a_preset_begins_with_its_picture_and_the_next_preset_without() {
    let folder = Folder::new(&[("a.png", RED)]);
    let file = folder.0.join("mine.toml");
    fs::write(&file, "network = \"flowers128\"\n[params]\n\"/input\" = \"a.png\"\n").expect("a preset");
    let mut show = show_of(Preset::load(&file).expect("it is right"));
    assert_eq!(middle(&show), RED);
    show.step(0.1, &[write(Id::Preset, Value::Text("6-flowers".into()))]);
    (0..15).for_each(|_| show.step(0.1, &[]));
    assert_ne!(middle(&show), RED);
    fs::write(&file, "network = \"flowers128\"\n[params]\n\"/input\" = \"gone.png\"\n").expect("a preset");
    let show = show_of(Preset::load(&file).expect("it is right"));
    assert!(show.notice().contains("gone.png") && show.picture().is_some(), "{:?}", show.notice());
    assert!(show.failure().is_some_and(|line| line.contains("gone.png")), "a render ends with it");
}

#[test]
fn live_pictures_load_in_the_background() {
    let folder = Folder::new(&[("a.png", RED)]);
    let mut show = Rig::shipped("6-flowers").live().start();
    let events = [write(Id::InputFade, Value::Float(0.1)), write(Id::Input, folder.path("a.png"))];
    show.wait(&events, |show| show.picture().is_some() && middle(show) == RED);
    assert!(Path::new(&*folder.0).is_dir());
}
