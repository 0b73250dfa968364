//! What the tests take the kernel for: whether it preempts tasks within BPF programs, which decides what a tool may lose.
#![allow(clippy::expect_used, reason = "tests")]

use std::io::Write;

use tests::kernel;

/// The answers for Debian's kernels, as docs/kernels.md has them.
#[test]
fn kernels_preempt_programs_as_documented() {
    let Some(guest) = kernel::of_guest() else { return };
    let found = (kernel::preempts_programs(), kernel::is_real_time());
    // Not println: the test harness captures it.
    writeln!(std::io::stderr(), "{}: preempts programs: {}, real-time: {}", kernel::name(), found.0, found.1)
        .expect("stderr takes a line");
    let expected = match guest.as_str() {
        "5.10" | "6.1" | "6.12" | "full" | "arm64" => (false, false),
        "rt" => (true, true),
        _ => (true, false),
    };
    assert_eq!(found, expected);
}
