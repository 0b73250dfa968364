//! Which processes the kernel has freed, and which of them no BPF program could observe.

use std::collections::HashSet;

use crate::kernel;
use crate::tracer::{self, Tracer};
use crate::wait::{For, until_or};

/// Traces processes from their start until their task structs are freed.
pub struct FreedTasks(Option<Tracer>);

/// Only these processes and their descendants; threads with this name are excluded.
#[derive(Debug, Default)]
struct Freed {
    all: u64,
    /// Where process 1 ran, or was interrupted: see [`tracer::threads_of_init`].
    unobserved: u64,
}

impl FreedTasks {
    /// Starts tracing where programs may not observe everything. In a guest they observe
    /// everything.
    pub fn start() -> Self {
        if kernel::of_guest().is_some() { Self(None) } else { Self::follow() }
    }

    /// Starts tracing on any kernel.
    pub fn follow() -> Self {
        let events = ["sched/sched_process_fork", "sched/sched_process_free"];
        Self(Some(Tracer::start(&events, "")))
    }

    /// The number of processes freed so far that no BPF program could observe.
    pub fn unobserved(&self, roots: &[u32]) -> u64 {
        self.freed(roots).unobserved
    }

    /// Waits until this many were freed, a grace period after they were reaped, if tracing is on.
    pub fn until_freed(&self, roots: &[u32], number: u64) {
        if self.0.is_none() {
            return;
        }
        let all = || (self.freed(roots).all >= number).then_some(());
        let what = format!("{number} processes from {roots:?}");
        until_or(For::Freed, what, all, || format!("{:?}", self.freed(roots)));
    }

    fn freed(&self, roots: &[u32]) -> Freed {
        let Some(tracer) = &self.0 else { return Freed::default() };
        let init = tracer::threads_of_init();
        let mut family: HashSet<u32> = roots.iter().copied().collect();
        let mut freed = Freed::default();
        let text = tracer.text();
        for event in text.lines().filter_map(tracer::event) {
            if event.name == "sched_process_fork" {
                let parent_is_ours = number(event.fields, " pid=").is_some_and(|pid| family.contains(&pid));
                family.extend(number(event.fields, " child_pid=").filter(|_| parent_is_ours));
            } else if number(event.fields, " pid=").is_some_and(|pid| family.remove(&pid)) {
                let process = !event.fields.starts_with("comm=thread ");
                freed.all += u64::from(process);
                freed.unobserved += u64::from(process && event.is_unobserved(&init));
            }
        }
        freed
    }
}

fn number(fields: &str, key: &str) -> Option<u32> {
    fields.split_once(key)?.1.split(' ').next()?.parse().ok()
}
