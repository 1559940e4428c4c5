//! Threads that share the tasks of one stage after another.
//!
//! A picture has dozens of stages, each a few microseconds to a few milliseconds long. Threads therefore spin for a moment
//! while waiting for the next stage, and sleep only if none comes. [`Turn::run`] allocates nothing. Tasks are not assigned
//! to particular threads, so a task's result must not depend on the thread.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a thread spins while waiting for the next stage.
const AWAKE: Duration = Duration::from_micros(200);

/// A stage's work: called once per task with (task, thread).
type Job<'a> = dyn Fn(usize, usize) + Sync + 'a;

/// A stage is open while threads may still join it.
const OPEN: u64 = 1 << 31;
/// The low bits of the state count the workers that have joined; the high ones number the stages.
const JOINED: u64 = OPEN - 1;
const EPOCH: u64 = 1 << 32;

struct Shared {
    state: AtomicU64,
    next: AtomicUsize,
    tasks: UnsafeCell<usize>,
    job: UnsafeCell<Option<*const Job<'static>>>,
    sleepers: AtomicUsize,
    bed: Mutex<()>,
    alarm: Condvar,
    stop: AtomicBool,
    panicked: AtomicBool,
}

// SAFETY: `tasks` and `job` are written by the thread that holds `Pool::turn`, and only while no stage is open and no
// worker has joined; workers read them only after joining an open stage, which the state orders after those writes.
unsafe impl Sync for Shared {}
// SAFETY: as above; `job` points to a `Sync` closure.
unsafe impl Send for Shared {}

/// A team of threads; the caller of [`Turn::run`] is thread 0.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    turn: Mutex<()>,
}

impl Pool {
    /// A team of `threads`, at least 1. If the system refuses a thread, the team is smaller.
    pub fn new(threads: usize) -> Pool {
        let shared = Arc::new(Shared {
            state: AtomicU64::new(0),
            next: AtomicUsize::new(0),
            tasks: UnsafeCell::new(0),
            job: UnsafeCell::new(None),
            sleepers: AtomicUsize::new(0),
            bed: Mutex::new(()),
            alarm: Condvar::new(),
            stop: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
        });
        let spawn = |thread: usize| {
            let shared = shared.clone();
            std::thread::Builder::new().name(format!("cpu {thread}")).spawn(move || shared.work(thread)).ok()
        };
        let workers = (1..threads).map_while(spawn).collect();
        Pool { shared, workers, turn: Mutex::new(()) }
    }

    /// Number of threads, including the caller.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Waits until no other program is using the threads. Hold it for a whole picture.
    pub fn turn(&self) -> Turn<'_> {
        Turn { pool: self, _guard: self.turn.lock().unwrap_or_else(|e| e.into_inner()) }
    }
}

/// The right to use the threads of a [`Pool`].
pub struct Turn<'a> {
    pool: &'a Pool,
    _guard: MutexGuard<'a, ()>,
}

impl Turn<'_> {
    /// Calls `job(task, thread)` for each task below `tasks`, and returns once all are done.
    ///
    /// # Panics
    /// When a task panicked, or when a task calls this itself.
    pub fn run(&self, tasks: usize, job: &Job) {
        let shared = &*self.pool.shared;
        let is_idle = shared.state.load(Ordering::Acquire) & (EPOCH - 1) == 0;
        assert!(is_idle, "a task of the cpu engine started a stage");
        if self.pool.workers.is_empty() || tasks <= 1 {
            (0..tasks).for_each(|task| job(task, 0));
            return;
        }
        // SAFETY: the lifetime is extended only until this function returns; before that no worker is in the stage
        // and none can join it any more.
        let job: *const Job<'static> = unsafe { std::mem::transmute(job as *const Job<'_>) };
        // SAFETY: see `Shared`.
        unsafe {
            *shared.job.get() = Some(job);
            *shared.tasks.get() = tasks;
        }
        shared.next.store(0, Ordering::Relaxed);
        let epoch = shared.state.load(Ordering::Relaxed) & !(EPOCH - 1);
        shared.state.store(epoch.wrapping_add(EPOCH) | OPEN, Ordering::SeqCst);
        if shared.sleepers.load(Ordering::SeqCst) > 0 {
            drop(shared.bed.lock());
            shared.alarm.notify_all();
        }
        let close = Close(shared);
        // SAFETY: the closure outlives this call.
        shared.take_tasks(unsafe { &*job }, tasks, 0);
        drop(close);
        assert!(!shared.panicked.swap(false, Ordering::Relaxed), "a task of the cpu engine panicked");
    }
}

/// Ends the stage, even if the caller's own task panics.
struct Close<'a>(&'a Shared);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.state.fetch_and(!OPEN, Ordering::AcqRel);
        let mut spins = 0u32;
        while self.0.state.load(Ordering::Acquire) & JOINED > 0 {
            spins += 1;
            // The worker may need this very core.
            if spins.is_multiple_of(1024) { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
    }
}

/// Leaves the stage, even if a task panics.
struct Leave<'a>(&'a Shared);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.panicked.store(true, Ordering::Relaxed);
        }
        self.0.state.fetch_sub(1, Ordering::Release);
    }
}

impl Shared {
    fn take_tasks(&self, job: &Job, tasks: usize, thread: usize) {
        loop {
            let task = self.next.fetch_add(1, Ordering::Relaxed);
            if task >= tasks {
                return;
            }
            job(task, thread);
        }
    }

    fn work(&self, thread: usize) {
        let mut seen = 0;
        while let Some(state) = self.wait(seen) {
            if state & OPEN == 0 {
                // It ended before this thread woke up.
                seen = state / EPOCH;
                continue;
            }
            if self.state.compare_exchange(state, state + 1, Ordering::AcqRel, Ordering::Relaxed).is_err() {
                continue;
            }
            seen = state / EPOCH;
            let leave = Leave(self);
            // SAFETY: see `Shared`: this thread has joined the open stage.
            let (job, tasks) = unsafe { (*self.job.get(), *self.tasks.get()) };
            if let Some(job) = job {
                // SAFETY: `run` does not return before this thread has left.
                self.take_tasks(unsafe { &*job }, tasks, thread);
            }
            drop(leave);
        }
    }

    /// The state of a stage later than `seen`; `None` when the pool ends.
    fn wait(&self, seen: u64) -> Option<u64> {
        let arrived = || {
            let state = self.state.load(Ordering::SeqCst);
            (state / EPOCH != seen || self.stop.load(Ordering::SeqCst)).then_some(state)
        };
        let start = Instant::now();
        let mut state = arrived();
        while state.is_none() && start.elapsed() < AWAKE {
            for _ in 0..32 {
                std::hint::spin_loop();
            }
            state = arrived();
        }
        if state.is_none() {
            self.sleepers.fetch_add(1, Ordering::SeqCst);
            let mut guard = self.bed.lock().unwrap_or_else(|e| e.into_inner());
            while {
                state = arrived();
                state.is_none()
            } {
                guard = self.alarm.wait(guard).unwrap_or_else(|e| e.into_inner());
            }
            drop(guard);
            self.sleepers.fetch_sub(1, Ordering::SeqCst);
        }
        state.filter(|_| !self.stop.load(Ordering::SeqCst))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        drop(self.shared.bed.lock());
        self.shared.alarm.notify_all();
        for worker in self.workers.drain(..) {
            // A worker that panicked has been reported by `run`.
            let _ = worker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_done_exactly_once() {
        for threads in [1, 2, 5] {
            let pool = Pool::new(threads);
            for tasks in [0, 1, 2, 7, 100] {
                let done: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                for round in 1..=200 {
                    pool.turn().run(tasks, &|task, thread| {
                        assert!(thread < threads);
                        done[task].fetch_add(1, Ordering::Relaxed);
                    });
                    assert!(
                        done.iter().all(|d| d.load(Ordering::Relaxed) == round),
                        "{threads} threads, {tasks} tasks"
                    );
                }
            }
        }
    }

    #[test]
    #[should_panic = "panicked"]
    fn a_stage_within_a_stage_is_refused() {
        let pool = Pool::new(2);
        let turn = pool.turn();
        // The caller waits until the other thread has tried, as its own panic would hide that one's.
        let tried = AtomicBool::new(false);
        turn.run(2, &|_, thread| {
            let start = Instant::now();
            if thread == 1 {
                tried.store(true, Ordering::SeqCst);
                turn.run(2, &|_, _| {});
            }
            while !tried.load(Ordering::SeqCst) && start.elapsed() < Duration::from_secs(10) {
                std::thread::yield_now();
            }
        });
    }

    #[test]
    fn sleeping_threads_wake_up() {
        let pool = Pool::new(3);
        for _ in 0..5 {
            std::thread::sleep(AWAKE * 3);
            let sum = AtomicUsize::new(0);
            pool.turn().run(100, &|task, _| {
                sum.fetch_add(task, Ordering::Relaxed);
            });
            assert_eq!(sum.load(Ordering::Relaxed), 4950);
        }
    }
}
