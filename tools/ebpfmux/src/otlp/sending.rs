//! The thread that sends: takes one request after the other from the queue, and tries again where that may help.

use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::batch::{Batch, Pending};
use super::client::{Outcome, Poster};
use super::{Exporter, State};

/// The time-out of a request.
const ANSWER: Duration = Duration::from_secs(10);
/// The delay before the second attempt, doubled for each further one.
const FIRST: Duration = Duration::from_secs(1);
/// The maximum delay between attempts, unless the receiver asks for more.
const LAST: Duration = Duration::from_secs(30);
/// The delay after which the last records are sent if none follow.
const SILENCE: Duration = Duration::from_secs(1);

impl<P: Pending + Send + 'static> Exporter<P> {
    /// The main loop of the thread.
    pub(super) fn send(&self, poster: &Poster) {
        let (mut wait, what) = (FIRST, self.items());
        while let Some(batch) = self.next() {
            let timeout = self.state().last.map_or(ANSWER, |last| {
                last.saturating_duration_since(Instant::now()).clamp(Duration::from_millis(1), ANSWER)
            });
            let outcome = poster.post(&batch.body, timeout);
            let mut state = self.state();
            state.under_way = 0;
            match outcome {
                Outcome::Taken(refused, why) => {
                    let refused = refused.min(batch.items);
                    state.counts.sent += batch.items - refused;
                    state.counts.dropped += refused;
                    if refused > 0 {
                        self.say(
                            &mut state,
                            1,
                            &format!("{refused} {what} were refused, more are only counted: {why}"),
                        );
                    } else if !why.is_empty() {
                        self.say(&mut state, 3, &format!("all {what} were taken, with a warning: {why}"));
                    }
                    wait = FIRST;
                }
                Outcome::Refused(why) => {
                    state.counts.dropped += batch.items;
                    self.say(
                        &mut state,
                        1,
                        &format!("{} {what} were refused, more are only counted: {why}", batch.items),
                    );
                    wait = FIRST;
                }
                Outcome::Later(why, asked) => {
                    self.say(&mut state, 0, &format!("{why}; retrying until --otlp-buffer is full"));
                    let dropped = state.queue.put_back(batch);
                    self.give_up(&mut state, dropped);
                    if !self.pause(state, asked, jittered(wait)) {
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
    fn next(&self) -> Option<Batch> {
        let mut state = self.state();
        loop {
            if state.last.is_some_and(|last| last <= Instant::now()) {
                return None;
            }
            if let Some(batch) = state.queue.pop() {
                state.under_way = batch.items;
                return Some(batch);
            }
            if state.last.is_some() {
                return None;
            }
            state = self.rest(state, None);
        }
    }

    /// Waits before another attempt: for `wait`, or as long as the receiver asked for if that is
    /// longer; at exit no longer than the receiver asked for. Returns whether there will be one.
    fn pause<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
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
                _ => state = self.rest(state, Some(until)),
            }
        }
    }

    /// Waits for new records until `until` at most, and queues what no record follows.
    fn rest<'a>(&'a self, state: MutexGuard<'a, State>, until: Option<Instant>) -> MutexGuard<'a, State> {
        let late = state.waiting.map(|since| since + self.settings.interval + SILENCE);
        if late.is_some_and(|late| late <= Instant::now()) {
            // The lock order: what is pending first, everywhere.
            drop(state);
            let mut pending = self.pending();
            let mut state = self.state();
            self.put(&mut state, &mut pending);
            return state;
        }
        match [late, until].into_iter().flatten().min() {
            Some(until) => self.wait(state, until.saturating_duration_since(Instant::now())),
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// Between half and all of a delay, so that many clients do not retry at the same time.
fn jittered(wait: Duration) -> Duration {
    let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
    wait.mul_f64(0.5 + f64::from(nanos / 1_000 % 1_000) / 2_000.0)
}
