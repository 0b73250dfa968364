//! `--otlp`: posts the metrics at intervals, in a thread of its own. The merge never waits for the
//! receiver: unsent requests are kept up to a limit, beyond which the oldest are dropped and
//! counted.

pub mod client;
mod encode;
mod queue;
pub mod settings;

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use cli::exit::{Exit, Result};
use cli::shortage;

use crate::metrics::{Metrics, Shared};
use crate::note::note;
use crate::record::timestamp::Nanos;
use crate::window::tumbling::window_end;
use client::{Outcome, Poster};
use encode::{Batch, batches};
use queue::Queue;
use settings::Settings;

/// The time-out of a request.
const ANSWER: Duration = Duration::from_secs(10);
/// The delay before the second attempt, doubled for each further one.
const FIRST: Duration = Duration::from_secs(1);
/// The maximum delay between attempts, unless the receiver asks for more.
const LAST: Duration = Duration::from_secs(30);
/// The time limit at exit for sending what is queued.
const END: Duration = Duration::from_secs(5);
/// The delay after which the last records are sent if none follow.
const SILENCE: Duration = Duration::from_secs(1);

/// Sends the metrics.
pub struct Exporter {
    settings: Settings,
    state: Mutex<State>,
    /// Signals a change of the state.
    changed: Condvar,
}

struct State {
    queue: Queue,
    /// The points of the request in flight.
    under_way: u64,
    /// The end of the current interval, by the time of the records.
    end: Option<Nanos>,
    /// When the first record arrived that is not in the queue yet.
    waiting: Option<Instant>,
    counts: PointCounts,
    /// No more records come; the queue must be sent by this time.
    last: Option<Instant>,
    /// The thread has finished.
    done: bool,
    /// Whether a failed attempt, rejected points, dropped points, and a warning of the receiver have
    /// been reported.
    noted: [bool; 4],
}

/// Points so far.
#[derive(Clone, Copy, Default)]
pub struct PointCounts {
    /// Accepted by the receiver.
    pub sent: u64,
    /// Dropped for lack of room, or rejected by the receiver.
    pub dropped: u64,
}

impl Exporter {
    /// Starts sending these metrics.
    pub fn start(settings: Settings, headers: &[String], metrics: Shared) -> Result<Arc<Self>> {
        let poster = Poster::new(&settings.url, headers)?;
        let state = State {
            queue: Queue::new(settings.room),
            under_way: 0,
            end: None,
            waiting: None,
            counts: PointCounts::default(),
            last: None,
            done: false,
            noted: [false; 4],
        };
        let exporter = Arc::new(Self { settings, state: Mutex::new(state), changed: Condvar::new() });
        let sender = Arc::clone(&exporter);
        let thread = std::thread::Builder::new().name("otlp".into());
        let failed =
            |error: io::Error| shortage::failure(Exit::Failed, "--otlp: cannot start a thread", &error);
        thread.spawn(move || sender.send(&poster, &metrics)).map_err(failed)?;
        Ok(exporter)
    }

    /// A record with this time is about to be added: the interval before it may be complete.
    pub fn before(&self, time: Nanos, metrics: &mut Metrics) {
        let mut state = self.state();
        if state.end.is_none_or(|end| time > end) {
            if state.end.is_some() {
                self.put(&mut state, metrics);
            }
            let length = Nanos::try_from(self.settings.interval.as_nanos()).unwrap_or(Nanos::MAX);
            state.end = Some(window_end(time, length));
        }
        if state.waiting.is_none() {
            state.waiting = Some(Instant::now());
            self.changed.notify_all();
        }
    }

    /// Sends the rest within some seconds, and prints the totals.
    pub fn finish(&self, metrics: &Shared) {
        let mut metrics = metrics.lock();
        let mut state = self.state();
        self.put(&mut state, &mut metrics);
        drop(metrics);
        let last = Instant::now() + END;
        state.last = Some(last);
        self.changed.notify_all();
        while !state.done && Instant::now() < last {
            state = self.wait(state, last.saturating_duration_since(Instant::now()));
        }
        // The outcome of a request in flight will not be known.
        let rest = state.under_way + state.queue.points();
        self.give_up(&mut state, rest);
        let PointCounts { sent, dropped } = state.counts;
        if self.settings.verbose || (dropped > 0 && !self.settings.quiet) {
            note(&format!("--otlp {}: {sent} points sent, {dropped} dropped", self.settings.url));
        }
    }

    /// Points so far.
    pub fn counts(&self) -> PointCounts {
        self.state().counts
    }

    /// Queues the current totals, dropping the oldest requests if necessary.
    fn put(&self, state: &mut State, metrics: &mut Metrics) {
        state.waiting = None;
        let dropped = batches(metrics).into_iter().map(|batch| state.queue.push(batch)).sum();
        self.give_up(state, dropped);
        self.changed.notify_all();
    }

    fn give_up(&self, state: &mut State, points: u64) {
        state.counts.dropped += points;
        if points > 0 {
            self.say(
                state,
                2,
                "points are dropped, because they could not be sent in time; more are only counted",
            );
        }
    }

    /// Prints a kind of problem once.
    fn say(&self, state: &mut State, which: usize, what: &str) {
        if !state.noted[which] && !self.settings.quiet {
            note(&format!("--otlp {}: {what}", self.settings.url));
        }
        state.noted[which] = true;
    }

    /// The main loop of the thread.
    fn send(&self, poster: &Poster, metrics: &Shared) {
        let mut wait = FIRST;
        while let Some(batch) = self.next(metrics) {
            let timeout = self.state().last.map_or(ANSWER, |last| {
                last.saturating_duration_since(Instant::now()).clamp(Duration::from_millis(1), ANSWER)
            });
            let outcome = poster.post(&batch.body, timeout);
            let mut state = self.state();
            state.under_way = 0;
            match outcome {
                Outcome::Taken(refused, why) => {
                    let refused = refused.min(batch.points);
                    state.counts.sent += batch.points - refused;
                    state.counts.dropped += refused;
                    if refused > 0 {
                        self.say(
                            &mut state,
                            1,
                            &format!("{refused} points were refused, more are only counted: {why}"),
                        );
                    } else if !why.is_empty() {
                        self.say(&mut state, 3, &format!("all points were taken, with a warning: {why}"));
                    }
                    wait = FIRST;
                }
                Outcome::Refused(why) => {
                    state.counts.dropped += batch.points;
                    self.say(
                        &mut state,
                        1,
                        &format!("{} points were refused, more are only counted: {why}", batch.points),
                    );
                    wait = FIRST;
                }
                Outcome::Later(why, asked) => {
                    self.say(&mut state, 0, &format!("{why}; retrying until --otlp-buffer is full"));
                    let dropped = state.queue.put_back(batch);
                    self.give_up(&mut state, dropped);
                    if !self.pause(state, metrics, asked, jittered(wait)) {
                        break;
                    }
                    wait = (wait * 2).min(LAST);
                }
            }
        }
        self.state().done = true;
        self.changed.notify_all();
    }

    /// The next request; `None` at the end.
    fn next(&self, metrics: &Shared) -> Option<Batch> {
        let mut state = self.state();
        loop {
            if state.last.is_some_and(|last| last <= Instant::now()) {
                return None;
            }
            if let Some(batch) = state.queue.pop() {
                state.under_way = batch.points;
                return Some(batch);
            }
            if state.last.is_some() {
                return None;
            }
            state = self.rest(state, metrics, None);
        }
    }

    /// Waits before another attempt: for `wait`, or as long as the receiver asked for if that is
    /// longer; at exit no longer than the receiver asked for. Returns whether there will be one.
    fn pause<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        metrics: &Shared,
        asked: Option<Duration>,
        wait: Duration,
    ) -> bool {
        let begin = Instant::now();
        let asked = begin + asked.unwrap_or_default();
        let until = asked.max(begin + wait);
        loop {
            let now = Instant::now();
            match state.last {
                Some(last) if asked > last || now >= last => return false,
                // At exit, attempts follow each other closely.
                Some(last) => {
                    let until = asked.max(now + FIRST / 2).min(last);
                    drop(state);
                    std::thread::sleep(until.saturating_duration_since(now));
                    return true;
                }
                _ if now >= until => return true,
                _ => state = self.rest(state, metrics, Some(until)),
            }
        }
    }

    /// Waits for new records until `until` at most, and queues totals that no record follows.
    fn rest<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        metrics: &Shared,
        until: Option<Instant>,
    ) -> MutexGuard<'a, State> {
        let late = state.waiting.map(|since| since + self.settings.interval + SILENCE);
        if late.is_some_and(|late| late <= Instant::now()) {
            // The lock order: the metrics first, everywhere.
            drop(state);
            let mut metrics = metrics.lock();
            let mut state = self.state();
            self.put(&mut state, &mut metrics);
            return state;
        }
        match [late, until].into_iter().flatten().min() {
            Some(until) => self.wait(state, until.saturating_duration_since(Instant::now())),
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
        }
    }

    fn wait<'a>(&'a self, state: MutexGuard<'a, State>, timeout: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, timeout).unwrap_or_else(PoisonError::into_inner).0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Between half and all of a delay, so that many clients do not retry at the same time.
fn jittered(wait: Duration) -> Duration {
    let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
    wait.mul_f64(0.5 + f64::from(nanos / 1_000 % 1_000) / 2_000.0)
}
