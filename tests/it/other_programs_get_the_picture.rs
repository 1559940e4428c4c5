//! Do other programs get the picture that is shown, and does a mistake cost one line? NDI's library is a stand-in here, which
//! writes down what it is asked for; Spout and Syphon need their systems.

#![allow(clippy::print_stdout, reason = "helpers of tests print as tests do")]

use std::path::Path;
use std::process::Command;

use latent_jockey::control::Source;
use latent_jockey::params::{Id, Value};

use crate::common::rig::{Folder, Rig, text, write_by};

const BIN: &str = env!("CARGO_BIN_EXE_latent-jockey");

/// The program, with NDI's library in that folder.
fn command(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(BIN);
    command.args(line.split(' ')).env("NDI_RUNTIME_DIR_V6", folder).env("HOME", folder);
    command
}

/// What the program says.
fn said(folder: &Path, line: &str) -> String {
    let output = command(folder, line).output().expect("it runs");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn a_mistake_costs_one_line_and_what_is_shared_stays() {
    let mut show = Rig::with(&[("a", "")]).live().start();
    let other = if cfg!(windows) { "syphon" } else { "spout" };
    show.step(0.01, &[text(Id::Share, "laser:x")]);
    assert!(
        show.notice().contains("ndi, spout or syphon") && show.notice().ends_with("got \"laser:x\""),
        "{}",
        show.notice()
    );
    assert_eq!(show.status().sharing, None);
    // What this system has not ends by itself.
    show.wait(&[text(Id::Share, other)], |show| show.status().notice.is_some_and(|line| line.contains("only")));
    show.wait(&[], |show| show.status().sharing.is_none());
    // Nobody on the network may begin one.
    show.step(0.01, &[write_by(Source::Web, Id::Share, Value::Text("ndi".to_owned()))]);
    assert_eq!(show.status().sharing, None);
    // Offline there is nobody to give pictures to.
    let mut offline = Rig::with(&[("a", "")]).start();
    offline.step(0.1, &[text(Id::Share, other)]);
    assert!(offline.status().sharing.is_none() && offline.failure().is_none());
}

#[test]
fn the_command_line_refuses_what_is_no_share() {
    let folder = Folder::new();
    let refused = said(&folder, "play 1 --headless --share ndi --share laser");
    assert!(
        refused.contains("--share: pictures are shared by ndi, spout or syphon") && refused.contains("\"laser\""),
        "{refused}"
    );
}

/// With a stand-in for the library, as it is called on Linux.
#[cfg(target_os = "linux")]
mod ndi {
    use std::collections::HashSet;
    use std::fs;
    use std::path::PathBuf;
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::*;
    use crate::common::fixture;

    /// A library for NDI in that folder, and the file to which it writes. `None`, with a word, without a C compiler.
    fn ndi_library(folder: &Path) -> Option<PathBuf> {
        let log = folder.join("log");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(folder.join("libndi.so.6"));
        compiler.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ndi/fake.c"));
        compiler.arg(format!("-DLOG=\"{}\"", log.display())).arg("-DCONNECTIONS=1");
        match compiler.status() {
            Ok(status) => assert!(status.success(), "{compiler:?}"),
            Err(error) => {
                println!("skipped: no C compiler ({error})");
                return None;
            }
        }
        Some(log)
    }

    #[test]
    fn ndi_is_played_by_the_players_own_library() {
        let folder = Folder::new();
        let Some(log) = ndi_library(&folder) else { return };
        let doctor = said(&folder, "doctor");
        let line = doctor.lines().find(|line| line.contains("share")).unwrap_or_default();
        assert!(line.starts_with("ok  share") && line.contains("NDI (FAKE NDI 6.0 ("), "{doctor}");
        assert!(line.ends_with("; no Spout: Windows only; no Syphon: macOS only"), "{line}");
        assert!(!log.exists(), "looking at it begins nothing");
        let play = "play 1 --headless --engine cpu --no-web --osc 0 --size 160x90 --share ndi:Main --network";
        let mut command = command(&folder, play);
        let mut player = command.arg(fixture("sg2_16_p2.pkl")).stdout(Stdio::null()).spawn().expect("it runs");
        let pictures = || -> Vec<String> {
            let lines = fs::read_to_string(&log).unwrap_or_default();
            lines.lines().filter(|line| line.starts_with("video ")).map(str::to_owned).collect()
        };
        // Until the picture has moved.
        let started = Instant::now();
        while pictures().iter().collect::<HashSet<_>>().len() < 2 && started.elapsed().as_secs() < 120 {
            std::thread::sleep(Duration::from_millis(20));
        }
        let pid = Pid::from_raw(player.id().cast_signed());
        kill(pid, Signal::SIGTERM).expect("it runs");
        assert!(player.wait().expect("it ends").success());
        assert!(pictures().iter().all(|line| line.starts_with("video 1 160x90 RGBX 60/1 ")), "{:?}", pictures());
        assert!(pictures().iter().collect::<HashSet<_>>().len() >= 2, "{:?}", pictures());
        let lines = fs::read_to_string(&log).expect("it has written");
        assert!(lines.starts_with("initialize\ncreate \"Main\" groups 0 clocks 0 0\nvideo "), "{lines}");
        assert!(lines.ends_with("end 1\ndestroy\n"), "{lines}");
    }
}
