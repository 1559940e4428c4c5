//! Does the program play from an empty folder when the sources are gone, and do a player's own files win?

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::common::fixture;
use crate::common::rig::Folder;

/// The program, copied away from the sources; an empty folder to work in; and the player's own.
struct Installed {
    folder: Folder,
    program: PathBuf,
}

impl Installed {
    fn new() -> Installed {
        let folder = Folder::new();
        for part in ["bin", "work", "own", "home"] {
            fs::create_dir(folder.join(part)).expect("a folder");
        }
        let program = folder.join("bin/latent-jockey");
        copy_program(Path::new(env!("CARGO_BIN_EXE_latent-jockey")), &program);
        Installed { folder, program }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(line.split(' ')).current_dir(self.folder.join("work"));
        command.env("LATENT_JOCKEY_HOME", self.folder.join("own")).env("HOME", self.folder.join("home"));
        command.env_remove("LATENT_JOCKEY_PRESETS");
        command
    }

    #[track_caller]
    fn run(&self, line: &str) -> Output {
        self.command(line).output().expect("it runs")
    }

    /// Runs it; the output, and whether it succeeded.
    #[track_caller]
    fn said(&self, line: &str) -> (String, bool) {
        let Output { stdout, stderr, status } = self.run(line);
        (String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned(), status.success())
    }

    #[track_caller]
    fn plays(&self, line: &str) -> String {
        let (said, success) = self.said(line);
        assert!(success, "{line}: {said}");
        said
    }
}

/// Copies a program so that it can be run at once. Not by this process: what it has open for writing, a child that another
/// test starts at that moment holds open until it runs, and a program that is open for writing is "text file busy".
fn copy_program(from: &Path, to: &Path) {
    if cfg!(unix) {
        assert!(Command::new("cp").arg(from).arg(to).status().expect("cp runs").success());
    } else {
        fs::copy(from, to).expect("the program");
    }
}

#[test]
fn what_ships_plays_from_an_empty_folder_and_own_files_win() {
    let installed = Installed::new();
    let own = installed.folder.join("own");
    let frames = |folder: &str| fs::read(installed.folder.join("work").join(folder).join("frame_000001.png")).ok();
    let render = |what: &str, out: &str| format!("render {what} --engine cpu --seconds 0.1 --fps 10 --out {out}");
    installed.plays(&render("1", "ships"));
    assert!(frames("ships").is_some());
    // What is there stays, unless it may go.
    let (said, success) = installed.said(&render("7", "ships"));
    assert!(!success && said.contains("ships already holds frames up to 1; --overwrite replaces them"), "{said}");
    let first = frames("ships");
    installed.plays(&(render("7", "ships") + " --overwrite"));
    assert!(frames("ships") != first);
    installed.plays(&(render("1", "ships") + " --overwrite"));
    assert!(frames("ships") == first, "the same command gives the same picture");
    // With its pictures.
    installed.plays(&render("7", "gallery"));
    // `doctor` says where it looks, in order.
    let (said, _) = installed.said("doctor");
    let folders = said.lines().find(|line| line.contains("folders")).unwrap_or_default();
    assert!(folders.contains(&format!("yours in {}, then built in (", own.display())), "{said}");
    assert!(said.lines().any(|line| line.starts_with("ok  presets") && line.contains("all valid")), "{said}");

    fs::create_dir(own.join("networks")).expect("a folder");
    fs::copy(fixture("sg2_16_p2.pkl"), own.join("networks/mine.pkl")).expect("a network");
    fs::write(own.join("1-first.toml"), "network = \"mine\"\n").expect("a preset");
    installed.plays(&render("1", "own"));
    assert!(frames("own").is_some() && frames("own") != frames("ships"));
    installed.plays(&render("vortex", "again"));
    assert_eq!(frames("again"), frames("ships"), "what ships is still found by name");
    // A network can be given like a preset.
    installed.plays(&render("1", "named").replace("--engine", "--network mine --engine"));
    fs::copy(fixture("sg2_16_p2.pkl"), installed.folder.join("home/my net.pkl")).expect("a network");
    let output =
        installed.command(&render("direct.pkl", "direct").replace(" direct.pkl", "")).arg("~/my net.pkl").output();
    let output = output.expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(frames("direct").is_some());
    let url = format!("file://{}/home/my%20net.pkl", installed.folder.display());
    installed.plays(&format!("play {url} --headless --engine cpu --no-web --osc 0 --seconds 0.2"));
    let (said, success) = installed.said(&format!("play {url} --network mine --headless"));
    assert!(!success && said.contains("two networks are given"), "{said}");
}

#[test]
fn what_is_installed_in_share_is_found() {
    let installed = Installed::new();
    let shared = installed.folder.join("share/latent-jockey");
    fs::create_dir_all(&shared).expect("a folder");
    fs::write(shared.join("shared.toml"), "nobody = 1\n").expect("a preset");
    let (said, _) = installed.said("doctor");
    assert!(said.contains("installed in ") && said.contains("share/latent-jockey, then built in ("), "{said}");
    let (said, success) = installed.said("render shared --out out");
    assert!(!success && said.contains("shared.toml:1:1"), "{said}");
}

#[test]
fn a_report_can_be_pasted() {
    let installed = Installed::new();
    let home = installed.folder.join("home");
    let output = installed.command("doctor --report").env("LATENT_JOCKEY_HOME", home.join("own")).output();
    let said = String::from_utf8(output.expect("it runs").stdout).expect("text");
    assert!(said.starts_with("```text\n") && said.trim_end().ends_with("\n```"), "{said}");
    assert!(
        said.contains(concat!("latent-jockey ", env!("CARGO_PKG_VERSION"))) && said.contains("ok  presets"),
        "{said}"
    );
    assert!(said.contains("LATENT_JOCKEY_HOME=~/own") && said.contains("yours in ~/own"), "{said}");
    assert!(!said.contains(&*home.to_string_lossy()), "{said}");
}

#[test]
fn a_preset_is_called_by_its_number_also_past_nine() {
    let installed = Installed::new();
    let presets = installed.folder.join("work/presets");
    fs::create_dir(&presets).expect("a folder");
    // Each says who it is by what is wrong with it.
    (1..=12).for_each(|n| fs::write(presets.join(format!("p{n}.toml")), "nobody = 1\n").expect("a preset"));
    for n in [1, 2, 9, 10, 12] {
        let (said, success) = installed.said(&format!("render {n} --out out"));
        assert!(!success && said.contains(&format!("p{n}.toml:1:1")), "{n}: {said}");
    }
}

#[test]
fn a_reader_that_goes_ends_a_command_quietly() {
    let installed = Installed::new();
    for line in [
        "inspect painters8 --engine cpu",
        "params",
        "params --format markdown",
        "doctor",
        "generate flowers128 --engine cpu --seeds 1 --out out",
    ] {
        let mut child = installed.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        if line == "params" {
            let mut first = String::new();
            BufReader::with_capacity(16, child.stdout.take().expect("a pipe")).read_line(&mut first).expect("a line");
            assert!(!first.is_empty());
        }
        drop(child.stdout.take());
        let Output { status, stderr, .. } = child.wait_with_output().expect("it ends");
        let stderr = String::from_utf8_lossy(&stderr);
        assert!(status.success() && !stderr.contains("panicked"), "{line}: {status} {stderr}");
    }
}
