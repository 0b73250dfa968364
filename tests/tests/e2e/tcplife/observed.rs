//! Changes of state that no BPF program can observe.

use tests::kernel;
use tests::tracer::{self, Tracer};

/// Runs a test, and repeats it if it failed while a change of state was unobserved; three times at
/// most.
pub fn observed(test: fn()) {
    for _ in 0..2 {
        let traced = StateChanges::of("");
        let Err(failure) = std::panic::catch_unwind(test) else { return };
        if traced.unobserved() == 0 {
            std::panic::resume_unwind(failure);
        }
    }
    test();
}

/// The state changes of a port's sockets, from the kernel's tracer.
pub struct StateChanges(Option<Tracer>);

impl StateChanges {
    /// Traces them, where BPF programs may not observe some: see [`tracer::threads_of_init`].
    pub fn trace(port: &str) -> Self {
        Self::of(&format!("sport == {port} || dport == {port}"))
    }

    fn of(filter: &str) -> Self {
        Self(kernel::of_guest().is_none().then(|| Tracer::start(&["sock/inet_sock_set_state"], filter)))
    }

    /// The number unobserved so far.
    pub fn unobserved(&self) -> u64 {
        let Some(tracer) = &self.0 else { return 0 };
        let (init, text) = (tracer::threads_of_init(), tracer.text());
        text.lines().filter_map(tracer::event).filter(|event| event.is_unobserved(&init)).count() as u64
    }
}
