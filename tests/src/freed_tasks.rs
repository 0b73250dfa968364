//! Which processes the kernel has freed, and which of them where some kernels run no BPF program.

use std::collections::HashSet;

use crate::kernel;
use crate::tracer::{self, Tracer};
use crate::wait::{For, until_or};

/// Follows processes from their start to the freeing of what the kernel kept of them.
pub struct FreedTasks(Option<Tracer>);

/// Of some processes and all that came from them; threads, named so, are not among them.
#[derive(Debug, Default)]
struct Freed {
    all: u64,
    /// Where process 1 ran, or was interrupted: see [`tracer::threads_of_init`].
    unobserved: u64,
}

impl FreedTasks {
    /// Starts to follow, where programs may not observe all. In a guest they do.
    pub fn start() -> Self {
        if kernel::of_guest().is_some() { Self(None) } else { Self::follow() }
    }

    /// Starts to follow, on any kernel.
    pub fn follow() -> Self {
        let events = ["sched/sched_process_fork", "sched/sched_process_free"];
        Self(Some(Tracer::start(&events, "")))
    }

    /// How many were freed so far that no BPF program could observe.
    pub fn unobserved(&self, roots: &[u32]) -> u64 {
        self.freed(roots).unobserved
    }

    /// Waits until so many were freed, a grace period after they were reaped, where they are followed.
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
