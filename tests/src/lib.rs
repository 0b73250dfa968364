//! Helpers shared by the end-to-end tests.
//!
//! The tests run the built tools beside a workload with known numbers, on the running kernel. They
//! need root; see [`can_run`].
#![allow(clippy::expect_used, reason = "a failure here fails the calling test with its message")]

pub mod block_trace;
pub mod bpf;
pub mod caller_timing;
pub mod cgroup;
pub mod comparison;
pub mod disk;
pub mod diskstats;
pub mod doctor;
pub mod exported;
pub mod fio;
pub mod formatted;
pub mod freed_tasks;
pub mod hog;
pub mod interrupts;
pub mod kernel;
pub mod lock;
pub mod memcg;
pub mod mounted;
pub mod observed;
pub mod overlay;
pub mod parallel;
pub mod paused_child;
pub mod perf;
pub mod privileges;
pub mod programs;
pub mod quantiles;
pub mod records;
pub mod refusal;
pub mod schema_check;
pub mod swap;
pub mod systemd_unit;
pub mod timing;
pub mod tool;
pub mod tracer;
pub mod user;
pub mod workload;

use std::io::Write;

pub use test_support::{otlp, prometheus, server, streams, wait};

/// Whether the tests can run, that is, as root. Otherwise prints so; in CI that is a failure.
pub fn can_run() -> bool {
    if rustix::process::geteuid().is_root() {
        return true;
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "needs root, and CI must not skip");
    // Not eprintln: the test harness captures it.
    writeln!(std::io::stderr(), "skipped: needs root").expect("stderr takes a line");
    false
}
