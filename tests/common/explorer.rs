//! A running `explore`, asked as its page does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

/// How long an answer may take, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Explorer {
    child: Child,
    /// `127.0.0.1:PORT`
    host: String,
}

impl Explorer {
    /// Runs `explore` with these words in a folder, where it keeps what it finds out in `cache`.
    pub fn start(folder: &Path, words: &[&str]) -> Explorer {
        let mut command = Command::new(env!("CARGO_BIN_EXE_latent-jockey"));
        command.args(["explore", "--engine", "cpu", "--port", "0"]).args(words);
        command.current_dir(folder).env("XDG_CACHE_HOME", folder.join("cache")).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let host = line.strip_prefix("http://").and_then(|rest| rest.split(' ').next()).expect(&line).to_owned();
        Explorer { child, host }
    }

    /// Status, headers and body of an answer.
    pub fn ask(&self, method: &str, path: &str, headers: &str) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.host).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let host = if headers.contains("Host:") { String::new() } else { format!("Host: {}\r\n", self.host) };
        write!(stream, "{method} {path} HTTP/1.1\r\n{host}{headers}Connection: close\r\n\r\n").expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("the end of the headers");
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, head.to_lowercase(), answer[end + 4..].to_vec())
    }

    pub fn json(&self, method: &str, path: &str) -> Json {
        let (status, _, body) = self.ask(method, path, "");
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).expect("JSON")
    }

    /// The seeds in order, once all have been looked at.
    pub fn order(&self, query: &str) -> Vec<u64> {
        let begun = Instant::now();
        loop {
            let answer = self.json("GET", &format!("/order?{query}"));
            if let Some(seeds) = answer["seeds"].as_array() {
                return seeds.iter().filter_map(Json::as_u64).collect();
            }
            assert!(answer["looked"].as_u64() <= answer["of"].as_u64(), "{answer}");
            assert!(begun.elapsed() < PATIENCE, "{query}: {answer}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

impl Drop for Explorer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
