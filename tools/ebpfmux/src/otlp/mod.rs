//! `--otlp`: posts the metrics at intervals, and spans, each in a thread of its own. The merge never waits for the
//! receiver: unsent requests are kept up to a limit, beyond which the oldest are dropped and counted.

mod batch;
pub mod client;
mod encode;
pub mod exporters;
mod queue;
mod sending;
pub mod settings;
pub mod spans;

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cli::exit::{Exit, Result};
use cli::shortage;

use crate::note::note;
use crate::record::timestamp::Nanos;
use crate::window::tumbling::window_end;
use batch::Pending;
use client::Poster;
use queue::Queue;
use settings::{Settings, Signal};

/// The time limit at exit for sending what is queued.
const END: Duration = Duration::from_secs(5);

/// Sends the metrics, or spans.
pub struct Exporter<P> {
    settings: Settings,
    pending: Arc<Mutex<P>>,
    state: Mutex<State>,
    /// Signals a change of the state.
    changed: Condvar,
}

struct State {
    queue: Queue,
    /// The items of the request in flight: points, or spans.
    under_way: u64,
    /// The end of the current interval, by the time of the records.
    end: Option<Nanos>,
    /// When the first record arrived that is not in the queue yet.
    waiting: Option<Instant>,
    counts: Counts,
    /// No more records come; the queue must be sent by this time.
    last: Option<Instant>,
    /// The thread has finished.
    done: bool,
    /// Whether a failed attempt, rejected items, dropped items, and a warning of the receiver have
    /// been reported.
    noted: [bool; 4],
}

/// Points or spans so far.
#[derive(Clone, Copy, Default)]
pub struct Counts {
    /// Accepted by the receiver.
    pub sent: u64,
    /// Dropped for lack of room, or rejected by the receiver.
    pub dropped: u64,
}

impl<P: Pending + Send + 'static> Exporter<P> {
    /// Starts sending what is pending.
    pub fn start(settings: Settings, headers: &[String], pending: Arc<Mutex<P>>) -> Result<Arc<Self>> {
        let poster = Poster::new(settings.target(), headers)?;
        let state = State {
            queue: Queue::new(settings.room),
            under_way: 0,
            end: None,
            waiting: None,
            counts: Counts::default(),
            last: None,
            done: false,
            noted: [false; 4],
        };
        let exporter =
            Arc::new(Self { settings, pending, state: Mutex::new(state), changed: Condvar::new() });
        let sender = Arc::clone(&exporter);
        let thread = std::thread::Builder::new().name(format!("otlp-{}", exporter.settings.signal.items()));
        let failed =
            |error: io::Error| shortage::failure(Exit::Failed, "--otlp: cannot start a thread", &error);
        thread.spawn(move || sender.send(&poster)).map_err(failed)?;
        Ok(exporter)
    }

    /// A record with this time is about to be added: the interval before it may be complete.
    pub fn before(&self, time: Nanos, pending: &mut P) {
        let mut state = self.state();
        if state.end.is_none_or(|end| time > end) {
            if state.end.is_some() {
                self.put(&mut state, pending);
            }
            let length = Nanos::try_from(self.settings.interval.as_nanos()).unwrap_or(Nanos::MAX);
            state.end = Some(window_end(time, length));
        }
        if state.waiting.is_none() {
            state.waiting = Some(Instant::now());
            self.changed.notify_all();
        }
    }

    /// What is pending, for a record to be added to it.
    pub fn pending(&self) -> MutexGuard<'_, P> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An item that cannot be sent, and why.
    pub fn refuse(&self, why: &str) {
        let mut state = self.state();
        state.counts.dropped += 1;
        self.say(
            &mut state,
            1,
            &format!("one of the {} was refused, more are only counted: {why}", self.items()),
        );
    }

    /// Has what is pending sent now.
    pub fn flush(&self, pending: &mut P) {
        self.put(&mut self.state(), pending);
    }

    /// No more records come: has the rest sent within some seconds, for which `finish` waits.
    pub fn end(&self) {
        let mut pending = self.pending();
        let mut state = self.state();
        self.put(&mut state, &mut pending);
        state.last = Some(Instant::now() + END);
        self.changed.notify_all();
    }

    /// Waits until the rest is sent, or the time for it is over, and prints the totals.
    pub fn finish(&self) {
        let mut state = self.state();
        let last = state.last.unwrap_or_else(Instant::now);
        while !state.done && Instant::now() < last {
            state = self.wait(state, last.saturating_duration_since(Instant::now()));
        }
        // The outcome of a request in flight will not be known.
        let rest = state.under_way + state.queue.items();
        self.give_up(&mut state, rest);
        let Counts { sent, dropped } = state.counts;
        // Spans may never have come.
        let any = sent + dropped > 0 || self.settings.signal == Signal::Metrics;
        if (self.settings.verbose && any) || (dropped > 0 && !self.settings.quiet) {
            self.note(&format!("{sent} {} sent, {dropped} dropped", self.items()));
        }
    }

    /// Points or spans so far.
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// Queues what is pending, dropping the oldest requests if necessary.
    fn put(&self, state: &mut State, pending: &mut P) {
        state.waiting = None;
        let dropped = pending.batches().into_iter().map(|batch| state.queue.push(batch)).sum();
        self.give_up(state, dropped);
        self.changed.notify_all();
    }

    fn give_up(&self, state: &mut State, items: u64) {
        state.counts.dropped += items;
        if items > 0 {
            let what = self.items();
            let what =
                format!("{what} are dropped, because they could not be sent in time; more are only counted");
            self.say(state, 2, &what);
        }
    }

    /// What is sent, in messages.
    fn items(&self) -> &'static str {
        self.settings.signal.items()
    }

    fn note(&self, what: &str) {
        note(&format!("{} {}: {what}", self.settings.option, self.settings.url));
    }

    /// Prints a kind of problem once.
    fn say(&self, state: &mut State, which: usize, what: &str) {
        if !state.noted[which] && !self.settings.quiet {
            self.note(what);
        }
        state.noted[which] = true;
    }

    fn wait<'a>(&'a self, state: MutexGuard<'a, State>, timeout: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, timeout).unwrap_or_else(PoisonError::into_inner).0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
