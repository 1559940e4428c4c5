//! Recording a live show: the thread `record` writes, the show never waits.
//!
//! Frames wait in a short queue. When the disk or the encoder is behind, frames are dropped and counted, and the previous
//! frame is repeated in their place, so that the recording keeps its length.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::{RecordError, Sink, Summary};

/// Maximum number of waiting frames.
pub const QUEUE: usize = 4;

/// A frame and its position in the recording.
type Frame = (u64, Arc<[u8]>);

/// A running recording. Dropping it ends the recording and waits for the file.
#[derive(Debug)]
pub struct Recorder {
    frames: Option<Sender<Frame>>,
    thread: Option<JoinHandle<Result<Summary, RecordError>>>,
    offered: u64,
    dropped: u64,
    written: Arc<AtomicU64>,
}

impl Recorder {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(sink: Sink) -> Result<Self, RecordError> {
        let (sender, receiver) = bounded(QUEUE);
        let written = Arc::new(AtomicU64::new(0));
        let count = written.clone();
        let thread = std::thread::Builder::new()
            .name("record".to_owned())
            .spawn(move || run(sink, &receiver, &count))
            .map_err(|error| RecordError::Thread(error.to_string()))?;
        Ok(Recorder { frames: Some(sender), thread: Some(thread), offered: 0, dropped: 0, written })
    }

    /// Queues the next frame without waiting: sRGB-encoded RGBA of the sink's size. `false` if it was dropped because the
    /// queue is full or the recording has failed; [`Recorder::stop`] says why. **Every item counts.**
    pub fn offer(&mut self, rgba: Arc<[u8]>) -> bool {
        let frame = (self.offered, rgba);
        self.offered += 1;
        let taken = match self.frames.as_ref().map(|frames| frames.try_send(frame)) {
            Some(Ok(())) => true,
            Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_))) | None => false,
        };
        self.dropped += u64::from(!taken);
        taken
    }

    /// Frames dropped so far, for the HUD.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Frames written so far, including repeats for dropped ones.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Whether the thread has given up, for example because the disk is full or the encoder died.
    pub fn failed(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends the recording and waits for the file.
    ///
    /// # Errors
    /// Why the thread gave up.
    pub fn stop(mut self) -> Result<Summary, RecordError> {
        let mut summary = self.end()?;
        if self.dropped > 0 {
            let dropped = format!("{} of {} frames dropped", self.dropped, self.offered);
            summary.remark = Some(summary.remark.map_or(dropped.clone(), |remark| format!("{remark}; {dropped}")));
        }
        Ok(summary)
    }

    fn end(&mut self) -> Result<Summary, RecordError> {
        // The thread finishes the file once no more frames can arrive.
        self.frames = None;
        let thread = self.thread.take().ok_or_else(|| RecordError::Thread("already ended".to_owned()))?;
        thread.join().unwrap_or_else(|_| Err(RecordError::Thread("panicked".to_owned())))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if self.thread.is_some()
            && let Err(error) = self.end()
        {
            tracing::warn!("the recording: {error}");
        }
    }
}

fn run(mut sink: Sink, frames: &Receiver<Frame>, written: &AtomicU64) -> Result<Summary, RecordError> {
    let mut last: Option<Frame> = None;
    for (place, rgba) in frames {
        if let Some((before, old)) = &last {
            for _ in before + 1..place {
                sink.write(old)?;
                written.fetch_add(1, Ordering::Relaxed);
            }
        }
        sink.write(&rgba)?;
        written.fetch_add(1, Ordering::Relaxed);
        last = Some((place, rgba));
    }
    sink.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::frames::PngFolder;
    use std::path::PathBuf;

    fn folder(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("latent-jockey-recorder-{name}-{}", std::process::id()))
    }

    fn frame(level: u8) -> Arc<[u8]> {
        Arc::from([level; 16])
    }

    #[test]
    fn a_dropped_frame_is_replaced_by_the_previous_one() {
        let folder = folder("gap");
        let sink = Sink::Pngs(PngFolder::create(&folder, 2, 2).unwrap().0);
        let (sender, receiver) = bounded(QUEUE);
        for (place, level) in [(0, 10), (1, 20), (4, 50)] {
            sender.send((place, frame(level))).unwrap();
        }
        drop(sender);
        let written = AtomicU64::new(0);
        assert_eq!(run(sink, &receiver, &written).unwrap().frames, 5);
        assert_eq!(written.into_inner(), 5);
        let levels: Vec<u8> = (1..=5)
            .map(|n| image::open(folder.join(format!("frame_{n:06}.png"))).unwrap().into_rgb8().into_raw()[0])
            .collect();
        assert_eq!(levels, [10, 20, 20, 20, 50]);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn offers_never_wait_and_are_counted() {
        let folder = folder("count");
        let mut recorder = Recorder::start(Sink::Pngs(PngFolder::create(&folder, 2, 2).unwrap().0)).unwrap();
        let taken = (0..200).filter(|i| recorder.offer(frame(*i as u8))).count() as u64;
        assert_eq!(recorder.dropped(), 200 - taken);
        let summary = recorder.stop().unwrap();
        assert!(taken >= QUEUE as u64 && summary.frames >= taken && summary.frames <= 200, "{taken} {summary}");
        assert_eq!(summary.remark.is_some(), taken < 200);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_failure_is_reported_at_the_end() {
        let folder = folder("fails");
        let mut recorder = Recorder::start(Sink::Pngs(PngFolder::create(&folder, 2, 2).unwrap().0)).unwrap();
        recorder.offer(Arc::from([0; 3]));
        while !recorder.failed() {
            std::thread::yield_now();
        }
        assert!(!recorder.offer(frame(0)));
        assert!(matches!(recorder.stop(), Err(RecordError::FrameSize { found: 3, .. })));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
