//! Waiting in one place: the reason, the time-out, and the message when it expires.
//!
//! Each time-out allows for machines under load, where an operation may take a hundred times as
//! long. The waiter polls, so that a long time-out costs nothing where all is well.

use std::fmt::Display;
use std::time::{Duration, Instant};

use crate::kernel;

/// The pause between two polls: the shortest at the beginning, the longest later.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(20)];

/// The reason for a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// A tool attaches: its programs pass the verifier, and each link takes a grace period.
    Attach,
    /// A tool drops its capabilities and then prints how it attached.
    Ready,
    /// A record that covers the work.
    Record,
    /// An interval ends; it lasts some seconds at most.
    Interval,
    /// A tool exits: each removed link takes a grace period.
    End,
    /// Objects are freed after a grace period by a kernel thread: programs, maps, processes,
    /// cgroups, disks.
    Freed,
    /// A workload prints a line. With ten thousand processes in a guest this takes some minutes.
    Word,
    /// A workload exits.
    WorkloadEnd,
    /// A process stops, sleeps or starts.
    State,
    /// The kernel creates a device or directory.
    Device,
    /// A server answers, or has the right value: it polls others itself every half second.
    Answer,
    /// A disk or a writer becomes idle.
    Quiet,
}

impl For {
    /// The time-out.
    pub fn at_most(self) -> Duration {
        Duration::from_secs(match self {
            // In a guest with a tenth of a processor, attaching all hooks took up to 20 s, and links are made one after
            // another: of twelve tools that start at once, the last took more than 120 s.
            Self::Attach | Self::End => 400,
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

/// Polls until there is an answer. Fails after the time-out and names what was waited for.
pub fn until<T>(reason: For, what: impl Display, ask: impl FnMut() -> Option<T>) -> T {
    until_or(reason, what, ask, String::new)
}

/// The same; the failure message includes what was received so far.
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

/// Fails with a time-out.
pub fn give_up(reason: For, what: impl Display, so_far: &str) -> ! {
    let received = if so_far.is_empty() { String::new() } else { format!("; so far: {so_far}") };
    let (name, seconds) = (reason.name(), reason.at_most().as_secs());
    panic!("gave up waiting for {name} after {seconds} s: {what}{received}; {}", kernel::name());
}

/// Polls until there is an answer; `None` after the time-out.
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

/// Waits until the answer has been the same for this long; returns it.
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

/// Waits for a time of the clock, in milliseconds since 1970, as other processes use it.
pub fn until_moment(ms: i64) {
    let left = ms - jiff::Timestamp::now().as_millisecond();
    std::thread::sleep(Duration::from_millis(left.max(0).unsigned_abs()));
}

/// For clean-up that must not fail a test that has already failed: polls for two seconds.
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
