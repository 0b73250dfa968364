//! `processes --forks F --threads T --execs E --failing-execs X --failing-forks Y --zombies Z [--argv-bytes N]`
//!
//! The totals, with the program itself in the cgroup:
//! - forks F: E of them go on to exec, Z become zombies, the other F - E - Z end at once. They are made by
//!   clone, clone3, fork and vfork in turn; the ones that exec by clone alone, since they run code first.
//! - execs E: each in a child of its own, of this program's subject `noop`, which starts nothing. With
//!   `--argv-bytes` the last one gets an argument of so many bytes.
//! - threads T: of the program itself, each joined before the next starts.
//! - failing execs X: tried by the program itself: ENOENT, EACCES, and both again by execveat.
//! - failing forks Y: tried by the program itself: clone and clone3 with what the kernel refuses (EINVAL),
//!   fork and vfork as a user that may have no processes (EAGAIN).
//! - zombies Z: forked last; they stand until after `--hold`, then all are waited for, and it holds once more.
//!
//! At the first `held` there were F exits and F - Z reaped, at the second F of both; at the end one more of both,
//! its own.

use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use crate::args::Args;
use crate::sys::{self, Way};

/// Does the work.
pub fn run(args: &Args) {
    let (forks, execs, zombies) = (args.count("forks"), args.count("execs"), args.count("zombies"));
    let plain = forks.checked_sub(execs + zombies).expect("execs and zombies are forks too");
    for way in sys::WAYS.into_iter().cycle().take(plain as usize) {
        reap(sys::child(way, 0).expect("fork"));
    }
    for left in (0..execs).rev() {
        exec_self(if left == 0 { args.count("argv-bytes") } else { 0 });
    }
    for _ in 0..args.count("threads") {
        let thread = thread::Builder::new().name(args.name_of_threads("thread")).spawn(|| ());
        thread.expect("a thread").join().expect("the thread ends");
    }
    // The exit of a thread is visible a moment before it is complete: if the main thread exited
    // then, another thread would be the last of the process.
    while sys::threads() > 1 {
        thread::sleep(Duration::from_millis(1));
    }
    fail_to_exec(args.count("failing-execs"));
    fail_to_fork(args.count("failing-forks"));
    let left: Vec<i64> = (0..zombies).map(|_| sys::child(Way::Clone, 0).expect("fork")).collect();
    for pid in &left {
        until_zombie(*pid);
    }
    args.hold();
    left.into_iter().for_each(reap);
    args.hold();
}

fn reap(pid: i64) {
    assert_eq!(sys::wait(pid as i32), 0, "the child ends with 0");
}

fn exec_self(argv_bytes: u64) {
    let program = std::env::current_exe().expect("the program's own path");
    let long = "x".repeat(argv_bytes as usize);
    let argv: &[&str] = if argv_bytes > 0 { &["workload", "noop", &long] } else { &["workload", "noop"] };
    let path = program.to_string_lossy().into_owned();
    let pid = sys::child_that(|| {
        sys::exec(&path, argv, None);
    });
    reap(i64::from(pid));
}

fn fail_to_exec(times: u64) {
    let root = std::fs::File::open("/").expect("the root directory");
    let missing = "/there/is/no/such/program";
    let ways: [(&dyn Fn() -> i32, i32); 4] = [
        (&|| sys::exec(missing, &["x"], None), libc::ENOENT),
        (&|| sys::exec("/", &["x"], None), libc::EACCES),
        (&|| sys::exec(missing, &["x"], Some((libc::AT_FDCWD, 0))), libc::ENOENT),
        (&|| sys::exec("", &["x"], Some((root.as_raw_fd(), libc::AT_EMPTY_PATH))), libc::EACCES),
    ];
    for (exec, errno) in ways.iter().cycle().take(times as usize) {
        assert_eq!(exec(), *errno);
    }
}

fn fail_to_fork(times: u64) {
    let no_sighand = libc::CLONE_THREAD as u64;
    let ways: [(&dyn Fn() -> sys::Result, i32); 5] = [
        (&|| sys::clone(no_sighand), libc::EINVAL),
        (&sys::clone3_too_short, libc::EINVAL),
        (&|| sys::without_room_for_processes(sys::fork), libc::EAGAIN),
        (&|| sys::without_room_for_processes(|| sys::vfork(0)), libc::EAGAIN),
        (&|| sys::clone3(no_sighand), libc::EINVAL),
    ];
    for (fork, errno) in ways.iter().cycle().take(times as usize) {
        assert_eq!(fork(), Err(*errno));
    }
}

/// Waits until the child has ended, without reaping it.
fn until_zombie(pid: i64) {
    // SAFETY: `info` outlives the call, which leaves the child as it is.
    let waited = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        libc::waitid(libc::P_PID, pid as libc::id_t, &raw mut info, libc::WEXITED | libc::WNOWAIT)
    };
    assert_eq!(waited, 0, "waitid: {}", std::io::Error::last_os_error());
}
