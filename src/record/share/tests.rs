use std::path::Path;
use std::process::Command;

use super::super::test::{LOOK, Still, wait_until};
use super::*;

/// Every pixel differs from the others; the alpha does not matter.
fn picture(serial: u64, size: [u32; 2]) -> Arc<Still> {
    let pixel = |i: u32| [(u64::from(i) + serial) as u8, (i * 7) as u8, (200 - i) as u8, i as u8];
    Arc::new(Still { serial, size, rgba: (0..size[0] * size[1]).flat_map(pixel).collect() })
}

fn target(text: &str) -> Target {
    Target::parse(text).unwrap()
}

/// Waits for the next line for the player.
fn told(share: &Share) -> String {
    let mut note = None;
    wait_until(|| {
        note = share.take_note();
        note.is_some()
    });
    note.unwrap()
}

#[test]
fn a_target_is_a_way_with_or_without_a_name() {
    let texts = |text: &str| Target::parse_all(text).map(|all| all.iter().map(Target::to_string).collect::<Vec<_>>());
    assert_eq!(texts(" "), Ok(vec![]));
    assert_eq!(texts("ndi"), Ok(vec!["ndi:Latent Jockey".to_owned()]));
    let several = ["ndi:Bühne: links", "spout:Latent Jockey", "ndi:2"].map(str::to_owned).to_vec();
    assert_eq!(texts("NDI: Bühne: links , Spout: , ndi:2,"), Ok(several));
    let long = format!("ndi:{}", "x".repeat(LONGEST_NAME + 1));
    for wrong in ["srt://x", "ndi:a, laser", "ndi:a\nb", "spout:Bühne", "ndi, ndi:Latent Jockey", &long] {
        let error = texts(wrong).unwrap_err();
        assert!(error.contains("; got ") && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn a_picture_can_be_blue_first_and_opaque() {
    let mut out = Vec::new();
    push_bgra(&[1, 2, 3, 0, 5, 6, 7, 128], &mut out);
    assert_eq!(out, [3, 2, 1, 255, 7, 6, 5, 255]);
}

/// What a stand-in is asked for.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// What stands in for another program.
#[derive(Clone)]
struct StandIn {
    log: Log,
    /// How many receive.
    receivers: Arc<AtomicU32>,
    /// Taken while a picture is being sent.
    busy: Arc<Mutex<()>>,
    /// How many pictures came.
    begun: Arc<AtomicU32>,
    /// How many pictures it takes before it is lost.
    patience: usize,
}

struct Opened(StandIn);

impl Sender for Opened {
    fn name(&self) -> &'static str {
        "stand-in"
    }
    fn receivers(&mut self) -> Option<u32> {
        Some(self.0.receivers.load(Ordering::Relaxed)).filter(|&count| count < u32::MAX)
    }
    fn send(&mut self, picture: &Pixels) -> Result<(), String> {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        let _busy = self.0.busy.lock().unwrap();
        self.0.patience = self.0.patience.checked_sub(1).ok_or("unplugged")?;
        let [width, height] = picture.size;
        self.0.log.add(format!("{width}x{height} {} at {}", picture.rgba[0], picture.fps));
        Ok(())
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.log.add("closed".to_owned());
    }
}

struct Rig {
    share: Share,
    tap: ShareTap,
    log: Log,
    receivers: Arc<AtomicU32>,
    busy: Arc<Mutex<()>>,
    begun: Arc<AtomicU32>,
}

/// A share with a stand-in that takes this many pictures; those that are opened after it take all.
fn rig(patience: usize) -> Rig {
    let (log, receivers, busy) = (Log::default(), Arc::new(AtomicU32::new(1)), Arc::<Mutex<()>>::default());
    let begun = Arc::<AtomicU32>::default();
    let stand_in = {
        let (log, receivers, busy, begun) = (log.clone(), receivers.clone(), busy.clone(), begun.clone());
        StandIn { log, receivers, busy, begun, patience }
    };
    let is_opened = AtomicBool::new(false);
    let open = move || {
        let patience = if is_opened.swap(true, Ordering::Relaxed) { usize::MAX } else { patience };
        Ok(Box::new(Opened(StandIn { patience, ..stand_in.clone() })) as Box<dyn Sender>)
    };
    let (share, tap) = Share::start_by(target("ndi:x"), 10.0, 5, None, open).unwrap();
    Rig { share, tap, log, receivers, busy, begun }
}

#[test]
fn the_newest_picture_wins_and_the_show_never_waits() {
    let Rig { share, mut tap, log, busy, begun, .. } = rig(usize::MAX);
    assert_eq!(told(&share), "sharing by NDI as \"stand-in\"");
    wait_until(|| tap.wants());
    tap.frame(0.1, LOOK, [0; 2], &picture(4, [2, 2]));
    tap.frame(0.1, LOOK, [0; 2], &picture(5, [2, 2]));
    wait_until(|| log.all().len() == 1);
    let holds_up = busy.lock().unwrap();
    tap.frame(0.1, LOOK, [0; 2], &picture(6, [3, 3]));
    // The thread is held up by that one.
    wait_until(|| begun.load(Ordering::Relaxed) == 2);
    for serial in 7..=9 {
        tap.frame(0.1, LOOK, [4, 4], &picture(serial, [4, 4]));
    }
    // Too early for one of ten in a second.
    tap.frame(0.01, LOOK, [4, 4], &picture(10, [4, 4]));
    assert_eq!(share.line(), "ndi:x (1 receives)  2 dropped");
    drop(holds_up);
    wait_until(|| log.all().len() == 3);
    drop(share);
    assert_eq!(log.all(), ["2x2 5 at 10", "3x3 6 at 10", "4x4 9 at 10", "closed"]);
    assert!(tap.is_over());
}

#[test]
fn pictures_are_asked_for_while_somebody_receives() {
    let Rig { share, mut tap, log, receivers, .. } = rig(usize::MAX);
    receivers.store(0, Ordering::Relaxed);
    wait_until(|| tap.wants());
    tap.frame(0.1, LOOK, [0; 2], &picture(5, [2, 2]));
    wait_until(|| log.all().len() == 1 && !tap.wants());
    assert_eq!(share.line(), "ndi:x (nobody receives)");
    receivers.store(2, Ordering::Relaxed);
    wait_until(|| tap.wants());
    assert_eq!(share.line(), "ndi:x (2 receive)");
    // A picture that stays is sent again now and then, at the rate that is asked for meanwhile.
    share.set_fps(20.0);
    (0..20).for_each(|_| {
        tap.frame(0.05, LOOK, [0; 2], &picture(5, [2, 2]));
        std::thread::sleep(Duration::from_millis(2));
    });
    wait_until(|| log.all().len() > 2);
    assert_eq!(log.all().last().map(String::as_str), Some("2x2 5 at 20"));
    receivers.store(u32::MAX, Ordering::Relaxed);
    wait_until(|| share.line() == "ndi:x");
}

#[test]
fn what_is_lost_is_opened_again() {
    let Rig { share, mut tap, log, .. } = rig(1);
    told(&share);
    let mut serial = 5;
    let mut play = |until: &dyn Fn() -> Option<String>| {
        let mut note = None;
        wait_until(|| {
            serial += 1;
            tap.frame(0.1, LOOK, [0; 2], &picture(serial, [2, 2]));
            note = until();
            note.is_some()
        });
        note.unwrap()
    };
    let note = || share.take_note();
    assert_eq!(play(&note), "sharing by NDI is lost: unplugged; trying again");
    assert_eq!(play(&note), "sharing by NDI is back, as \"stand-in\"");
    drop(share);
    // The newest picture wins: which that is, the machine's load decides.
    let all = log.all();
    assert!(all[0].starts_with("2x2 ") && all[0].ends_with(" at 10") && all[1] == "closed", "{all:?}");
}

#[test]
fn the_next_of_a_name_waits_for_the_one_before() {
    let Rig { share, log, .. } = rig(usize::MAX);
    told(&share);
    let opened = log.clone();
    let open = move || {
        opened.add("opened".to_owned());
        Err("that is enough".to_owned())
    };
    let (next, tap) = Share::start_by(target("ndi:x"), 10.0, 0, Some(share), open).unwrap();
    assert_eq!(told(&next), "no pictures by NDI: that is enough");
    wait_until(|| next.has_ended());
    assert!(tap.is_over() && !tap.wants());
    assert_eq!(log.all(), ["closed", "opened"]);
}

/// A folder with a library that stands in for NDI's, and the file to which it writes what it is asked for. `None`, with a
/// word, without a C compiler.
fn ndi_library(name: &str, defines: &[&str]) -> Option<(PathBuf, PathBuf)> {
    let folder = std::env::temp_dir().join(format!("latent-jockey-ndi-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let (library, log) = (folder.join("libndi.so.6"), folder.join("log"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ndi/fake.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"]).arg(&library).arg(source);
    compiler.arg(format!("-DLOG=\"{}\"", log.display())).arg("-DCONNECTIONS=1").args(defines);
    match compiler.status() {
        Ok(status) => assert!(status.success(), "{compiler:?}"),
        Err(error) => {
            println!("skipped: no C compiler ({error})");
            return None;
        }
    }
    Some((library, log))
}

/// As the stand-in counts: FNV-1a over red, green and blue.
fn sum(rgba: &[u8]) -> u32 {
    let bytes = rgba.chunks_exact(4).flat_map(|pixel| &pixel[..3]);
    bytes.fold(2_166_136_261, |sum, &byte| (sum ^ u32::from(byte)).wrapping_mul(16_777_619))
}

#[test]
fn ndi_gets_the_picture_upright_and_in_its_colours() {
    let Some((library, log)) = ndi_library("picture", &[]) else { return };
    let lines =
        || -> Vec<String> { std::fs::read_to_string(&log).unwrap_or_default().lines().map(str::to_owned).collect() };
    let open = {
        let library = library.clone();
        move || Ok(Box::new(ndi::Sender::open(std::slice::from_ref(&library), "Bühne")?) as Box<dyn Sender>)
    };
    assert_eq!(
        ndi::available(std::slice::from_ref(&library)),
        Ok(format!("FAKE NDI 6.0 ({})", library.display())),
        "looking at it does not begin anything"
    );
    assert!(lines().is_empty());
    let (share, mut tap) = Share::start_by(target("ndi:Bühne"), 60.0, 0, None, open).unwrap();
    assert_eq!(told(&share), "sharing by NDI as \"STAGE (Bühne)\"");
    wait_until(|| tap.wants());
    let even = picture(1, [8, 3]);
    tap.frame(0.1, LOOK, [0; 2], &even);
    wait_until(|| lines().len() == 3);
    // An odd width grows by a pixel; another rate; half the light.
    share.set_fps(29.97);
    let odd = picture(2, [5, 2]);
    tap.frame(0.1, LOOK, [0; 2], &odd);
    wait_until(|| lines().len() == 4);
    tap.frame(0.1, Look { brightness: 0.0, ..LOOK }, [4, 4], &odd);
    wait_until(|| lines().len() == 5);
    drop(share);
    let row = |y: usize| [&odd.rgba[y * 20..][..20], &odd.rgba[y * 20 + 16..][..4]].concat();
    let wide = [row(0), row(1)].concat();
    let video = |size: &str, rate: &str, stride: u32, first: &str, last: &str, rgba: &[u8]| {
        let fixed = "aspect 0 format 1 synthesized 1";
        format!(
            "video 1 {size} RGBX {rate} {fixed} stride {stride} metadata 0 first {first} last {last} sum {:08x}",
            sum(rgba)
        )
    };
    assert_eq!(
        lines(),
        [
            "initialize".to_owned(),
            "create \"Bühne\" groups 0 clocks 0 0".to_owned(),
            video("8x3", "60/1", 32, "1,0,200", "24,161,177", &even.rgba),
            video("6x2", "30000/1001", 24, "2,0,200", "11,63,191", &wide),
            video("4x4", "30000/1001", 16, "0,0,0", "0,0,0", &[0; 64]),
            "end 1".to_owned(),
            "destroy".to_owned(),
        ]
    );
    std::fs::remove_dir_all(library.parent().unwrap()).unwrap();
}

#[test]
fn an_ndi_library_that_is_missing_or_odd_costs_one_line() {
    let open = |places: &[PathBuf], name: &str| ndi::Sender::open(places, name).map(|_| ()).unwrap_err();
    let nowhere = [PathBuf::from("/nowhere/libndi.so.6"), PathBuf::from("no-such-library.so")];
    let missing = open(&nowhere, "x");
    assert!(
        missing.starts_with("no library, looked for /nowhere/libndi.so.6, no-such-library.so; install "),
        "{missing}"
    );
    assert!(missing.contains("https://ndi.video") && missing.contains("NDI_RUNTIME_DIR_V6"), "{missing}");
    assert_eq!(ndi::available(&nowhere), Err(missing));
    let Some((library, log)) = ndi_library("refusing", &["-DNO_INITIALIZE"]) else { return };
    let refusing = open(&[nowhere[0].clone(), library.clone()], "x");
    assert_eq!(refusing, format!("{} does not run on this processor", library.display()));
    assert!(!log.exists(), "nothing to destroy");
    let Some((old, _)) = ndi_library("old", &["-DNO_VIDEO"]) else { return };
    let lacking = "is no NDI library of version 5 or 6: it has no NDIlib_send_send_video_v2";
    assert_eq!(open(std::slice::from_ref(&old), "x"), format!("{} {lacking}", old.display()));
    let text = old.with_file_name("libndi.so.5");
    std::fs::write(&text, "not a library").unwrap();
    assert!(open(std::slice::from_ref(&text), "x").starts_with(&format!("cannot load {}: ", text.display())));
    let Some((taken, log)) = ndi_library("taken", &[]) else { return };
    let error = open(std::slice::from_ref(&taken), "Taken");
    assert!(error.contains("\"Taken\"") && error.lines().count() == 1, "{error}");
    assert!(std::fs::read_to_string(log).unwrap().ends_with("destroy\n"), "it is left as it was");
    for file in [library, old, taken] {
        std::fs::remove_dir_all(file.parent().unwrap()).unwrap();
    }
}
