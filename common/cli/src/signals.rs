//! SIGINT, SIGTERM and SIGHUP end a tool in order: the current interval is printed, then it exits with 0. A second one
//! kills it at once. A signal that was ignored when the tool started (`nohup`, a background job of a script) stays ignored.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use libc::{SIG_DFL, SIG_IGN, SIGHUP, SIGINT, SIGTERM, c_int, sighandler_t};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use crate::exit::{Exit, Failure, Result};
use crate::shortage;

/// The signals that ask a process to end.
const ENDING: [c_int; 3] = [SIGINT, SIGTERM, SIGHUP];

/// Signals that come so soon after the first are of the same request: the kernel and the shell both send SIGHUP when a
/// terminal goes away.
const ONE_REQUEST: Duration = Duration::from_millis(100);

/// Becomes readable when the process is asked to end, and stays so.
#[derive(Clone)]
pub struct Stop {
    event: Arc<OwnedFd>,
}

impl Stop {
    /// Takes over SIGINT, SIGTERM and SIGHUP, except those that are ignored. Call once per process.
    pub fn on_signals() -> Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| Failure::failed(format!("cannot create an eventfd: {error}")))?;
        let stop = Self { event: Arc::new(event) };
        let handler = stop.clone();
        let (ignored, heeded): (Vec<_>, Vec<_>) = ENDING.into_iter().partition(|signal| is_ignored(*signal));
        ctrlc::set_handler(move || {
            handler.request();
            // From here on the next one kills, whatever the process is doing.
            std::thread::sleep(ONE_REQUEST);
            heeded.iter().for_each(|signal| dispose(*signal, SIG_DFL));
        })
        .map_err(|error| match error {
            ctrlc::Error::System(error) => {
                shortage::failure(Exit::Failed, "cannot start the thread that handles signals", &error)
            }
            error => Failure::failed(format!("cannot handle signals: {error}")),
        })?;
        ignored.iter().for_each(|signal| dispose(*signal, SIG_IGN));
        Ok(stop)
    }

    /// A stop that listens to no signal.
    #[cfg(test)]
    pub fn for_tests() -> Self {
        Self { event: Arc::new(eventfd(0, EventfdFlags::NONBLOCK).unwrap()) }
    }

    /// Asks the process to end, as a signal would.
    pub fn request(&self) {
        // A full eventfd is already readable.
        let _ = rustix::io::write(&self.event, &1u64.to_ne_bytes());
    }

    /// Whether the process was asked to end.
    pub fn requested(&self) -> bool {
        self.wait(Some(Instant::now()), &[]) == Woken::Stop
    }

    /// Sleeps until the deadline, until asked to end, or until the reader of stdout has closed the pipe: that is noticed
    /// while waiting, not only at the next write.
    pub fn until(&self, deadline: Instant) -> Woken {
        self.wait(Some(deadline), &[(io::stdout().as_fd(), PollFlags::empty())])
    }

    /// Sleeps until the deadline, until one of `fds` is readable or in error, or until asked to
    /// end. Without a deadline only the latter two end it.
    pub fn wait(&self, deadline: Option<Instant>, fds: &[(BorrowedFd<'_>, PollFlags)]) -> Woken {
        let mut polled = Vec::with_capacity(fds.len() + 1);
        polled.push(PollFd::from_borrowed_fd(self.event.as_fd(), PollFlags::IN));
        polled.extend(fds.iter().map(|(fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)));
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            match poll(&mut polled, left.map(timespec).as_ref()) {
                Ok(0) => return Woken::Deadline,
                Ok(_) if !polled[0].revents().is_empty() => return Woken::Stop,
                Ok(_) => {
                    let ready = polled[1..].iter().position(|fd| !fd.revents().is_empty());
                    return ready.map_or(Woken::Deadline, Woken::Ready);
                }
                // Interrupted: by a signal whose handler has just run, or by being stopped and continued.
                Err(_) => continue,
            }
        }
    }
}

/// Gives up one of the signals that end a process, for another use; returns whether it was not ignored. Call it after
/// [`Stop::on_signals`].
pub fn release(signal: c_int) -> bool {
    if is_ignored(signal) {
        return false;
    }
    dispose(signal, SIG_DFL);
    true
}

/// Ignores one from now on; returns whether it was heeded before.
pub fn ignore(signal: c_int) -> bool {
    let heeded = !is_ignored(signal);
    dispose(signal, SIG_IGN);
    heeded
}

/// Whether this process ignores a signal, as it may have been told to by the one that started it.
fn is_ignored(signal: c_int) -> bool {
    // SAFETY: all zero is a valid sigaction.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: only asks, and writes the answer to `action`.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) };
    asked == 0 && action.sa_sigaction == SIG_IGN
}

/// Has a signal do what it does by default (`SIG_DFL`), or nothing (`SIG_IGN`).
fn dispose(signal: c_int, disposition: sighandler_t) {
    // SAFETY: both dispositions run no code of this process.
    unsafe { libc::signal(signal, disposition) };
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The deadline has come.
    Deadline,
    /// The process was asked to end.
    Stop,
    /// The file descriptor of this index is ready.
    Ready(usize),
}

fn timespec(left: Duration) -> Timespec {
    // A wait of more than a year is cut short, so that it cannot overflow: the caller's loop waits
    // again.
    let left = left.min(Duration::from_secs(365 * 86_400));
    Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_ends_a_wait_and_is_remembered() {
        let stop = Stop::for_tests();
        assert!(!stop.requested());
        assert_eq!(stop.wait(Some(Instant::now() + Duration::from_millis(5)), &[]), Woken::Deadline);
        stop.request();
        assert_eq!(stop.wait(None, &[]), Woken::Stop);
        assert!(stop.requested());
    }

    #[test]
    fn a_ready_descriptor_is_named() {
        let stop = Stop::for_tests();
        let (silent, ready) =
            (eventfd(0, EventfdFlags::empty()).unwrap(), eventfd(1, EventfdFlags::empty()).unwrap());
        let fds = [(silent.as_fd(), PollFlags::IN), (ready.as_fd(), PollFlags::IN)];
        assert_eq!(stop.wait(None, &fds), Woken::Ready(1));
    }
}
