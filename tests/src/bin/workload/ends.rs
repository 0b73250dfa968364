//! `ends`: children that exit in every possible way. It prints a line for each, from wait(2), with
//! the minimum and maximum age that it can have had:
//! `{"pid":…,"code":…,"signal":…,"min_s":…,"max_s":…}`.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::sys;

/// The age of the oldest child.
const AGE: Duration = Duration::from_millis(250);

/// The exit code of the child that sleeps.
const SLEPT: i32 = 101;

/// Does the work.
pub fn run(args: &Args) {
    let ways: [&dyn Fn(); 6] = [
        &|| sys::exit(0),
        &|| sys::exit(3),
        &|| sys::exit(255),
        &|| raise(libc::SIGKILL),
        &|| raise(libc::SIGSEGV),
        &|| {
            sleep(AGE);
            sys::exit(SLEPT);
        },
    ];
    for way in ways {
        let start = Instant::now();
        let pid = sys::child_that(|| {
            no_core();
            way();
        });
        let status = sys::wait(pid);
        report(pid, status, if status >> 8 == SLEPT { AGE } else { Duration::ZERO }, start.elapsed());
    }
    args.hold();
}

fn report(pid: i32, status: i32, least: Duration, most: Duration) {
    let signal = libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status));
    let code = libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
    let or_null = |value: Option<i32>| value.map_or("null".to_string(), |value| value.to_string());
    println!(
        "{{\"pid\":{pid},\"code\":{},\"signal\":{},\"min_s\":{},\"max_s\":{}}}",
        or_null(code),
        or_null(signal),
        least.as_secs_f64(),
        most.as_secs_f64()
    );
}

fn raise(signal: i32) {
    // SAFETY: ends the process. The runtime's own handler, for overflows of the stack, would swallow a SIGSEGV
    // that no instruction caused.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::kill(libc::getpid(), signal);
    }
}

/// Disables core dumps of the intended signals.
fn no_core() {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit outlives the call.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
}
