//! Does a take that is rendered in parts, or stopped in the middle, give the same bytes as one that is rendered at once?
//!
//! Needs ffmpeg, and GNU parallel for the parts, without which they are rendered one after another.
#![allow(clippy::print_stdout, reason = "tests print what they skip")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use latent_jockey::control::Event;
use latent_jockey::engine::gpu::Device;
use latent_jockey::params::Id;

use crate::common::rig::{Folder, Rig, bang, number, text};
use crate::common::{fixture, skip_gpu};

/// A style loop (its feedback alone: painting takes long without a graphics card), and an effect that films its own output.
const PRESET: &str = r#"
[params]
"/seed" = 3
"/walk/speed" = 2.0
"/style/network" = "STYLE"
"/style/passes" = 0
"/style/feedback" = 0.6
[mod]
breathe = { source = "smooth-random", seconds = 0.7, to = "/psi", depth = 0.4 }
[[effects]]
shader = "feedback"
"#;

/// What is played without anything that feeds back.
const PLAIN: &str = "[params]\n\"/seed\" = 5\n\"/walk/speed\" = 2.0\n";

/// Frames of a take; the video has as many.
const FRAMES: u32 = 100;
const BIN: &str = env!("CARGO_BIN_EXE_latent-jockey");

fn has(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Plays a frame of a tenth of a second, and waits for its picture.
fn play(rig: &mut Rig, events: &[Event]) {
    let end = Instant::now() + Duration::from_secs(60);
    let before = rig.show.picture().map(|picture| picture.serial);
    rig.show.step(0.1, events);
    while rig.show.picture().map(|picture| picture.serial) == before {
        assert!(Instant::now() < end, "no picture: {}", rig.show.status());
        std::thread::sleep(Duration::from_millis(1));
        rig.show.step(0.0, &[]);
    }
}

/// A take of ten seconds: a fade to another network, live code where there is any, a walk that is moved.
fn take(folder: &Path, preset: &str) -> PathBuf {
    let path = folder.join("show.take");
    let preset = preset.replace("STYLE", &fixture("style/painters8.safetensors").display().to_string());
    let setup = Rig::with(&[("a", &preset)]).live();
    let mut rig = match Device::open(false).map(Arc::new).map_err(skip_gpu) {
        Ok(device) => setup.on_screen(device).start(),
        Err(()) => setup.start(),
    };
    rig.show.set_output_size([64, 36]);
    rig.show.start_take(Some(path.clone()));
    for frame in 0..FRAMES {
        let mut events = vec![number(Id::WalkSpeed, 0.5 + f64::from(frame % 30) / 10.0)];
        match frame {
            12 => events.push(number(Id::NetworkFade, 1.5)),
            15 => events.push(text(Id::Network, fixture("sg2_32.safetensors"))),
            50 => events.push(bang(Id::SeedNext)),
            _ => {}
        }
        if cfg!(feature = "luau") && frame == 30 {
            events.push(text(Id::Eval, "psi = 0.5 + 0.4 * sine(0.5)\nz[2] = noise(1)"));
        }
        play(&mut rig, &events);
    }
    drop(rig.show);
    path
}

/// `render TAKE` at another size than it was played.
fn render(take: &Path, out: Option<&Path>, more: &[&str]) -> Command {
    let fps: &[&str] = if more.contains(&"--fps") { &[] } else { &["--fps", "10"] };
    let mut command = Command::new(BIN);
    command.arg("render").arg(take).args(["--engine", "cpu", "--size", "96x54"]).args(fps);
    if let Some(out) = out {
        command.arg("--out").arg(out);
    }
    command.args(more);
    command
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

#[track_caller]
fn done(mut command: Command) -> String {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{command:?}: {}", told(&output));
    told(&output)
}

#[track_caller]
fn refused(mut command: Command) -> String {
    let output = command.output().expect("it runs");
    assert!(!output.status.success(), "{command:?}");
    told(&output)
}

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The three parts, two at a time.
fn render_parts(take: &Path, out: &Path) {
    if has("parallel") {
        let line = render(take, Some(out), &["--part", "{}/3"]);
        let mut command = Command::new("parallel");
        command.args(["--jobs", "2"]).arg(line.get_program()).args(line.get_args()).args([":::", "1", "2", "3"]);
        done(command);
        return;
    }
    println!("no GNU parallel: one after another");
    ["1/3", "2/3", "3/3"].iter().for_each(|part| drop(done(render(take, Some(out), &["--part", part]))));
}

#[test]
fn parts_give_the_whole() {
    if !has("ffmpeg") {
        return println!("skipped: no ffmpeg");
    }
    let folder = Folder::new();
    let take = take(&folder, PRESET);
    let [whole, shared] = ["whole.mp4", "shared.mp4"].map(|name| folder.join(name));
    done(render(&take, Some(&whole), &[]));
    assert!(!folder.join("whole.mp4.parts").exists(), "the pieces are gone");
    render_parts(&take, &shared);
    let parts = folder.join("shared.mp4.parts");
    let piece = |number: u32| parts.join(format!("piece-00000{number}.mp4"));
    let last = bytes(&piece(2));
    // A part that failed is rendered again alone.
    std::fs::remove_file(piece(1)).expect("it is there");
    let error = refused(render(&take, Some(&shared), &["--join"]));
    assert!(error.contains("1 of 3 pieces are missing: frames 41 to 80"), "{error}");
    done(render(&take, Some(&shared), &["--part", "2/3"]));
    let error = refused(render(&take, Some(&shared), &["--fps", "20"]));
    assert!(error.contains("--fps 10 there, 20 now"), "{error}");

    // From a state that was kept, and without one that is damaged.
    done(render(&take, None, &["--checkpoint-every", "1.5"]));
    let states = folder.join("show.take-states");
    let mut kept: Vec<PathBuf> = std::fs::read_dir(&states).expect("states").flatten().map(|e| e.path()).collect();
    kept.sort();
    assert!(kept.len() >= 5, "{kept:?}");
    for damages in [false, true] {
        std::fs::remove_file(piece(2)).expect("it is there");
        if damages {
            kept.iter().for_each(|state| std::fs::write(state, "nothing").expect("it is written"));
        }
        let said = done(render(&take, Some(&shared), &["--part", "3/3"]));
        assert_eq!(said.contains("cannot be read"), damages, "{said}");
        assert!(bytes(&piece(2)) == last, "the part from a state differs; damaged: {damages}");
    }
    done(render(&take, Some(&shared), &["--join"]));
    assert!(bytes(&shared) == bytes(&whole), "joined from parts, the video has other bytes");
    assert!(!parts.exists());
    // A video that is there is not replaced by accident.
    let error = refused(render(&take, Some(&shared), &["--part", "1/3"]));
    assert!(error.contains("shared.mp4 already exists; --overwrite replaces it"), "{error}");
    assert!(!parts.exists() && bytes(&shared) == bytes(&whole), "nothing was begun");
    let error = refused(render(&take, Some(&shared), &["--join"]));
    assert!(error.contains("there is nothing to join"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_rendering_that_was_stopped_goes_on() {
    if !has("ffmpeg") {
        return println!("skipped: no ffmpeg");
    }
    let folder = Folder::new();
    let take = take(&folder, PLAIN);
    let [whole, stopped] = ["whole.mov", "stopped.mov"].map(|name| folder.join(name));
    done(render(&take, Some(&whole), &["--codec", "prores"]));
    let mut rendering = render(&take, Some(&stopped), &["--codec", "prores"]);
    let child = rendering.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let first = folder.join("stopped.mov.parts/piece-000000.mov");
    let end = Instant::now() + Duration::from_secs(120);
    while !first.exists() {
        assert!(Instant::now() < end, "no piece");
        std::thread::sleep(Duration::from_millis(1));
    }
    let id = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("an id"));
    // If it is quicker than this test, it has ended by itself.
    let _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT);
    let output = child.wait_with_output().expect("it ends");
    if !output.status.success() {
        let said = told(&output);
        assert!(said.contains("stopped after ") && said.contains("the same command goes on from there"), "{said}");
        assert!(!stopped.exists() && first.exists(), "what is whole stays");
        let left = std::fs::read_dir(folder.join("stopped.mov.parts")).expect("pieces").flatten();
        let names: Vec<_> = left.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        assert!(names.iter().all(|name| !name.starts_with("part-")), "{names:?}");
        let said = done(render(&take, Some(&stopped), &["--codec", "prores"]));
        assert!(said.contains("going on: "), "{said}");
    }
    assert!(bytes(&stopped) == bytes(&whole), "stopped in the middle, the video has other bytes");

    // With a track, of a passage.
    let sounding = folder.join("sounding.mkv");
    let track = fixture("audio/click_120.flac").display().to_string();
    done(render(&take, Some(&sounding), &["--from", "1", "--to", "5.5", "--audio", &track]));
    let entries = ["-v", "error", "-show_entries", "stream=codec_type", "-of", "csv=p=0"];
    let probed = Command::new("ffprobe").args(entries).arg(&sounding).output().expect("it runs");
    assert_eq!(told(&probed).split_whitespace().collect::<Vec<_>>(), ["video", "audio"]);

    // PNGs, of a passage, from two parts.
    let [once, twice] = ["once", "twice"].map(|name| folder.join(name));
    done(render(&take, Some(&once), &["--from", "1", "--to", "3.5"]));
    for part in ["2/2", "1/2"] {
        done(render(&take, Some(&twice), &["--from", "1", "--to", "3.5", "--part", part]));
    }
    done(render(&take, Some(&twice), &["--from", "1", "--to", "3.5", "--join"]));
    for number in 1..=25 {
        let name = format!("frame_{number:06}.png");
        assert!(bytes(&once.join(&name)) == bytes(&twice.join(&name)), "{name} differs");
    }
    assert_eq!(std::fs::read_dir(&twice).expect("a folder").count(), 25, "and nothing else");

    // What an older version could move, and this one cannot, is named; what it found out about networks is no matter.
    let old = folder.join("old.take");
    let lines = "{\"landed\":[{\"kind\":\"clusters\",\"file\":\"x\"}],\"on\":[[\"/old/knob\",1]],\"dt\":[1000]}\n";
    let text = String::from_utf8(bytes(&take)).expect("text");
    std::fs::write(&old, text + lines).expect("it is written");
    let said = done(render(&old, Some(&folder.join("old")), &["--from", "9.9"]));
    assert!(said.contains("old.take plays /old/knob, which this version does not have"), "{said}");
    assert!(!said.contains("nothing asked for"), "{said}");
}
