//! The thread `take`: keeps what has entered the show so far, and writes it to a file when a take is started.
//!
//! A take that begins in the middle of a show needs everything since the show's start, because live code and feedback have
//! no state that could be written down. So the log is always kept, compressed in memory (a few megabytes an hour without
//! sound), and a take holds it whole, with a mark where it begins. The show hands over a piece every second and never waits:
//! what the thread does not take stays with the show.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use super::read::hash;
use super::{ENDING, FileUsed};
use crate::file;
use crate::record::snapshot::{self, Still};

/// Pieces and orders on their way to the thread.
const NOTES: usize = 16;
/// Bytes of the log that are compressed together.
const BLOCK: usize = 256 << 10;
/// Most takes of one name in a folder.
const MOST_TAKES: usize = 10_000;

/// What the show hands over.
#[derive(Debug)]
pub enum Note {
    /// Whole lines; the buffer comes back.
    Lines(Vec<u8>),
    /// A network or a picture was played.
    File(PathBuf),
    /// A track was heard.
    Track(PathBuf),
    /// Writes everything so far and from now on to a new file, `take.take` unless named. If there is one already, it gets a
    /// number.
    Start(Option<PathBuf>),
    Stop,
    /// Writes a picture, and everything that leads up to it.
    Still(Box<Still>),
}

/// What the thread tells the show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Started(PathBuf),
    Stopped {
        path: PathBuf,
        bytes: u64,
    },
    /// The take has ended; what is written stays.
    Failed(String),
    /// A snapshot was written, or why not.
    Still(Result<PathBuf, String>),
}

/// The thread `take`. It ends with its recorder, after what was handed over is written.
#[derive(Debug)]
pub struct Recorder {
    notes: Option<Sender<Note>>,
    spare: Receiver<Vec<u8>>,
    told: Receiver<Told>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Starts the thread. `head` is the header's line.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(head: Vec<u8>) -> io::Result<Self> {
        let (notes, inbox) = bounded(NOTES);
        let (give_back, spare) = bounded(NOTES);
        let (tell, told) = bounded(NOTES);
        let work = move || {
            let mut writer = Writer { head, log: Log::default(), files: Vec::new(), open: None };
            for note in inbox {
                if let Some(told) = writer.take(&note) {
                    // Nobody listens when the show is ending.
                    let _ = tell.try_send(told);
                }
                if let Note::Lines(mut lines) = note {
                    lines.clear();
                    let _ = give_back.try_send(lines);
                }
            }
        };
        let thread = std::thread::Builder::new().name("take".to_owned()).spawn(work)?;
        Ok(Recorder { notes: Some(notes), spare, told, thread: Some(thread) })
    }

    /// Hands something over. Never waits.
    ///
    /// # Errors
    /// Returns it if the thread is busy: try again later.
    pub fn hand(&self, note: Note) -> Result<(), Note> {
        let Some(notes) = &self.notes else { return Err(note) };
        notes.try_send(note).map_err(TrySendError::into_inner)
    }

    /// Whether something can be handed over at the moment.
    pub fn has_room(&self) -> bool {
        self.notes.as_ref().is_some_and(|notes| !notes.is_full())
    }

    /// An empty buffer that was handed over before.
    pub fn spare(&self) -> Option<Vec<u8>> {
        self.spare.try_recv().ok()
    }

    /// What has happened since the last call.
    pub fn told(&self) -> Option<Told> {
        self.told.try_recv().ok()
    }

    /// Hands over the rest at the end of a show, and waits until everything is written.
    pub fn finish(&mut self, rest: Vec<Note>) {
        if let Some(notes) = self.notes.take() {
            for note in rest {
                // Fails only if the thread has panicked.
                let _ = notes.send(note);
            }
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.finish(Vec::new());
    }
}

/// Everything since the show's start.
#[derive(Default)]
struct Log {
    blocks: Vec<Vec<u8>>,
    /// Not compressed yet.
    tail: Vec<u8>,
}

impl Log {
    fn add(&mut self, lines: &[u8]) {
        self.tail.extend_from_slice(lines);
        if self.tail.len() >= BLOCK {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
            // Writing to memory cannot fail.
            let block = encoder.write_all(&self.tail).and_then(|()| encoder.finish());
            self.blocks.extend(block.ok());
            self.tail.clear();
        }
    }

    fn write_to(&self, out: &mut impl Write) -> io::Result<u64> {
        let mut count = 0;
        for block in &self.blocks {
            count += io::copy(&mut DeflateDecoder::new(block.as_slice()), out)?;
        }
        out.write_all(&self.tail)?;
        Ok(count + self.tail.len() as u64)
    }
}

/// A file that was played.
struct Played {
    path: PathBuf,
    state: file::State,
    sound: bool,
    /// `None` until a take needs it.
    used: Option<FileUsed>,
}

impl Played {
    /// Its line in a take.
    fn line(&mut self) -> io::Result<Vec<u8>> {
        let used = self.used.get_or_insert_with(|| {
            let path = &self.path;
            let whole = Some(path).filter(|path| path.is_relative() && !file::is_built_in(path));
            let whole = whole.and_then(|path| std::path::absolute(path).ok());
            FileUsed {
                path: path.to_string_lossy().into_owned(),
                whole: whole.map(|path| path.to_string_lossy().into_owned()),
                bytes: self.state.bytes(),
                // A file that is gone already will be missed when the take is played.
                hash: hash(path).unwrap_or_default(),
                sound: self.sound,
            }
        });
        let mut line = serde_json::to_vec(&serde_json::json!({ "file": used }))?;
        line.push(b'\n');
        Ok(line)
    }
}

struct Open {
    file: File,
    path: PathBuf,
    bytes: u64,
    /// How many of the played files it names.
    named: usize,
}

impl Open {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

/// What the thread works with.
struct Writer {
    head: Vec<u8>,
    log: Log,
    files: Vec<Played>,
    open: Option<Open>,
}

impl Writer {
    fn take(&mut self, note: &Note) -> Option<Told> {
        match note {
            Note::Lines(lines) => {
                self.log.add(lines);
                let open = self.open.as_mut()?;
                let written = open.write(lines);
                self.check(written)
            }
            Note::File(path) | Note::Track(path) => {
                self.played(path, matches!(note, Note::Track(_)));
                let written = self.name_files();
                self.check(written)
            }
            Note::Start(path) => {
                let stopped = self.stop();
                let started = self.start(path.as_deref());
                match started {
                    Ok(path) => Some(Told::Started(path)),
                    Err(line) => {
                        self.open = None;
                        Some(Told::Failed(line)).or(stopped)
                    }
                }
            }
            Note::Stop => self.stop(),
            Note::Still(still) => Some(Told::Still(self.still(still))),
        }
    }

    fn played(&mut self, path: &Path, sound: bool) {
        let state = file::state(path);
        if !self.files.iter().any(|played| played.path == path && played.state == state) {
            self.files.push(Played { path: path.to_owned(), state, sound, used: None });
        }
    }

    fn start(&mut self, path: Option<&Path>) -> Result<PathBuf, String> {
        let path = path.unwrap_or(Path::new("take"));
        let wanted = if path.extension().is_none() { path.with_extension(ENDING) } else { path.to_owned() };
        let (file, path) = free_name(&wanted).map_err(|error| failed(&wanted, &error))?;
        let mut open = Open { file, path: path.clone(), bytes: 0, named: 0 };
        let written = open.write(&self.head).and_then(|()| {
            let mut out = io::BufWriter::new(&mut open.file);
            let count = self.log.write_to(&mut out)?;
            out.flush()?;
            drop(out);
            open.bytes += count;
            open.write(b"{\"start\":true}\n")
        });
        written.map_err(|error| failed(&path, &error))?;
        self.open = Some(open);
        self.name_files().map_err(|error| failed(&path, &error))?;
        Ok(path)
    }

    fn still(&mut self, still: &Still) -> Result<PathBuf, String> {
        let path = still.path.as_deref().unwrap_or(Path::new("snapshot"));
        let wanted = if path.extension().is_none() { path.with_extension(snapshot::ENDING) } else { path.to_owned() };
        let failed = |path: &Path, error: &io::Error| format!("cannot write {}: {error}", path.display());
        let mut text = self.head.clone();
        let written = self.log.write_to(&mut text).and_then(|_| {
            self.files.iter_mut().try_for_each(|played| text.write_all(&played.line()?))?;
            writeln!(text, "{{\"picture\":{}}}", still.frames)
        });
        written.map_err(|error| failed(&wanted, &error))?;
        let text = String::from_utf8(text).map_err(|error| format!("the log is broken: {error}"))?;
        let (file, path) = free_name(&wanted).map_err(|error| failed(&wanted, &error))?;
        let mut out = io::BufWriter::new(file);
        still.write(text, &mut out).and_then(|()| out.flush()).map_err(|error| failed(&path, &error))?;
        Ok(path)
    }

    fn stop(&mut self) -> Option<Told> {
        let open = self.open.take()?;
        Some(match open.file.sync_all() {
            Ok(()) => Told::Stopped { path: open.path, bytes: open.bytes },
            Err(error) => Told::Failed(failed(&open.path, &error)),
        })
    }

    /// Names the files that were played and are not in the take yet.
    fn name_files(&mut self) -> io::Result<()> {
        let Writer { files, open, .. } = self;
        let Some(open) = open else { return Ok(()) };
        while let Some(played) = files.get_mut(open.named) {
            open.named += 1;
            open.write(&played.line()?)?;
        }
        Ok(())
    }

    /// Ends the take if something could not be written.
    fn check(&mut self, written: io::Result<()>) -> Option<Told> {
        let error = written.err()?;
        let open = self.open.take()?;
        Some(Told::Failed(failed(&open.path, &error)))
    }
}

fn failed(path: &Path, error: &io::Error) -> String {
    format!("the take ends: cannot write {}: {error}", path.display())
}

/// A new file: `wanted`, or with a number if there is one already, so that no take is overwritten.
fn free_name(wanted: &Path) -> io::Result<(File, PathBuf)> {
    let stem = wanted.file_stem().unwrap_or_default().to_string_lossy();
    let ending = wanted.extension().unwrap_or_default().to_string_lossy();
    for number in 1..=MOST_TAKES {
        let path = match number {
            1 => wanted.to_owned(),
            _ => wanted.with_file_name(format!("{stem}-{number}.{ending}")),
        };
        match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => return result.map(|file| (file, path)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_take_holds_what_came_before_it_started() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-recorder-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("a.pkl"), "abc").unwrap();
        let path = folder.join("x");
        let mut recorder = Recorder::start(b"{\"take\":1}\n".to_vec()).unwrap();
        let line = |n: usize| format!("{{\"dt\":[{n}]}}\n").into_bytes();
        // More than a block.
        let many: Vec<u8> = (0..40_000).flat_map(line).collect();
        recorder.hand(Note::Lines(many.clone())).unwrap();
        recorder.hand(Note::File(folder.join("a.pkl"))).unwrap();
        recorder.hand(Note::Start(Some(path.clone()))).unwrap();
        recorder.hand(Note::Lines(line(7))).unwrap();
        recorder.hand(Note::Stop).unwrap();
        recorder.finish(vec![Note::Lines(line(8))]);
        let path = path.with_extension("take");
        let text = std::fs::read(&path).unwrap();
        let head = b"{\"take\":1}\n";
        assert!(text.starts_with(&[&head[..], &many, b"{\"start\":true}\n{\"file\":{"].concat()));
        assert!(text.ends_with(b"\n{\"dt\":[7]}\n"), "and nothing after it was stopped");
        let told: Vec<Told> = std::iter::from_fn(|| recorder.told()).collect();
        assert_eq!(told, [Told::Started(path.clone()), Told::Stopped { path: path.clone(), bytes: text.len() as u64 }]);
        let mut again = Recorder::start(Vec::new()).unwrap();
        again.finish(vec![Note::Start(Some(path.clone()))]);
        assert_eq!(again.told(), Some(Told::Started(folder.join("x-2.take"))));
        assert_eq!(std::fs::read(&path).unwrap(), text, "no take is overwritten");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_folder_that_is_not_there_is_one_line() {
        let mut recorder = Recorder::start(Vec::new()).unwrap();
        recorder.finish(vec![Note::Start(Some("/nowhere/at/all.take".into())), Note::Stop]);
        let Some(Told::Failed(line)) = recorder.told() else { panic!("it fails") };
        assert!(line.starts_with("the take ends: cannot write /nowhere/at/all.take: "), "{line}");
        assert_eq!(recorder.told(), None);
    }
}
