//! Serializes tests that share what the machine has only once: its disks and processors.

use std::fs::File;

use rustix::fs::{FlockOperation, flock};

/// Held for as long as a test needs the machine for itself.
pub struct Machine(#[expect(dead_code, reason = "closing it gives the lock up")] File);

/// Waits until no other test of any process holds the machine.
pub fn machine() -> Machine {
    let path = std::env::temp_dir().join("ebpf-filters-tests.lock");
    let file = File::create(&path).expect("a lock file in the directory for temporary files");
    flock(&file, FlockOperation::LockExclusive).expect("flock");
    Machine(file)
}
