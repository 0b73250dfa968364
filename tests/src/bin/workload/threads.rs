//! `threads --how leader-first|exec|exit-group --repeat R --threads T`: R times a child with T
//! threads beside the first, which exit in an uncommon way. It prints a line for each, from
//! wait(2): `{"pid":…,"code":…}`.
//!
//! In the cgroup, with R children of T threads each:
//! - leader-first: the first thread ends first, and the last of the others ends the process.
//!   R forks, R*T threads, R*T thread exits, R exits.
//! - exec: one of the others executes a program: the kernel ends all but that one.
//!   R forks, R*T threads, R execs, R*T thread exits (the first thread among them), R exits.
//! - exit-group: the first thread ends the process while the others sleep.
//!   R forks, R*T threads, R*T thread exits, R exits.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use crate::args::Args;
use crate::sys;

/// Longer than any test runs.
const FOR_EVER: Duration = Duration::from_secs(3600);

/// Does the work.
pub fn run(args: &Args) {
    let how = args.text("how").expect("--how leader-first|exec|exit-group").to_string();
    let threads = args.count("threads") as usize;
    for _ in 0..args.count("repeat") {
        let pid = sys::child_that(|| match how.as_str() {
            "leader-first" => leader_first(threads),
            "exec" => exec(threads),
            "exit-group" => exit_group(threads),
            other => panic!("unknown --how {other}"),
        });
        let status = sys::wait(pid);
        assert!(libc::WIFEXITED(status), "{how}: status {status:#x}");
        println!("{{\"pid\":{pid},\"code\":{}}}", libc::WEXITSTATUS(status));
    }
    args.hold();
}

fn leader_first(threads: usize) {
    let leader = std::process::id();
    let last = start(threads, move |_| {
        // A dead first thread is a zombie as long as the others run.
        while !std::fs::read_to_string(format!("/proc/self/task/{leader}/stat"))
            .is_ok_and(|stat| stat.contains(") Z "))
        {
            thread::sleep(Duration::from_millis(1));
        }
        sys::exit_thread(7);
    });
    last.wait();
    sys::exit_thread(5);
}

fn exec(threads: usize) {
    let program = std::env::current_exe().expect("the program's own path");
    let path = program.to_string_lossy().into_owned();
    let all = start(threads, move |index| {
        if index == 0 {
            sys::exec(&path, &["workload", "noop"], None);
        }
        thread::sleep(FOR_EVER);
    });
    // The kernel gives this thread the id of another and ends that: it counts as a thread.
    sys::set_name(c"thread");
    all.wait();
    thread::sleep(FOR_EVER);
}

fn exit_group(threads: usize) {
    start(threads, |_| thread::sleep(FOR_EVER)).wait();
    sys::exit(9);
}

/// Starts the threads; each does its work once all are there and the first thread has reached the
/// barrier.
fn start(threads: usize, work: impl Fn(usize) + Send + Sync + 'static) -> &'static Barrier {
    let barrier: &'static Barrier = Box::leak(Box::new(Barrier::new(threads + 1)));
    let work: &'static (dyn Fn(usize) + Send + Sync) = Box::leak(Box::new(work));
    for index in 0..threads {
        let thread = thread::Builder::new().name("thread".to_string());
        let started = thread.spawn(move || {
            barrier.wait();
            work(index);
        });
        drop(started.expect("a thread"));
    }
    barrier
}
