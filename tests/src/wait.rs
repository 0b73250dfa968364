//! Waiting, in one place: what for, how long at most, and what to say when that is over.
//!
//! Each time-out is for machines under load, where it may take a hundred times as long as it should; who waits asks again
//! and again, so that a long time-out costs nothing where all is well.

use std::fmt::Display;
use std::time::{Duration, Instant};

use crate::kernel;

/// Between two questions: from so long for what comes at once, to so long for what does not.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(20)];

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// A tool to attach: its programs pass the verifier, and each link takes a grace period.
    Attach,
    /// A tool to give up its rights and to say how it attached, which it does next.
    Ready,
    /// A record that tells of what was done.
    Record,
    /// The end of an interval, of some seconds at most.
    Interval,
    /// A tool's end: each link that goes takes a grace period.
    End,
    /// What was held to be freed: programs and maps, processes, cgroups, disks; after a grace period, by a kernel thread.
    Freed,
    /// A workload's word: of ten thousand processes in a guest, some minutes.
    Word,
    /// A workload's end.
    WorkloadEnd,
    /// A process to stop, to sleep, or to be under way.
    State,
    /// A device or directory that the kernel is to make.
    Device,
    /// A server's answer, or that it has the right one: it asks others by itself, each half second.
    Answer,
    /// A disk or a writer that has nothing to do for a while.
    Quiet,
}

impl For {
    /// How long it may take at the most.
    pub fn at_most(self) -> Duration {
        Duration::from_secs(match self {
            // In a guest that has a tenth of a processor, an attach of all hooks was seen to take 20 s.
            Self::Attach | Self::End => 120,
            Self::Ready | Self::State | Self::Device => 60,
            Self::Record | Self::Interval | Self::Freed | Self::Answer | Self::Quiet => 90,
            Self::Word | Self::WorkloadEnd => 400,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Attach => "a tool to attach",
            Self::Ready => "a tool to be ready",
            Self::Record => "a record",
            Self::Interval => "an interval",
            Self::End => "a tool's end",
            Self::Freed => "what was held to be freed",
            Self::Word => "a workload's word",
            Self::WorkloadEnd => "a workload's end",
            Self::State => "a process's state",
            Self::Device => "a device",
            Self::Answer => "a server's answer",
            Self::Quiet => "quiet",
        }
    }
}

/// Asks again and again until there is an answer. Fails when the time is over, and says what was waited for.
pub fn until<T>(reason: For, what: impl Display, ask: impl FnMut() -> Option<T>) -> T {
    until_or(reason, what, ask, String::new)
}

/// The same; on failure also says what came so far.
pub fn until_or<T>(
    reason: For,
    what: impl Display,
    ask: impl FnMut() -> Option<T>,
    so_far: impl FnOnce() -> String,
) -> T {
    if let Some(answer) = within(reason.at_most(), ask) {
        return answer;
    }
    give_up(reason, what, &so_far())
}

/// Fails: the time is over.
pub fn give_up(reason: For, what: impl Display, so_far: &str) -> ! {
    let came = if so_far.is_empty() { String::new() } else { format!("; so far: {so_far}") };
    let (name, seconds) = (reason.name(), reason.at_most().as_secs());
    panic!("gave up waiting for {name} after {seconds} s: {what}{came}; {}", kernel::name());
}

/// Asks again and again until there is an answer; none when the time is over.
pub fn within<T>(time: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + time;
    let [mut pause, longest] = PAUSES;
    loop {
        let answer = ask();
        if answer.is_some() || Instant::now() >= end {
            return answer;
        }
        std::thread::sleep(pause);
        pause = (2 * pause).min(longest);
    }
}

/// Waits until an answer has been the same for so long; what it is.
pub fn until_still<T: PartialEq>(what: impl Display, time: Duration, mut ask: impl FnMut() -> T) -> T {
    let (mut last, mut since) = (ask(), Instant::now());
    until(For::Quiet, what, || {
        let now = ask();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        (since.elapsed() >= time).then_some(())
    });
    last
}

/// Waits for a moment of the clock, in milliseconds since 1970: one by which others keep their time.
pub fn until_moment(ms: i64) {
    let left = ms - jiff::Timestamp::now().as_millisecond();
    std::thread::sleep(Duration::from_millis(left.max(0).unsigned_abs()));
}

/// For what goes away by itself and a test that fails already must not fail for again: asks for two seconds.
pub fn clean_up(mut ask: impl FnMut() -> bool) {
    let _ = within(Duration::from_secs(2), || ask().then_some(()));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{For, until, until_still, within};

    #[test]
    fn an_answer_ends_it() {
        let mut asked = 0;
        let third = until(For::State, "the third question", || {
            asked += 1;
            (asked == 3).then_some("answer")
        });
        assert_eq!((third, asked), ("answer", 3));
        assert_eq!(within(Duration::ZERO, || None::<()>), None);
    }

    #[test]
    fn still_is_what_does_not_change() {
        let mut asked = 0;
        let last = until_still("a number that grows to five", Duration::from_millis(60), || {
            asked += 1;
            asked.min(5)
        });
        assert_eq!(last, 5);
    }
}
