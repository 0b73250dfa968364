//! Events that no BPF program can observe.

use crate::kernel;
use crate::tracer::{self, Tracer};

/// Changes of the state of TCP sockets.
pub const STATE_CHANGES: &[&str] = &["sock/inet_sock_set_state"];

/// Runs a test, and repeats it if it failed while one of these events (`sock/inet_sock_set_state`) was unobserved; three
/// times at most.
pub fn observed(events: &[&str], test: fn()) {
    for _ in 0..2 {
        let traced = Traced::of(events, "");
        let Err(failure) = std::panic::catch_unwind(test) else { return };
        if !traced.may_be_unobserved() {
            std::panic::resume_unwind(failure);
        }
    }
    test();
}

/// Events, from the kernel's tracer.
pub struct Traced(Option<Tracer>);

impl Traced {
    /// The changes of state of a port's sockets, where BPF programs may not observe some: see
    /// [`tracer::threads_of_init`].
    pub fn states_of(port: &str) -> Self {
        Self::of(STATE_CHANGES, &format!("sport == {port} || dport == {port}"))
    }

    fn of(events: &[&str], filter: &str) -> Self {
        Self(kernel::of_guest().is_none().then(|| Tracer::start(events, filter)))
    }

    /// Whether any was unobserved so far, or may have been: the tracer does not know the process of a thread that has just
    /// begun.
    fn may_be_unobserved(&self) -> bool {
        let Some(tracer) = &self.0 else { return false };
        let (init, text) = (tracer::threads_of_init(), tracer.text());
        let idle = |event: &tracer::Event<'_>| event.thread == 0;
        text.lines()
            .filter_map(tracer::event)
            .any(|event| event.is_unobserved(&init) || event.process.is_none() && !idle(&event))
    }

    /// The number unobserved so far.
    pub fn unobserved(&self) -> u64 {
        let Some(tracer) = &self.0 else { return 0 };
        let (init, text) = (tracer::threads_of_init(), tracer.text());
        text.lines().filter_map(tracer::event).filter(|event| event.is_unobserved(&init)).count() as u64
    }
}
