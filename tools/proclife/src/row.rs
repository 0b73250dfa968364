//! The records of proclife.

use common::bpf::mmap::words;
use common::measure::counters::{Delta, busiest};
use common::output::Row;
use common::owner::{Options, Owner};
use schemars::JsonSchema;
use serde::Serialize;

pub use crate::skel::types::counter as Counter;
use crate::skel::types::counters;

/// How many counters there are in a bank.
pub const COUNTERS: usize = words::<counters>();
/// A counter that the BPF programs do not use: user space keeps an owner's zombies here.
pub const ZOMBIES: usize = COUNTERS - 1;
const _: () = assert!(ZOMBIES >= Counter::MAX_COUNTERS.0 as usize, "the BPF programs use all counters");

/// What happened in an interval.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProcessCounts {
    /// The owner, with --by: the process that forks, executes or ends; for a failure the caller.
    #[serde(flatten)]
    pub owner: Owner,
    /// Processes started: fork, vfork, clone and clone3 without CLONE_THREAD, and the kernel's own threads.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2))]
    pub forks: u64,
    /// Threads started.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 4))]
    pub threads: u64,
    /// Programs executed: execve and execveat that succeeded.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2))]
    pub execs: u64,
    /// Processes ended: their last thread exited.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2))]
    pub exits: u64,
    /// Threads ended that were not the last of their process.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 4))]
    pub thread_exits: u64,
    /// Ended processes whose parent waited for them, or that no process was to wait for.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 4))]
    pub reaped: u64,
    /// Calls to fork, vfork, clone and clone3 that failed. Null where they cannot be seen.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3, "x-alarm" = true))]
    pub fork_errors: Option<u64>,
    /// Calls to execve and execveat that failed. Null where they cannot be seen.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 3, "x-alarm" = true))]
    pub exec_errors: Option<u64>,
    /// Ended processes that are not reaped at the end of the interval: a gauge, not a count of events.
    #[schemars(extend("x-kind" = "gauge", "x-rank" = 3))]
    pub zombies: u64,
}

/// Which failures the available hooks see.
#[derive(Clone, Copy)]
pub struct Sees {
    /// Failures of fork and its variants.
    pub fork_errors: bool,
    /// Failures of execve and execveat.
    pub exec_errors: bool,
}

impl ProcessCounts {
    /// A record for each owner, the busiest first; an empty one if nothing happened.
    pub fn of(added: Delta<COUNTERS>, options: &Options, sees: Sees) -> Vec<Self> {
        let added = busiest(added, options, |added| added[..=Counter::THREAD_EXITS.0 as usize].iter().sum());
        added.into_iter().map(|(owner, added)| Self::new(owner, &added, sees)).collect()
    }

    /// From what was added to the counters.
    fn new(owner: Owner, added: &[u64; COUNTERS], sees: Sees) -> Self {
        let of = |counter: Counter| added[counter.0 as usize];
        Self {
            owner,
            forks: of(Counter::FORKS),
            threads: of(Counter::THREADS),
            execs: of(Counter::EXECS),
            exits: of(Counter::EXITS),
            thread_exits: of(Counter::THREAD_EXITS),
            reaped: of(Counter::REAPED),
            fork_errors: sees.fork_errors.then(|| of(Counter::FORK_ERRORS)),
            exec_errors: sees.exec_errors.then(|| of(Counter::EXEC_ERRORS)),
            zombies: added[ZOMBIES],
        }
    }
}

impl Row for ProcessCounts {}

/// One event (`--events`).
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Event {
    /// What: fork, exec, exit, fork_error, exec_error; with --threads also thread and thread_exit.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 11, "enum" = ["fork", "thread", "exec", "exit", "thread_exit", "fork_error", "exec_error"]))]
    pub event: &'static str,
    /// The process: the new one for fork.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 7))]
    pub pid: u32,
    /// The thread; equal to pid for a process's first thread.
    #[schemars(extend("x-kind" = "key"))]
    pub tid: u32,
    /// The parent process; for fork the process that forked.
    #[schemars(extend("x-kind" = "key", "x-rank" = 2, "x-width" = 7))]
    pub ppid: u32,
    /// The command name, at most 15 bytes: the new one for exec.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 15))]
    pub comm: String,
    /// exec: the program's file, as it was named.
    #[schemars(extend("x-kind" = "text"))]
    pub path: Option<String>,
    /// exec: the arguments, quoted for a shell where needed; ends with `…` where they are longer than 4096 bytes.
    #[schemars(extend("x-kind" = "text", "x-rank" = 1, "x-cut" = "middle"))]
    pub argv: Option<String>,
    /// exit: the code given to exit(2); null if a signal ended it.
    #[schemars(extend("x-kind" = "value", "x-rank" = 2, "x-alarm" = true))]
    pub exit_code: Option<u8>,
    /// exit: the signal that ended it.
    #[schemars(extend("x-kind" = "value", "x-rank" = 3, "x-alarm" = true))]
    pub signal: Option<u8>,
    /// exit: how long it had lived, in seconds.
    #[schemars(extend("x-kind" = "value", "x-rank" = 3, "x-unit" = "seconds"))]
    pub age_s: Option<f64>,
    /// fork_error, exec_error: the error's number (errno).
    #[schemars(extend("x-kind" = "value", "x-rank" = 2, "x-alarm" = true))]
    pub errno: Option<u32>,
}

impl Row for Event {
    const EVENT: bool = true;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_land_in_their_fields() {
        let added = std::array::from_fn(|i| 10 + i as u64);
        let sees = Sees { fork_errors: true, exec_errors: false };
        let counts = ProcessCounts::new(Owner::default(), &added, sees);
        assert_eq!((counts.forks, counts.thread_exits, counts.reaped, counts.zombies), (10, 14, 15, 25));
        assert_eq!((counts.fork_errors, counts.exec_errors), (Some(16), None));
    }
}
