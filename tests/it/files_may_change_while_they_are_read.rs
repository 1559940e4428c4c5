//! Does a network load or get one line, and never end the process, while a trainer writes its file again and again?

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use latent_jockey::network::style_transfer::StyleNetwork;
use latent_jockey::network::{self, NetworkError};

use super::common::fixture;

/// How often each file is loaded while it changes, at least.
const LOADS: usize = 200;

/// Writes `bytes` over `file` in pieces, as trainers and copies over a network do, until it shall stop.
fn rewrite(file: &Path, bytes: &[u8], stop: &AtomicBool) {
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        let mut out = OpenOptions::new().write(true).truncate(true).open(file).expect("the file can be written");
        for piece in bytes.chunks((bytes.len() / 7).max(1)) {
            out.write_all(piece).expect("a piece");
        }
        drop(out);
        if round % 3 == 0 {
            // Long enough for a load to succeed now and then.
            std::thread::sleep(Duration::from_millis(4));
        }
        if round % 5 == 0 {
            File::options().write(true).open(file).and_then(|f| f.set_len(bytes.len() as u64 / 3)).expect("cut");
        }
        round += 1;
    }
}

fn load(file: &Path, is_style: bool) -> Result<(), String> {
    match is_style {
        true => StyleNetwork::open(file).map(drop).map_err(|e: NetworkError| e.to_string()),
        false => network::open(file).map(drop).map_err(|e| e.to_string()),
    }
}

fn check(name: &str, is_style: bool) {
    let bytes = fs::read(fixture(name)).expect("the fixture");
    let folder: PathBuf =
        std::env::temp_dir().join(format!("latent-jockey-changing-{is_style}-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join(Path::new(name).file_name().expect("a name"));
    fs::write(&file, &bytes).expect("a copy");
    let stop = AtomicBool::new(false);
    let (mut loaded, mut changed, mut refused) = (0, 0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| rewrite(&file, &bytes, &stop));
        while loaded + changed + refused < LOADS || (changed == 0 && loaded + refused < 100 * LOADS) {
            match load(&file, is_style) {
                Ok(()) => loaded += 1,
                Err(message) => {
                    assert_eq!(message.lines().count(), 1, "{message}");
                    // What was written when it was opened may be a whole file that is cut.
                    if message.contains("changed while it was read") { changed += 1 } else { refused += 1 }
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    fs::write(&file, &bytes).expect("the whole file");
    load(&file, is_style).expect("a file that is whole again loads");
    assert!(changed > 0, "{name}: {loaded} loaded, {refused} refused, and no change was seen: the test tests nothing");
    fs::remove_dir_all(folder).expect("the folder goes");
}

#[test]
fn networks_of_every_format_load_or_get_one_line() {
    for name in ["sg2_32.pkl", "rosi_32_train.pt", "rosi_32_converted_legacy.pt", "sg2_32.safetensors"] {
        check(name, false);
    }
}

#[test]
fn style_networks_load_or_get_one_line() {
    check("style/painters8.safetensors", true);
}
