//! The thread `thumbnails` with a child process of a few lines of shell.
#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Found, HELLO, Key, Options, SQUARE, Thumbnail, Thumbnails};
use crate::patch::library::Library;

/// A folder for one test, with a JPEG that the children answer with.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("latent-jockey-thumbnails-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let jpeg = Thumbnail::encode(&[200; 4 * (SQUARE[0] * SQUARE[1]) as usize], SQUARE).unwrap();
        fs::write(folder.join("picture.jpg"), jpeg).unwrap();
        Folder(folder)
    }

    /// Thumbnails that are drawn by these lines; `draw` answers with the picture, and each start adds a line to `starts`.
    fn thumbnails(&self, script: &str) -> Thumbnails {
        let Folder(folder) = self;
        let script = format!(
            "cd {}\necho x >> starts\ndraw() {{ printf '{{\"bytes\":%d}}\\n' $(wc -c < picture.jpg); cat picture.jpg; }}\n\
             echo '{HELLO}'\n{script}",
            folder.display()
        );
        let program = move || {
            let mut command = Command::new("sh");
            command.args(["-c", &script]);
            Ok(command)
        };
        let cache = Some(folder.join("cache"));
        Thumbnails::new(Options { library: Library::default(), cache, program: Arc::new(program) })
    }

    fn starts(&self) -> usize {
        fs::read_to_string(self.0.join("starts")).unwrap_or_default().lines().count()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn seed(seed: u32) -> Key {
    Key::Seed { network: "flowers128".into(), seed }
}

/// What comes of it.
fn wait(thumbnails: &Thumbnails, key: &Key) -> Found {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        match thumbnails.find(key) {
            Found::Coming if Instant::now() < end => std::thread::sleep(Duration::from_millis(5)),
            found => return found,
        }
    }
}

fn is_ready(found: &Found) -> bool {
    matches!(found, Found::Ready(thumbnail) if [thumbnail.width, thumbnail.height] == SQUARE)
}

const DRAWS: &str = "while read line; do draw; done";

#[test]
fn a_picture_is_drawn_once_and_found_after_a_restart() {
    let folder = Folder::new("once");
    let thumbnails = folder.thumbnails(DRAWS);
    assert_eq!(folder.starts(), 0, "nothing runs before something is asked for");
    for n in [1, 2, 1] {
        assert!(is_ready(&wait(&thumbnails, &seed(n))), "{n}");
    }
    assert!(thumbnails.get(&seed(2)).is_some());
    assert_eq!(folder.starts(), 1);
    drop(thumbnails);
    let again = folder.thumbnails("exit");
    assert!(is_ready(&wait(&again, &seed(1))));
    assert_eq!(folder.starts(), 1, "no child is needed");
    fs::write(cached(&folder.0), b"not a picture").unwrap();
    let broken = folder.thumbnails(DRAWS);
    assert!(is_ready(&wait(&broken, &seed(1))) && is_ready(&wait(&broken, &seed(2))));
    assert_eq!(folder.starts(), 2, "a broken file is drawn again");
}

/// One of the files that were kept.
fn cached(folder: &Path) -> PathBuf {
    fs::read_dir(folder.join("cache")).unwrap().flatten().next().unwrap().path()
}

#[test]
fn a_picture_that_kills_the_child_costs_no_other_and_is_tried_twice() {
    let folder = Folder::new("killed");
    let thumbnails = folder.thumbnails("while read line; do case $line in *:13}*) kill -9 $$;; *) draw;; esac; done");
    assert!(is_ready(&wait(&thumbnails, &seed(1))));
    assert_eq!(wait(&thumbnails, &seed(13)), Found::Absent);
    assert!(is_ready(&wait(&thumbnails, &seed(2))));
    assert_eq!(folder.starts(), 3);
    assert_eq!(thumbnails.find(&seed(13)), Found::Absent, "it is not tried again");
}

#[test]
fn a_child_that_somebody_killed_is_started_again_and_draws_the_same() {
    let folder = Folder::new("murdered");
    let script = "while read line; do if [ -e killed ]; then draw; else touch killed; kill -9 $$; fi; done";
    let thumbnails = folder.thumbnails(script);
    assert!(is_ready(&wait(&thumbnails, &seed(1))));
    assert_eq!(folder.starts(), 2);
}

#[test]
fn a_child_that_cannot_draw_is_given_up_and_what_ships_is_shown() {
    let missing = || Err(std::io::Error::other("no program"));
    let silent = || {
        let mut command = Command::new("sh");
        command.args(["-c", "echo nonsense; exit 1"]);
        Ok(command)
    };
    let programs: [Arc<dyn Fn() -> std::io::Result<Command> + Send + Sync>; 2] = [Arc::new(missing), Arc::new(silent)];
    for program in programs {
        let thumbnails = Thumbnails::new(Options { program, cache: None, ..Options::new(Library::default()) });
        for n in [1, 2] {
            assert_eq!(wait(&thumbnails, &seed(n)), Found::Absent, "{n}");
        }
        assert!(matches!(wait(&thumbnails, &Key::Preset("1-vortex".into())), Found::Ready(_)));
        assert!(is_ready(&wait(&thumbnails, &Key::Network("flowers128".into()))));
    }
}

#[test]
fn what_is_unknown_or_fails_is_absent() {
    let folder = Folder::new("absent");
    let thumbnails = folder.thumbnails("while read line; do echo '{\"error\":\"no\"}'; done");
    let hostile = ["none", "..", "/etc/passwd", "../../etc/passwd", "a\nb", "\u{202e}", "{\"bytes\":1}", "%2e%2e"];
    for name in hostile {
        assert_eq!(wait(&thumbnails, &Key::Preset(name.into())), Found::Absent, "{name}");
    }
    // A path names a file, if there is one; the page's server refuses it.
    for name in hostile.into_iter().filter(|name| !name.contains('/')) {
        assert_eq!(wait(&thumbnails, &Key::Network(name.into())), Found::Absent, "{name}");
    }
    assert_eq!(folder.starts(), 0, "nothing of it reaches the child");
    assert_eq!(wait(&thumbnails, &seed(1)), Found::Absent);
    assert_eq!((folder.starts(), thumbnails.get(&seed(1))), (1, None));
}

#[test]
fn the_child_ends_with_the_last_handle() {
    let folder = Folder::new("ends");
    let script = "echo $$ > pid; while read line; do case $line in *:2}*) exec sleep 600;; *) draw;; esac; done";
    let thumbnails = folder.thumbnails(script);
    let other = thumbnails.clone();
    assert!(is_ready(&wait(&thumbnails, &seed(1))));
    thumbnails.get(&seed(2));
    drop(thumbnails);
    let pid: i32 = fs::read_to_string(folder.0.join("pid")).unwrap().trim().parse().unwrap();
    let runs = || nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_ok();
    assert!(runs(), "another handle is left");
    drop(other);
    let end = Instant::now() + Duration::from_secs(60);
    while runs() {
        assert!(Instant::now() < end, "the child still runs");
        std::thread::sleep(Duration::from_millis(10));
    }
}
