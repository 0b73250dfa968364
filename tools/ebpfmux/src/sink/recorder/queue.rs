//! The queue between the merge and the thread that writes the recording.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The maximum number of bytes in the queue, unless a single line is longer.
const ROOM: usize = 256 << 10;

/// Lines to be written.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    /// Signalled when there are lines, or no more will come.
    filled: Condvar,
    /// Signalled when there is room.
    emptied: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    ended: bool,
    gone: bool,
}

/// The result of [`Queue::take`].
pub enum Taken {
    /// Lines.
    Lines,
    /// None until the deadline.
    Nothing,
    /// No more will come.
    End,
}

impl Queue {
    /// Adds lines, when there is room.
    pub fn push(&self, lines: &[u8]) {
        let mut state = self.lock();
        while !state.gone && !state.lines.is_empty() && state.lines.len() + lines.len() > ROOM {
            state = self.emptied.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.gone {
            return;
        }
        // A wake-up is needed only for the first lines.
        let wake = state.lines.is_empty();
        state.lines.extend_from_slice(lines);
        drop(state);
        if wake {
            self.filled.notify_one();
        }
    }

    /// Ends the queue: no more lines will come.
    pub fn end(&self) {
        self.lock().ended = true;
        self.filled.notify_one();
    }

    /// Replaces `lines` by the queued ones; waits for them, until `due` at most.
    pub fn take(&self, due: Option<Instant>, lines: &mut Vec<u8>) -> Taken {
        lines.clear();
        lines.shrink_to(ROOM);
        let mut state = self.lock();
        loop {
            if !state.lines.is_empty() {
                std::mem::swap(&mut state.lines, lines);
                drop(state);
                self.emptied.notify_one();
                return Taken::Lines;
            }
            if state.ended {
                return Taken::End;
            }
            state = match due {
                None => self.filled.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(due) => {
                    let left = due.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Taken::Nothing;
                    }
                    self.filled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// A guard that ends all waiting for room when it is dropped: nothing more is taken.
    pub fn gone(&self) -> impl Drop + use<'_> {
        Gone(self)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Gone<'a>(&'a Queue);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.0.lock().gone = true;
        self.0.emptied.notify_one();
    }
}
