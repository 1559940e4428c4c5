//! Does a saved preset reach the show, however the editor writes the file?
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use latent_jockey::params::{Id, Value};
use latent_jockey::patch::library::Library;
use latent_jockey::patch::preset::Preset;
use latent_jockey::patch::watch::{Reload, Watch};

/// A busy machine may be slow; nothing here depends on speed.
const GENEROUS: Duration = Duration::from_secs(60);

/// A preset that sets psi, in a temporary folder, and the thread that watches it.
struct Stage {
    folder: PathBuf,
    file: PathBuf,
    watch: Watch,
}

impl Stage {
    /// Relies on the system's notifications alone, without polling.
    fn new(name: &str) -> Stage {
        Stage::looking_every(name, GENEROUS * 60)
    }

    fn looking_every(name: &str, poll: Duration) -> Stage {
        let folder = std::env::temp_dir().join(format!("latent-jockey-watch-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("p.toml");
        fs::write(&file, text(0.0)).unwrap();
        let watch = Watch::looking_every(poll, Library::default()).unwrap();
        watch.follow(&Preset::load(&file).unwrap());
        Stage { folder, file, watch }
    }

    fn next(&self) -> Reload {
        let reload = self.watch.wait(GENEROUS).expect("the change is told");
        assert_eq!(reload.path, self.file);
        reload
    }

    /// Waits until the preset arrives with this psi; intermediate versions may arrive first, as valid presets, or as files
    /// that are missing or empty for longer than the thread waits, where the test itself has to wait for the machine.
    fn arrives(&self, psi: f64) {
        loop {
            match self.next().result {
                Ok(preset) if psi_of(&preset) == psi => return,
                Ok(_) => {}
                Err(error) => assert!(is_halfway(&error.to_string()), "{error}"),
            }
        }
    }

    /// The next version that is no half of one, whatever its file.
    fn whole(&self) -> Reload {
        loop {
            let reload = self.watch.wait(GENEROUS).expect("the change is told");
            if !reload.result.as_ref().is_err_and(|error| is_halfway(&error.to_string())) {
                return reload;
            }
        }
    }

    /// Waits for an error that contains this.
    fn fails(&self, what: &str) {
        loop {
            let error = self.next().result.expect_err("a broken preset").to_string();
            if error.contains(what) {
                return;
            }
            assert!(is_halfway(&error), "{error}");
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn is_halfway(error: &str) -> bool {
    ["the file is empty", "cannot read the preset"].iter().any(|halfway| error.contains(halfway))
}

fn text(psi: f64) -> String {
    format!("[params]\n\"/psi\" = {psi:?}\n")
}

fn psi_of(preset: &Preset) -> f64 {
    match preset.params[..] {
        [(target, Value::Float(psi))] if target == Id::Psi.into() => psi,
        ref other => panic!("{other:?}"),
    }
}

fn move_over(from: &Path, to: &Path) {
    fs::rename(from, to).unwrap();
}

#[test]
fn rewritten_in_place() {
    let stage = Stage::new("rewritten");
    for psi in [0.25, 0.5, 1.0] {
        fs::write(&stage.file, text(psi)).unwrap();
        stage.arrives(psi);
    }
}

#[test]
fn another_file_is_moved_over_it() {
    let stage = Stage::new("moved");
    for psi in [0.25, 0.5] {
        let aside = stage.folder.join(".p.toml.swp");
        fs::write(&aside, text(psi)).unwrap();
        move_over(&aside, &stage.file);
        stage.arrives(psi);
    }
}

#[test]
fn moved_to_a_backup_and_rewritten() {
    let stage = Stage::new("backup");
    move_over(&stage.file, &stage.folder.join("p.toml~"));
    fs::write(&stage.file, text(0.5)).unwrap();
    stage.arrives(0.5);
}

#[test]
fn truncated_and_written_later() {
    let stage = Stage::new("truncated");
    fs::write(&stage.file, "").unwrap();
    stage.fails("the file is empty");
    fs::write(&stage.file, text(0.5)).unwrap();
    stage.arrives(0.5);
}

#[test]
fn removed_and_recreated() {
    let stage = Stage::new("removed");
    fs::remove_file(&stage.file).unwrap();
    stage.fails("cannot read the preset");
    fs::write(&stage.file, text(0.5)).unwrap();
    stage.arrives(0.5);
}

#[test]
fn broken_and_repaired() {
    let stage = Stage::new("broken");
    fs::write(&stage.file, "[params]\n\"/psy\" = 1\n").unwrap();
    stage.fails("p.toml:2:1: \"/psy\" is not a parameter; did you mean \"/psi\"?");
    // Back to what it was before it broke: that is a change too.
    fs::write(&stage.file, text(0.0)).unwrap();
    stage.arrives(0.0);
}

#[test]
fn the_whole_folder_is_replaced() {
    // A deleted folder sends no notification; polling finds the new one.
    let stage = Stage::looking_every("folder", Duration::from_millis(100));
    let aside = stage.folder.with_extension("old");
    let _ = fs::remove_dir_all(&aside);
    fs::rename(&stage.folder, &aside).unwrap();
    fs::create_dir(&stage.folder).unwrap();
    fs::write(&stage.file, text(0.5)).unwrap();
    stage.arrives(0.5);
    // The new folder is watched like the old one.
    fs::write(&stage.file, text(0.75)).unwrap();
    stage.arrives(0.75);
    fs::remove_dir_all(aside).unwrap();
}

#[cfg(unix)]
#[test]
fn a_symlink_and_its_target() {
    let stage = Stage::new("link");
    let real = stage.folder.join("elsewhere");
    fs::create_dir(&real).unwrap();
    fs::write(real.join("real.toml"), text(0.25)).unwrap();
    let link = stage.folder.join("link.toml");
    std::os::unix::fs::symlink(real.join("real.toml"), &link).unwrap();
    stage.watch.follow(&Preset::load(&link).unwrap());
    fs::write(real.join("real.toml"), text(0.5)).unwrap();
    let reload = stage.whole();
    assert_eq!((reload.path, psi_of(&reload.result.unwrap())), (link, 0.5));
}

#[test]
fn only_changes_to_the_followed_file_are_reported() {
    let stage = Stage::new("followed");
    let other = stage.folder.join("q.toml");
    fs::write(&other, text(0.25)).unwrap();
    stage.watch.follow(&Preset::load(&other).unwrap());
    fs::write(&stage.file, text(0.5)).unwrap();
    fs::write(&other, text(0.25)).unwrap();
    fs::write(&other, text(0.75)).unwrap();
    let reload = stage.whole();
    assert_eq!((reload.path, psi_of(&reload.result.unwrap())), (other, 0.75));
}

#[test]
fn the_newest_version_wins() {
    let stage = Stage::new("newest");
    for step in 1..=50 {
        fs::write(&stage.file, text(f64::from(step) / 100.0)).unwrap();
    }
    stage.arrives(0.5);
}
