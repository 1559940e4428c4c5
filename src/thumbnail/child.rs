//! The child process that draws: it reads requests, a line of JSON each, and answers each with a [`Head`] in a line of JSON,
//! behind which come the bytes of a JPEG. Its first line is [`HELLO`]. When its input ends, it ends.
//!
//! Its answers are read by the thread `thumbnail answers`, one for each child. Nothing that it writes is trusted: lines and
//! pictures have a maximum size.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use crossbeam_channel::{Receiver, Sender, bounded};
use serde::{Deserialize, Serialize};

use super::{MOST_BYTES, Request};
use crate::process;

/// The first line of a child that is able to draw. Another version of the program has other rules.
pub const HELLO: &str = concat!("thumbnails ", env!("CARGO_PKG_VERSION"));

/// Longest line of a child.
const LONGEST_LINE: u64 = 4 << 10;

/// What precedes a picture: how many bytes of JPEG follow, or why there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    #[serde(default)]
    pub bytes: usize,
    #[serde(default)]
    pub error: Option<String>,
}

/// What a child says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is able to draw.
    Hello,
    /// A JPEG, or one line.
    Drawn(Result<Vec<u8>, String>),
    /// It has ended, or talks nonsense.
    Gone,
}

/// A running child. Dropping it kills it.
pub struct Painter {
    process: Child,
    requests: ChildStdin,
    pub answers: Receiver<Answer>,
}

impl Painter {
    /// # Errors
    /// When the program cannot be started.
    pub fn start(mut command: Command) -> io::Result<Painter> {
        process::set_apart(&mut command);
        process::set_idle(&mut command);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let missing = || io::Error::other("no pipe");
        let (sender, answers) = bounded(4);
        let started =
            process.stdin.take().zip(process.stdout.take()).ok_or_else(missing).and_then(|(requests, out)| {
                let reader = std::thread::Builder::new().name("thumbnail answers".to_owned());
                reader.spawn(move || listen(BufReader::new(out), &sender)).map(|_| requests)
            });
        match started {
            Ok(requests) => Ok(Painter { process, requests, answers }),
            Err(error) => {
                let _ = process.kill();
                let _ = process.wait();
                Err(error)
            }
        }
    }

    /// Sends a request. One at a time, so that the pipe never fills.
    ///
    /// # Errors
    /// When the child has gone, or the file's name is not valid text.
    pub fn ask(&mut self, request: &Request) -> io::Result<()> {
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        self.requests.write_all(line.as_bytes())
    }
}

impl Drop for Painter {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads answers until the child ends.
fn listen(mut from: impl BufRead, to: &Sender<Answer>) {
    let mut is_known = false;
    while let Ok(Some(answer)) = answer(&mut from, is_known) {
        is_known = true;
        if to.send(answer).is_err() {
            return;
        }
    }
    let _ = to.send(Answer::Gone);
}

/// The next answer; `None` at the end.
fn answer(from: &mut impl BufRead, is_known: bool) -> io::Result<Option<Answer>> {
    let mut line = Vec::new();
    from.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    if line.last() != Some(&b'\n') {
        return Ok(None);
    }
    line.pop();
    if !is_known {
        return Ok((line == HELLO.as_bytes()).then_some(Answer::Hello));
    }
    let Head { bytes, error } = serde_json::from_slice(&line)?;
    if let Some(line) = error {
        return Ok(Some(Answer::Drawn(Err(line))));
    }
    if bytes > MOST_BYTES {
        return Ok(None);
    }
    let mut jpeg = vec![0; bytes];
    from.read_exact(&mut jpeg)?;
    Ok(Some(Answer::Drawn(Ok(jpeg))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_nonsense_ends_it() {
        let heard = |text: &[u8]| {
            let (sender, answers) = bounded(8);
            listen(text, &sender);
            answers.try_iter().collect::<Vec<_>>()
        };
        let [hello, gone] = [Answer::Hello, Answer::Gone];
        let with_hello = |rest: &[u8]| [HELLO.as_bytes(), b"\n", rest].concat();
        let drawn = Answer::Drawn(Ok(b"abc".to_vec()));
        let failed = Answer::Drawn(Err("no".to_owned()));
        let good = with_hello(b"{\"bytes\":3}\nabc{\"error\":\"no\"}\n{\"bytes\":3}\nabc");
        assert_eq!(heard(&good), [hello.clone(), drawn.clone(), failed, drawn, gone.clone()]);
        for unknown in [&b"thumbnails 99.0\n{\"bytes\":3}\nabc"[..], b""] {
            assert_eq!(heard(unknown), vec![gone.clone()], "another version");
        }
        for wrong in [&b"{\"bytes\":30}\nabc"[..], b"{\"bytes\":999999999}\n", b"{\"bytes\":-1}\nabc", b"[[[\n", b"{"] {
            assert_eq!(heard(&with_hello(wrong)), [hello.clone(), gone.clone()], "{wrong:?}");
        }
        assert_eq!(heard(&with_hello(&[b'x'; 100_000])), [hello, gone], "an endless line");
    }
}
