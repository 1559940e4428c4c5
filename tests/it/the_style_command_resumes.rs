//! Does `style` write all its files, and the same ones however often it is interrupted?

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A temporary folder with a picture in it, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("latent-jockey-style-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("pictures")).expect("a folder");
        let picture =
            image::RgbImage::from_fn(48, 36, |x, y| image::Rgb([5 * x as u8, 7 * y as u8, (x * y % 256) as u8]));
        picture.save(folder.join("pictures/a.png")).expect("a picture");
        Folder(folder)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    /// `style pictures/a.png --out OUT` and more.
    fn command(&self, out: &str, more: &[&str]) -> Command {
        self.command_on("pictures/a.png", out, more)
    }

    fn command_on(&self, picture: &str, out: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_latent-jockey"));
        command.arg("style").arg(self.at(picture)).arg("--out").arg(self.at(out));
        command.args(["--size", "32", "--zoom", "1.02"]).args(more);
        command
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn done(mut command: Command) {
    let Output { status, stdout, stderr } = command.output().expect("it runs");
    let told = String::from_utf8_lossy(&stderr).into_owned() + &String::from_utf8_lossy(&stdout);
    assert!(status.success(), "{told}");
}

fn refused(mut command: Command) -> String {
    let Output { status, stderr, .. } = command.output().expect("it runs");
    assert!(!status.success());
    String::from_utf8_lossy(&stderr).into_owned()
}

/// Names and bytes of a folder's files.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let listing = fs::read_dir(folder).expect("a folder").flatten();
    let mut files: Vec<_> =
        listing.map(|f| (f.file_name().to_string_lossy().into_owned(), fs::read(f.path()).expect("a file"))).collect();
    files.sort();
    files
}

fn assert_same(a: &Path, b: &Path) {
    let (a, b) = (files(a), files(b));
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|f| f.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(&a), names(&b));
    for (one, other) in a.iter().zip(&b) {
        assert!(one.1 == other.1, "{} differs", one.0);
    }
}

#[test]
fn the_same_command_gives_the_same_bytes_and_every_file() {
    let folder = Folder::new("same");
    let more = ["--passes", "5", "--every", "2", "--fps", "0", "--style", "klimt-the-kiss"];
    done(folder.command("one", &more));
    done(folder.command("two", &more));
    assert_same(&folder.at("one"), &folder.at("two"));
    let names: Vec<String> = files(&folder.at("one")).into_iter().map(|f| f.0).collect();
    let passes = ["pass_0000.png", "pass_0001.png", "pass_0002.png", "pass_0004.png", "pass_0005.png"];
    assert_eq!(names[..5], passes);
    assert_eq!(names[5..], ["passes.csv", "passes.svg", "resume.bin", "sheet.png"]);
    let table = fs::read_to_string(folder.at("one/passes.csv")).expect("a table");
    assert_eq!(table.lines().count(), 6);
    assert!(table.starts_with("pass,content,original,change,"), "{table}");
    let plot = fs::read_to_string(folder.at("one/passes.svg")).expect("a plot");
    assert_eq!(plot.matches("<polyline").count(), 3);
    let size = image::image_dimensions(folder.at("one/pass_0005.png")).expect("a picture");
    assert_eq!(size, (44, 32), "the picture's shape, in fours");
}

#[test]
fn a_killed_run_resumes_to_the_same_result() {
    let folder = Folder::new("killed");
    let more = ["--passes", "120", "--fps", "0"];
    let mut child =
        folder.command("killed", &more).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    let until = Instant::now() + Duration::from_secs(120);
    while !folder.at("killed/pass_0007.png").exists() {
        assert!(Instant::now() < until, "it never got there");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    assert!(!folder.at("killed/sheet.png").exists(), "it was done before it could be stopped");
    done(folder.command("killed", &more));
    done(folder.command("whole", &more));
    assert_same(&folder.at("killed"), &folder.at("whole"));
}

#[test]
fn more_passes_resume_and_a_broken_journal_starts_over() {
    let folder = Folder::new("more");
    done(folder.command("more", &["--passes", "3", "--fps", "0"]));
    done(folder.command("more", &["--passes", "5", "--fps", "0"]));
    done(folder.command("whole", &["--passes", "5", "--fps", "0"]));
    assert_same(&folder.at("more"), &folder.at("whole"));
    let notes = fs::read(folder.at("more/resume.bin")).expect("notes");
    fs::write(folder.at("more/resume.bin"), &notes[..notes.len() / 2]).expect("a file");
    done(folder.command("more", &["--passes", "5", "--fps", "0"]));
    assert_same(&folder.at("more"), &folder.at("whole"));
    let told = refused(folder.command("more", &["--passes", "5", "--keep", "0.5"]));
    assert!(told.contains("passes of another command") && told.contains("more"), "{told}");
    done(folder.command("more", &["--passes", "2", "--fps", "0", "--keep", "0.5", "--overwrite"]));
    done(folder.command("other", &["--passes", "2", "--fps", "0", "--keep", "0.5"]));
    let pass = "pass_0002.png";
    assert!(fs::read(folder.at("more").join(pass)).ok() == fs::read(folder.at("other").join(pass)).ok());
    // Files of somebody else.
    fs::create_dir(folder.at("mine")).expect("a folder");
    fs::write(folder.at("mine/sheet.png"), "mine").expect("a file");
    let told = refused(folder.command("mine", &["--passes", "2", "--fps", "0"]));
    assert!(told.contains("sheet.png already exists; --overwrite replaces it"), "{told}");
    assert_eq!(files(&folder.at("mine")).len(), 1, "nothing was begun");
}

#[test]
fn a_folder_of_pictures_gives_a_folder_for_each() {
    let folder = Folder::new("folder");
    image::RgbImage::from_pixel(20, 40, image::Rgb([200, 90, 10]))
        .save(folder.at("pictures/b.jpg"))
        .expect("a picture");
    fs::write(folder.at("pictures/notes.txt"), "no picture").expect("a file");
    done(folder.command_on("pictures", "out", &["--passes", "2", "--fps", "0"]));
    done(folder.command("alone", &["--passes", "2", "--fps", "0"]));
    assert_same(&folder.at("out/a"), &folder.at("alone"));
    let size = image::image_dimensions(folder.at("out/b/pass_0002.png")).expect("a picture");
    assert_eq!(size, (32, 64));
    let folders: Vec<_> = fs::read_dir(folder.at("out")).expect("a folder").flatten().map(|f| f.file_name()).collect();
    assert_eq!(folders.len(), 2, "{folders:?}");
}

#[test]
fn passes_become_a_video_if_ffmpeg_is_installed() {
    let quiet = Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let folder = Folder::new("video");
    done(folder.command("out", &["--passes", "6"]));
    let video = folder.at("out/passes.mp4");
    if quiet.is_ok_and(|status| status.success()) {
        let bytes = fs::read(&video).expect("a video");
        assert_eq!(&bytes[4..8], b"ftyp");
    } else {
        assert!(!video.exists(), "skipped: no ffmpeg");
    }
}

#[test]
fn a_mistake_is_one_line_that_names_it() {
    let folder = Folder::new("mistakes");
    fs::write(folder.at("pictures/broken.png"), "no picture").expect("a file");
    let lines = [
        (refused(folder.command_on("pictures/none.png", "out", &[])), "none.png"),
        (refused(folder.command_on("pictures/broken.png", "out", &[])), "broken.png"),
        (refused(folder.command("out", &["--network", "painters9"])), "painters8"),
        (refused(folder.command("out", &["--style", "99"])), "styles 0 to 7"),
        (refused(folder.command("out", &["--style", "dali"])), "hokusai-great-wave"),
        (refused(folder.command("out", &["--keep", "2"])), "--keep"),
    ];
    for (told, named) in lines {
        assert!(told.contains(named) && told.lines().count() == 1, "{named}: {told}");
    }
}
