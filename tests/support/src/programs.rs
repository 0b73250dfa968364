//! The programs under test, and how they begin.

use std::path::PathBuf;

/// The path of a program of this workspace, built with the profile that the test was built with.
pub fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    // PROFILE/deps/test-HASH
    let profile = test.parent().and_then(|deps| deps.parent()).expect("a profile directory");
    let program = profile.join(name);
    assert!(program.exists(), "{} is not there: build the workspace first: cargo build --release", name);
    program
}

/// A script's background job ignores SIGINT, what nohup starts SIGHUP, and so would every program
/// started from here: tests stop them with these.
#[used]
// SAFETY: the section holds pointers to functions of C's calling convention, as this one is.
#[unsafe(link_section = ".init_array")]
static HEED_SIGNALS: extern "C" fn() = heed_signals;

extern "C" fn heed_signals() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: the default disposition runs no code of this process.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}
