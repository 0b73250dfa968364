//! The name of the running kernel.

use std::fs;

/// The kernel's name (5.10, …, 7.x, full, rt) in a guest of `scripts/vm-test`.
pub fn of_guest() -> Option<String> {
    std::env::var("TEST_KERNEL").ok()
}

/// The running kernel, for failure messages.
pub fn name() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let guest = of_guest().map_or_else(String::new, |guest| format!(" (guest {guest})"));
    format!("Linux {}{guest}", release.trim())
}
