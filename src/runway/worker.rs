//! The thread `runway pictures`, and the queue in front of it.
//!
//! **Every item counts**, but not for ever: a client's newer query over socket.io replaces the one that still waits, and
//! what nobody waits for any more is passed over. A full queue refuses. Drawing has the lowest priority where a thread can
//! have one, so that the show does not notice.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::body::Bytes;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

use super::painter::{Answer, Painter};
use super::query::{Ask, Model, QueryError, info};
use super::{packet, picture};
use crate::caption::Caption;
use crate::control::Counts;
use crate::process;
use crate::show::ModelsView;
use crate::thread::panic_message;

/// Most queries that wait.
const MOST_WAITING: usize = 16;
/// What a captioner has said before the first query.
const NO_CAPTION: &str = r#"{"caption":"","results":[]}"#;
/// After so long without a query, the networks' memory is given back.
const REST: Duration = Duration::from_secs(60);

/// What those who ask for the same model share.
pub struct Board {
    /// `None` for all of them.
    pub model: Option<Model>,
    models: ModelsView,
    /// The outputs of the last query, whoever asked, as JSON. **Latest value wins.**
    pub data: watch::Sender<Option<Arc<str>>>,
    /// What was wrong with the last query.
    error: Mutex<Option<String>>,
}

impl Board {
    pub fn new(model: Option<Model>, models: ModelsView) -> Self {
        Board { model, models, data: watch::Sender::new(None), error: Mutex::default() }
    }

    /// The answer to `/info`: JSON in ASCII.
    pub fn info(&self) -> String {
        packet::ascii(&info(&self.models.get(), self.model).to_string()).into_owned()
    }

    /// The answer to `/data`.
    pub fn last(&self) -> Arc<str> {
        // Sketches for im2txt look into the list at once.
        let nothing = if self.model == Some(Model::Captioner) { NO_CAPTION } else { "{}" };
        self.data.borrow().clone().unwrap_or_else(|| nothing.into())
    }

    /// The answer to `/error`.
    pub fn error(&self) -> String {
        json!({ "error": *lock(&self.error) }).to_string()
    }

    pub fn set_error(&self, line: Option<String>) {
        *lock(&self.error) = line;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a query comes as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An object.
    Object,
    /// The array of an event, from this session: its newer query replaces the older.
    Event { session: u64 },
}

/// A query that waits.
pub struct Job {
    pub board: Arc<Board>,
    pub form: Form,
    pub json: Bytes,
    /// Dropped with the job: the sender hears nothing then.
    pub reply: oneshot::Sender<Result<Arc<str>, QueryError>>,
    /// The memory that `json` takes.
    pub room: Option<OwnedSemaphorePermit>,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    is_closed: bool,
}

/// The queries that wait. Clones share them.
#[derive(Clone)]
pub struct Queue {
    waiting: Arc<(Mutex<Waiting>, Condvar)>,
    counts: Arc<Counts>,
}

impl Queue {
    fn new(counts: Arc<Counts>) -> Self {
        Queue { waiting: Arc::default(), counts }
    }

    /// Puts a query at the end, or in the place of the same session's. Never waits.
    ///
    /// # Errors
    /// [`QueryError::TooMany`].
    pub fn push(&self, job: Job) -> Result<(), QueryError> {
        let (waiting, filled) = &*self.waiting;
        let mut waiting = lock(waiting);
        // Those whose clients have gone free their places.
        waiting.jobs.retain(|job| !job.reply.is_closed());
        let is_older = |other: &&mut Job| job.form == other.form && matches!(job.form, Form::Event { .. });
        if let Some(older) = waiting.jobs.iter_mut().find(is_older) {
            Counts::add(&self.counts.dropped);
            let older = std::mem::replace(older, job);
            let _ = older.reply.send(Err(QueryError::Superseded));
            return Ok(());
        }
        if waiting.jobs.len() >= MOST_WAITING {
            Counts::add(&self.counts.dropped);
            return Err(QueryError::TooMany);
        }
        waiting.jobs.push_back(job);
        filled.notify_one();
        Ok(())
    }

    /// Waits for the next query that somebody waits for; `None` after [`REST`], or once the queue is closed.
    fn pop(&self) -> Option<Job> {
        let (waiting, filled) = &*self.waiting;
        let waiting = lock(waiting);
        let (mut waiting, _) = filled
            .wait_timeout_while(waiting, REST, |waiting| {
                waiting.jobs.retain(|job| !job.reply.is_closed());
                waiting.jobs.is_empty() && !waiting.is_closed
            })
            .unwrap_or_else(PoisonError::into_inner);
        waiting.jobs.pop_front()
    }

    fn is_closed(&self) -> bool {
        lock(&self.waiting.0).is_closed
    }

    fn close(&self) {
        let mut waiting = lock(&self.waiting.0);
        waiting.jobs.clear();
        waiting.is_closed = true;
        self.waiting.1.notify_all();
    }
}

/// The running thread. Dropping it ends it after the picture that it draws.
pub struct Worker {
    queue: Queue,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Draws with `threads` threads, at the lowest priority if it `yields` to the show.
    ///
    /// # Errors
    /// When the system refuses the thread.
    pub fn start(threads: usize, yields: bool, counts: Arc<Counts>) -> std::io::Result<Worker> {
        let queue = Queue::new(counts);
        let jobs = queue.clone();
        let thread = std::thread::Builder::new().name("runway pictures".to_owned()).spawn(move || {
            if yields {
                process::become_idle_thread();
            }
            work(&jobs, Painter::new(threads));
        })?;
        Ok(Worker { queue, thread: Some(thread) })
    }

    pub fn queue(&self) -> &Queue {
        &self.queue
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(queue: &Queue, mut painter: Painter) {
    while !queue.is_closed() {
        let Some(job) = queue.pop() else {
            painter.rest();
            continue;
        };
        let Job { board, form, json, reply, room } = job;
        let drawn = catch_unwind(AssertUnwindSafe(|| draw(&mut painter, &board, form, &json)));
        let result = drawn.unwrap_or_else(|panic| {
            let line = panic_message(&*panic);
            tracing::warn!("a query for Runway's sketches: {line}");
            // It may have been left half done.
            painter.rest();
            Err(QueryError::Failed(line))
        });
        drop((json, room));
        match &result {
            Ok(data) => {
                Counts::add(&queue.counts.received);
                board.set_error(None);
                board.data.send_replace(Some(data.clone()));
            }
            Err(error) => {
                Counts::add(&queue.counts.refused);
                board.set_error(Some(error.to_string()));
            }
        }
        let _ = reply.send(result);
    }
}

/// The outputs of a query, as JSON in ASCII.
fn draw(painter: &mut Painter, board: &Board, form: Form, json: &[u8]) -> Result<Arc<str>, QueryError> {
    let ask = match form {
        Form::Object => Ask::from_object(json, board.model),
        Form::Event { .. } => Ask::from_event(json, board.model),
    }?;
    let value = match painter.answer(&ask, &board.models.get())? {
        Answer::Picture(picture) => {
            let uri = picture::encode(&picture).ok_or_else(|| QueryError::Failed("it has no pixels".to_owned()))?;
            // Base64 needs no escaping.
            format!("\"{uri}\"")
        }
        // DenseCap called it `caption`; im2txt, for p5.js, had a list.
        Answer::Caption(Caption { text, log_probability, .. }) => {
            let results = [json!({ "caption": text, "probability": log_probability.exp() })];
            let said = json!({ "caption": text, "results": results });
            return Ok(packet::ascii(&said.to_string()).into());
        }
    };
    let fields: Vec<String> = ask.outputs().map(|name| format!("\"{name}\":{value}")).collect();
    Ok(format!("{{{}}}", fields.join(",")).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::style::StyleSettings;
    use crate::network::stylegan2;
    use crate::show::Models;

    type Reply = oneshot::Receiver<Result<Arc<str>, QueryError>>;

    fn board() -> Arc<Board> {
        board_of(None)
    }

    fn board_of(model: Option<Model>) -> Arc<Board> {
        let network = Arc::new(stylegan2::random(16, 128, 8, 8, 0));
        let models = Models { network, style: None, settings: StyleSettings::default(), class: 0.0 };
        Arc::new(Board::new(model, ModelsView::new(models)))
    }

    fn job(board: &Arc<Board>, form: Form, json: &str) -> (Job, Reply) {
        let (reply, answer) = oneshot::channel();
        (Job { board: board.clone(), form, json: Bytes::from(json.to_owned()), reply, room: None }, answer)
    }

    fn push(queue: &Queue, board: &Arc<Board>, form: Form, json: &str) -> Result<Reply, QueryError> {
        let (job, answer) = job(board, form, json);
        queue.push(job).map(|()| answer)
    }

    #[test]
    fn a_newer_query_of_a_session_takes_the_place_of_the_older() {
        let (queue, board) = (Queue::new(Arc::default()), board());
        let [one, two] = [1, 2].map(|session| Form::Event { session });
        let mut older = push(&queue, &board, one, "[1]").unwrap();
        let _other = push(&queue, &board, two, "[2]").unwrap();
        let _objects = [0; 2].map(|_| push(&queue, &board, Form::Object, "{}").unwrap());
        let _newer = push(&queue, &board, one, "[3]").unwrap();
        assert!(matches!(older.try_recv(), Ok(Err(QueryError::Superseded))));
        let order: Vec<Bytes> = (0..4).map(|_| queue.pop().unwrap().json).collect();
        assert_eq!(order, ["[3]", "[2]", "{}", "{}"]);
    }

    #[test]
    fn the_queue_is_bounded_and_those_who_left_are_passed_over() {
        let (queue, board) = (Queue::new(Arc::default()), board());
        let mut answers: Vec<Reply> =
            (0..MOST_WAITING).map(|_| push(&queue, &board, Form::Object, "{}").unwrap()).collect();
        assert!(matches!(push(&queue, &board, Form::Object, "{}"), Err(QueryError::TooMany)));
        answers.truncate(2);
        let last = push(&queue, &board, Form::Object, "{\"last\":1}").unwrap();
        let order: Vec<Bytes> = (0..3).map(|_| queue.pop().unwrap().json).collect();
        assert_eq!(order, ["{}", "{}", "{\"last\":1}"]);
        drop(last);
        queue.close();
        assert!(queue.pop().is_none());
    }

    #[test]
    fn a_caption_is_said_as_both_kinds_of_model_did() {
        let worker = Worker::start(1, false, Arc::default()).unwrap();
        let board = board_of(Some(Model::Captioner));
        let read = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap();
        assert_eq!(read(&board.last()), json!({ "caption": "", "results": [] }));
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/caption/heart.png");
        let heart = picture::encode(&crate::image::file::read(&file).unwrap().into_rgb8()).unwrap();
        let query = json!({ "image": heart }).to_string();
        let said = push(worker.queue(), &board, Form::Object, &query).unwrap().blocking_recv().unwrap().unwrap();
        let said = read(&said);
        let caption = said["caption"].as_str().unwrap();
        assert!(caption.starts_with("an emoji of ") && said["results"][0]["caption"] == caption, "{said}");
        assert!(said["results"][0]["probability"].as_f64().is_some_and(|p| p > 0.0 && p <= 1.0), "{said}");
    }

    #[test]
    fn a_hostile_query_is_an_error_and_the_next_one_is_drawn() {
        let worker = Worker::start(1, false, Arc::default()).unwrap();
        let board = board();
        let ask = |json: &str| push(worker.queue(), &board, Form::Object, json).unwrap().blocking_recv().unwrap();
        assert_eq!((&*board.last(), board.error().as_str()), ("{}", r#"{"error":null}"#));
        for hostile in ["", "{\"z\":{}}", "\u{0}", &"[".repeat(1 << 20), "{\"image\":\"AAAA\"}"] {
            let line = ask(hostile).unwrap_err().to_string();
            let told: serde_json::Value = serde_json::from_str(&board.error()).unwrap();
            assert_eq!(told["error"], line);
        }
        let data = ask(r#"{"z":[1,2,3]}"#).unwrap();
        assert!(data.starts_with(r#"{"image":"data:image/jpeg;base64,"#), "{data}");
        assert_eq!((board.last(), board.error().as_str()), (data, r#"{"error":null}"#));
    }
}
