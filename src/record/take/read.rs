//! Reading a take: lines become frames. A last line that was cut off is left out, so that a take plays after a power cut.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::event::read_float;
use super::{ENDING, FORMAT, FileUsed, Header, Landed, Line, News};
use crate::file;
use crate::file::sources::{Query, Sources};
use crate::params::Table;
use crate::record::snapshot;

/// The largest take that is read, in bytes: days of playing.
const MOST_BYTES: u64 = 4 << 30;
/// How many missing files are named.
const TOLD: usize = 12;

/// Why a take cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: this is no take: its first line is no header", path.display())]
    NoTake { path: PathBuf },
    #[error(
        "{}: a take of format {found}, written by version {program}; this is version {own}, which plays format {FORMAT}",
        path.display(), own = env!("CARGO_PKG_VERSION")
    )]
    Format { path: PathBuf, found: u32, program: String },
    #[error("{}:{line}: {message}", path.display())]
    Line { path: PathBuf, line: usize, message: String },
    #[error("{}: this picture holds no take: it is no snapshot, or another program has saved it", path.display())]
    NoSnapshot { path: PathBuf },
    #[error("{}: the take holds no frames", path.display())]
    Empty { path: PathBuf },
    /// All of them, before anything is rendered.
    #[error("{}", files(path, problems))]
    Files { path: PathBuf, problems: Vec<String> },
}

fn files(path: &Path, problems: &[String]) -> String {
    let count = problems.len();
    let what = if count == 1 { "a file has" } else { "files have" };
    let more = if count > TOLD { format!("; and {} more", count - TOLD) } else { String::new() };
    let told = problems[..count.min(TOLD)].join("; ");
    format!("{}: {what} changed since this take was played: {told}{more}", path.display())
}

/// One frame of a show.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Seconds since the last one.
    pub dt: f64,
    /// Whether the engine drew the picture that this frame asked for.
    pub is_drawn: bool,
    /// What entered, if anything.
    pub more: Option<Box<More>>,
}

/// What entered in a frame.
#[derive(Clone, Debug, Default)]
pub struct More {
    /// See [`read`](super::event::read).
    pub events: Vec<Json>,
    /// In order.
    pub landed: Vec<Landed>,
    pub news: Vec<News>,
    /// Texts and names that the landings and the news were read from.
    pub sources: Sources,
    /// A new size of the output.
    pub size: Option<[u32; 2]>,
    /// Whether OSC may only give names.
    pub names_only: Option<bool>,
    /// The profiles of controllers.
    pub controllers: Option<Vec<PathBuf>>,
    /// The track that is heard, and where it is in this frame, in seconds. It goes on from there.
    pub heard: Option<(PathBuf, f64)>,
}

/// A take, read as a whole.
#[derive(Clone, Debug, Default)]
pub struct Take {
    pub path: PathBuf,
    pub header: Header,
    /// What entered before the first frame.
    pub prelude: More,
    pub frames: Vec<Frame>,
    /// The frame with which the take begins; those before it lead up to it.
    pub start: usize,
    /// The networks and pictures that it needs.
    pub files: Vec<FileUsed>,
    /// Whether the last line was cut off.
    pub is_cut: bool,
    /// In a snapshot: how many frames lead up to its picture.
    pub picture: Option<usize>,
    /// The lines, without the header.
    lines: Vec<u8>,
}

impl Take {
    /// Whether a path ends like a take.
    pub fn is_named(path: &Path) -> bool {
        path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(ENDING))
    }

    /// Whether a path ends like a snapshot, which holds the take that leads up to it.
    pub fn is_in_picture(path: &Path) -> bool {
        path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(snapshot::ENDING))
    }

    /// Reads a take, or that of a snapshot.
    ///
    /// # Errors
    /// When it cannot be read, is of another format, or has a line that makes no sense, other than a last one that was cut
    /// off.
    pub fn read(path: &Path) -> Result<Take, TakeError> {
        let bytes = file::read(path, MOST_BYTES).map_err(|source| TakeError::Read { path: path.to_owned(), source })?;
        if !snapshot::is_png(&bytes) {
            return Take::parse(&bytes, path);
        }
        let text = snapshot::take_in(&bytes).ok_or_else(|| TakeError::NoSnapshot { path: path.to_owned() })?;
        Take::parse(text.as_bytes(), path)
    }

    /// As [`Take::read`], from the contents of the file.
    ///
    /// # Errors
    /// As [`Take::read`].
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Take, TakeError> {
        let no_take = || TakeError::NoTake { path: path.to_owned() };
        let mut lines = bytes.split_inclusive(|b| *b == b'\n').enumerate();
        let (_, first) = lines.next().ok_or_else(no_take)?;
        let head: Json = serde_json::from_slice(first).map_err(|_| no_take())?;
        let format = head.get("take").and_then(Json::as_u64).ok_or_else(no_take)?;
        if format != u64::from(FORMAT) {
            let program = head.get("program").and_then(Json::as_str).unwrap_or("unknown").to_owned();
            return Err(TakeError::Format { path: path.to_owned(), found: format as u32, program });
        }
        let header: Header = serde_json::from_value(head).map_err(|_| no_take())?;
        let lines_of = bytes[first.len()..].to_vec();
        let mut take = Take { path: path.to_owned(), header, lines: lines_of, ..Take::default() };
        let mut pending = More::default();
        for (i, text) in lines {
            if text.trim_ascii().is_empty() {
                continue;
            }
            let result = match serde_json::from_slice::<Line>(text) {
                Ok(line) => take.add(line, &mut pending),
                Err(_) if text.last() != Some(&b'\n') => {
                    take.is_cut = true;
                    break;
                }
                Err(error) => Err(error.to_string()),
            };
            result.map_err(|message| TakeError::Line { path: path.to_owned(), line: i + 1, message })?;
        }
        if take.start >= take.frames.len() {
            return Err(TakeError::Empty { path: path.to_owned() });
        }
        Ok(take)
    }

    fn add(&mut self, line: Line, pending: &mut More) -> Result<(), String> {
        if let Some([path, text]) = line.text {
            pending.sources.texts.insert(path.into(), text.into());
        }
        if let Some([kind, base, name, path]) = line.found {
            pending.sources.found.insert(Query { kind, base: base.into(), name }, path.into());
        }
        self.files.extend(line.file);
        self.picture = line.picture.or(self.picture);
        pending.events.extend(line.on);
        pending.landed.extend(line.landed);
        pending.news.extend(line.news);
        pending.size = line.size.or(pending.size);
        pending.names_only = line.names_only.or(pending.names_only);
        pending.heard = line.heard.map(|(path, secs)| (path.into(), secs)).or(pending.heard.take());
        if let Some(controllers) = line.controllers {
            pending.controllers = Some(controllers.into_iter().map(PathBuf::from).collect());
        }
        if line.begin {
            self.prelude = std::mem::take(pending);
        }
        if line.start {
            self.start = self.frames.len();
        }
        let first = self.frames.len();
        for dt in &line.dt {
            let dt = match dt.as_u64() {
                Some(micros) => std::time::Duration::from_micros(micros).as_secs_f64(),
                None => {
                    read_float(dt).ok_or_else(|| format!("dt takes microseconds, or seconds in quotes, got {dt}"))?
                }
            };
            if !(0.0..=86_400.0).contains(&dt) {
                return Err(format!("a frame lasts from 0 s to a day, got {dt} s"));
            }
            self.frames.push(Frame { dt, ..Frame::default() });
        }
        if let Some(frame) = self.frames.get_mut(first) {
            let more = std::mem::take(pending);
            frame.more = (!more.is_empty()).then(|| Box::new(more));
        }
        self.mark_drawn(first, &line.drew)
    }

    /// Marks the frames whose pictures arrived: one mark a frame.
    fn mark_drawn(&mut self, first: usize, marks: &str) -> Result<(), String> {
        let mut frame = first;
        let mut marks = marks.chars();
        while let Some(mark) = marks.next() {
            let (mark, is_more) = if mark == '+' { (marks.next(), true) } else { (Some(mark), false) };
            if is_more {
                frame = frame.saturating_sub(1);
            }
            let ago = match mark {
                Some('.') => None,
                Some('(') => {
                    let digits: String = marks.by_ref().take_while(|c| *c != ')').collect();
                    Some(
                        digits
                            .parse::<usize>()
                            .map_err(|_| format!("drew takes numbers in brackets, got {digits:?}"))?,
                    )
                }
                Some(c) => Some(c.to_digit(36).ok_or_else(|| format!("drew does not take {c:?}"))? as usize),
                None => return Err("drew ends with +".to_owned()),
            };
            let drawn = ago.and_then(|ago| frame.checked_sub(ago));
            if let Some(drawn) = drawn.and_then(|drawn| self.frames.get_mut(drawn)) {
                drawn.is_drawn = true;
            }
            frame += 1;
        }
        Ok(())
    }

    /// Whether what was drawn before a frame can be seen in it: a style loop, effects, or the still of a broken fade.
    pub fn remembers(&self, before: usize) -> bool {
        let counts = |landed: &Landed| {
            let kind = landed.kind.as_str();
            !landed.same && landed.error.is_none() && ["network", "style", "effects"].contains(&kind)
        };
        let frames = self.frames[..before].iter().filter_map(|frame| frame.more.as_ref());
        std::iter::once(&self.prelude).chain(frames.map(|more| &**more)).any(|more| more.landed.iter().any(counts))
    }

    /// The lines of the first `frames` frames, for a show that goes on from there: without marks and files, which it writes
    /// itself.
    pub fn history(&self, frames: usize) -> Vec<u8> {
        let (mut kept, mut count) = (Vec::new(), 0);
        for text in self.lines.split_inclusive(|b| *b == b'\n') {
            let Ok(mut line) = serde_json::from_slice::<serde_json::Map<String, Json>>(text) else { continue };
            if ["start", "file", "picture"].iter().any(|key| line.contains_key(*key)) {
                continue;
            }
            let own = line.get("dt").and_then(Json::as_array).map_or(0, Vec::len);
            if count + own <= frames {
                kept.extend_from_slice(text);
                count += own;
                continue;
            }
            if let Some(dt) = line.get_mut("dt").and_then(Json::as_array_mut).filter(|_| count < frames) {
                dt.truncate(frames - count);
                kept.extend(serde_json::to_vec(&line).unwrap_or_default());
                kept.push(b'\n');
            }
            break;
        }
        kept
    }

    /// The newest text of each file, and all names.
    pub fn sources(&self) -> Sources {
        let mut all = self.prelude.sources.clone();
        for more in self.frames.iter().filter_map(|frame| frame.more.as_ref()) {
            all.texts.extend(more.sources.texts.clone());
            all.found.extend(more.sources.found.clone());
        }
        all
    }

    /// The addresses that it writes to and that this program does not have: what they have moved does not move any more. Rows of
    /// effects, modulators and named directions come and go, so they are not told.
    pub fn unknown(&self) -> BTreeSet<&str> {
        let table = Table::built_in();
        let comes_and_goes =
            |address: &str| ["/fx/", "/dir/", "/mod/"].iter().any(|family| address.starts_with(family));
        let more = self.frames.iter().filter_map(|frame| frame.more.as_deref()).chain([&self.prelude]);
        let addresses = more.flat_map(|more| &more.events).filter_map(|event| event.as_array()?.first()?.as_str());
        let gone = addresses.filter(|address| address.starts_with('/') && table.resolve(address).is_none());
        gone.filter(|address| !comes_and_goes(address)).collect()
    }

    /// Its length in seconds, without what leads up to it.
    pub fn secs(&self) -> f64 {
        self.frames[self.start..].iter().map(|frame| frame.dt).sum()
    }

    /// Finds the files that the take needs, and checks that they are those that were played. Returns where they are, for
    /// those that are not where the take names them.
    ///
    /// # Errors
    /// [`TakeError::Files`], which names every file that is missing or has changed.
    pub fn locate(&self) -> Result<BTreeMap<PathBuf, PathBuf>, TakeError> {
        let (mut places, mut problems) = (BTreeMap::new(), Vec::new());
        for used in self.files.iter().filter(|used| !used.sound) {
            let path = PathBuf::from(&used.path);
            match self.find(used) {
                Ok(place) if place == path => {}
                Ok(place) => drop(places.insert(path, place)),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(places) } else { Err(TakeError::Files { path: self.path.clone(), problems }) }
    }

    /// Where a file is that the take needs: where it was, or among the copies that go with the take.
    ///
    /// # Errors
    /// One line, when it is not there, or has changed.
    pub fn find(&self, used: &FileUsed) -> Result<PathBuf, String> {
        let places =
            [Some(PathBuf::from(&used.path)), used.whole.as_ref().map(PathBuf::from), Some(self.copy_of(used))];
        let mut problem = None;
        for place in places.into_iter().flatten() {
            match check(&place, used) {
                Ok(()) => return Ok(place),
                Err(line) => drop(problem.get_or_insert(line)),
            }
        }
        Err(problem.unwrap_or_default())
    }

    /// The track that was heard longest in some frames, and where it would be at the first frame of all, in seconds;
    /// `times` are those of the frames.
    pub fn track(&self, frames: std::ops::Range<usize>, times: &[f64]) -> Option<(&Path, f64)> {
        let noted = |(i, frame): (usize, &Frame)| {
            let (path, at) = frame.more.as_ref()?.heard.clone()?;
            Some((i, path, at))
        };
        let all: Vec<_> = self.frames.iter().enumerate().filter_map(noted).collect();
        let (begin, end) = (*times.get(frames.start)?, *times.get(frames.end.checked_sub(1)?)?);
        let mut longest: Option<(f64, usize)> = None;
        for (n, (i, ..)) in all.iter().enumerate() {
            let until = all.get(n + 1).map_or(f64::INFINITY, |(next, ..)| times[*next]);
            let secs = until.min(end) - times[*i].max(begin);
            if longest.is_none_or(|(known, _)| secs > known) {
                longest = Some((secs, n));
            }
        }
        let (i, _, at) = &all[longest?.1];
        let path = &self.frames[*i].more.as_ref()?.heard.as_ref()?.0;
        Some((path, at - times[*i]))
    }

    /// Stands for everything that is in the take.
    pub fn fingerprint(&self) -> String {
        let mut sum = Sha256::new();
        sum.update(serde_json::to_vec(&self.header).unwrap_or_default());
        sum.update(&self.lines);
        digits(sum)
    }

    /// The folder of the copies that go with the take.
    pub fn bundled(&self) -> PathBuf {
        self.path.with_extension(format!("{ENDING}-files"))
    }

    /// Where the copy of a file lies that goes with the take: see [`bundle`](Take::bundle).
    fn copy_of(&self, used: &FileUsed) -> PathBuf {
        let name = Path::new(&used.path).file_name().unwrap_or_default();
        self.bundled().join(used.hash.get(..12).unwrap_or("unknown")).join(name)
    }

    /// Copies every file that the take needs into the folder beside it; what ships with the program too, as another version
    /// may ship another one. Returns how many there are.
    ///
    /// # Errors
    /// As [`Take::locate`], and when a copy cannot be written.
    pub fn bundle(&self) -> Result<usize, TakeError> {
        self.locate()?;
        let mut count = 0;
        for used in &self.files {
            let from = match self.find(used) {
                Ok(from) => from,
                // A track that is gone costs no picture.
                Err(_) if used.sound => continue,
                Err(problem) => return Err(TakeError::Files { path: self.path.clone(), problems: vec![problem] }),
            };
            let to = self.copy_of(used);
            count += 1;
            let written = || -> io::Result<()> {
                std::fs::create_dir_all(to.parent().unwrap_or(Path::new("")))?;
                std::fs::write(&to, file::read(&from, u64::MAX)?)
            };
            if check(&to, used).is_err() {
                written().map_err(|source| TakeError::Read { path: to.clone(), source })?;
            }
        }
        Ok(count)
    }
}

impl More {
    fn is_empty(&self) -> bool {
        let More { events, landed, news, sources, size, names_only, controllers, heard } = self;
        let has_sources = !sources.texts.is_empty() || !sources.found.is_empty();
        let has_list = !events.is_empty() || !landed.is_empty() || !news.is_empty();
        let has_option = size.is_some() || names_only.is_some() || controllers.is_some() || heard.is_some();
        !(has_sources || has_list || has_option)
    }
}

/// Whether this is the file that was played.
fn check(place: &Path, used: &FileUsed) -> Result<(), String> {
    if !file::is_file(place) {
        return Err(format!("{} is not there", place.display()));
    }
    let bytes = file::state(place).bytes();
    if bytes != used.bytes {
        return Err(format!("{} had {} bytes, now {bytes}", place.display(), used.bytes));
    }
    let hash = hash(place).map_err(|error| format!("{}: {error}", place.display()))?;
    if hash == used.hash { Ok(()) } else { Err(format!("{} has other contents", place.display())) }
}

/// SHA-256 of a file in hexadecimal digits.
pub(super) fn hash(path: &Path) -> io::Result<String> {
    let mut sum = Sha256::new();
    if file::is_built_in(path) {
        sum.update(file::read(path, u64::MAX)?);
    } else {
        let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
        let mut part = vec![0; 1 << 20];
        loop {
            let count = file.read(&mut part)?;
            if count == 0 {
                break;
            }
            sum.update(&part[..count]);
        }
    }
    Ok(digits(sum))
}

/// A checksum in hexadecimal digits.
fn digits(sum: Sha256) -> String {
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#"{"take":1,"program":"0.1.0","engine":"cpu","preset":"a.toml","screen":false}"#;

    fn parse(lines: &str) -> Result<Take, String> {
        Take::parse(format!("{HEAD}\n{lines}").as_bytes(), Path::new("x.take")).map_err(|error| error.to_string())
    }

    #[test]
    fn lines_become_frames() {
        let take = parse(concat!(
            "{\"text\":[\"a.toml\",\"x\"]}\n{\"landed\":[{\"kind\":\"preset\"}]}\n{\"begin\":true}\n",
            "{\"dt\":[16683,\"0.1\"],\"drew\":\".1\"}\n{\"start\":true}\n\n",
            "{\"on\":[[\"/psi\",0.5]],\"size\":[4,5],\"dt\":[20000,20000,20000],\"drew\":\".2+1(3)\"}\n"
        ))
        .unwrap();
        assert_eq!((take.frames.len(), take.start, take.is_cut), (5, 2, false));
        assert_eq!((take.prelude.landed.len(), take.prelude.sources.texts.len()), (1, 1));
        assert_eq!((take.frames[0].dt, take.frames[1].dt), (0.016683, 0.1));
        let drawn: Vec<bool> = take.frames.iter().map(|frame| frame.is_drawn).collect();
        assert_eq!(drawn, [true, true, true, false, false]);
        let more = take.frames[2].more.as_ref().unwrap();
        assert_eq!((more.events.len(), more.size), (1, Some([4, 5])));
        assert!(take.frames[3].more.is_none() && (take.secs() - 0.06).abs() < 1e-12);
    }

    #[test]
    fn addresses_that_are_gone_are_named_once() {
        let take = parse(concat!(
            "{\"on\":[[\"/psi\",0.5],[\"/old/knob\",1],[\"/fx/echo/mix\",0.1],[\"audio.bass\",0.5]],\"dt\":[1000]}\n",
            "{\"on\":[[\"/old/knob\",2],[\"/dir/age\",1],[\"/z/3\",0.5],[\"key\",\"x\"]],\"dt\":[1000]}\n"
        ))
        .unwrap();
        assert_eq!(take.unknown().into_iter().collect::<Vec<_>>(), ["/old/knob"]);
    }

    #[test]
    fn the_track_that_was_heard_longest_goes_with_the_pictures() {
        let take = parse(concat!(
            "{\"heard\":[\"a.flac\",0.0],\"dt\":[0,1000000]}\n{\"heard\":[\"a.flac\",0.5],\"dt\":[1000000,1000000]}\n",
            "{\"dt\":[1000000]}\n{\"heard\":[\"b.flac\",9.0],\"dt\":[1000000,1000000]}\n"
        ))
        .unwrap();
        let times = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(take.track(0..7, &times), Some((Path::new("a.flac"), -1.5)));
        assert_eq!(take.track(0..2, &times), Some((Path::new("a.flac"), 0.0)));
        assert_eq!(take.track(5..7, &times), Some((Path::new("b.flac"), 4.0)));
        assert_eq!(parse("{\"dt\":[1000]}\n").unwrap().track(0..1, &times), None);
    }

    #[test]
    fn a_line_that_was_cut_off_is_left_out_and_a_wrong_one_is_named() {
        let good = "{\"dt\":[1000]}\n";
        let cut = parse(&format!("{good}{good}{{\"dt\":[10")).unwrap();
        assert_eq!((cut.frames.len(), cut.is_cut), (2, true));
        assert!(parse(&format!("{good}nonsense\n{good}")).unwrap_err().starts_with("x.take:3: "));
        assert_eq!(parse("{\"dt\":[-1.5]}\n").unwrap_err(), "x.take:2: a frame lasts from 0 s to a day, got -1.5 s");
        assert_eq!(parse("").unwrap_err(), "x.take: the take holds no frames");
    }

    #[test]
    fn another_format_is_refused_with_both_versions() {
        let text = HEAD.replace("\"take\":1", "\"take\":7").replace("0.1.0", "9.9.9");
        let error = Take::parse(text.as_bytes(), Path::new("x.take")).unwrap_err().to_string();
        let own = env!("CARGO_PKG_VERSION");
        assert_eq!(
            error,
            format!(
                "x.take: a take of format 7, written by version 9.9.9; this is version {own}, which plays format 1"
            )
        );
        for wrong in ["", "{}", "PNG", "[1]\n"] {
            let error = Take::parse(wrong.as_bytes(), Path::new("x.take")).unwrap_err().to_string();
            assert_eq!(error, "x.take: this is no take: its first line is no header");
        }
    }

    #[test]
    fn missing_and_changed_files_are_named_together_and_a_bundle_replaces_them() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-take-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let [a, b] = ["a.pkl", "b.pkl"].map(|name| folder.join(name));
        let used = |path: &Path| FileUsed {
            path: path.display().to_string(),
            whole: None,
            bytes: 3,
            hash: hash(path).unwrap(),
            sound: false,
        };
        [&a, &b].iter().for_each(|path| std::fs::write(path, "abc").unwrap());
        let files = vec![used(&a), used(&b)];
        assert!(files[0].hash.starts_with("ba7816bf8f01cfea"), "{}", files[0].hash);
        let take = Take { path: folder.join("x.take"), files, ..Take::default() };
        assert!(take.locate().unwrap().is_empty());
        assert_eq!(take.bundle().unwrap(), 2);
        std::fs::remove_file(&a).unwrap();
        std::fs::write(&b, "abd").unwrap();
        let places = take.locate().unwrap();
        assert_eq!((places.len(), std::fs::read(&places[&b]).unwrap()), (2, b"abc".to_vec()));
        std::fs::remove_dir_all(folder.join("x.take-files")).unwrap();
        let error = take.locate().unwrap_err().to_string();
        let mut silent = take.clone();
        silent.files.iter_mut().for_each(|used| used.sound = true);
        assert!(silent.locate().is_ok(), "a track costs no picture");
        assert_eq!(silent.bundle().unwrap(), 0);
        let (a, b) = (a.display(), b.display());
        assert!(error.ends_with(&format!("{a} is not there; {b} has other contents")), "{error}");
        std::fs::write(folder.join("b.pkl"), "longer").unwrap();
        let error = take.locate().unwrap_err().to_string();
        assert!(error.ends_with(&format!("{b} had 3 bytes, now 6")), "{error}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
