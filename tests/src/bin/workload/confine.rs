//! `confine --deny CALL,… --errno NAME -- PROGRAM ARGUMENT…`: executes another program under a
//! seccomp filter that refuses these system calls with that error, as container runtimes do.

use crate::args::Args;
use crate::sys;

/// The calls that can be denied.
const CALLS: [(&str, libc::c_long); 2] =
    [("bpf", libc::SYS_bpf), ("perf_event_open", libc::SYS_perf_event_open)];
/// The errors that can be returned.
const ERRORS: [(&str, i32); 2] = [("EPERM", libc::EPERM), ("ENOSYS", libc::ENOSYS)];

/// Installs the filter, which survives execve(2).
pub fn run(args: &Args) {
    let denied: Vec<u32> = args
        .text("deny")
        .expect("--deny CALL,…")
        .split(',')
        .map(|name| find(&CALLS, name).try_into().expect("numbers of calls are small"))
        .collect();
    sys::filter_calls(&denied, find(&ERRORS, args.text("errno").expect("--errno NAME")));
}

fn find<T: Copy>(known: &[(&str, T)], name: &str) -> T {
    let found = known.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("unknown name {name:?}")).1
}
