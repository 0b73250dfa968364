//! Does a known amount of work to verify the tools that count it.
//!
//! `workload SUBJECT [--name value]… [--flag]…`; see each subject's module. All subjects know:
//! - `--cgroup PATH`: join this cgroup (v2, its directory) before anything else. The program's own
//!   start is then outside, its exit inside: one exit, and one reaped after its parent waits.
//! - `--real-uid U`, `--as NAME`: be of this real user, with the rights of root as before, and call itself and its
//!   threads so; `--fs-uid U`: make files and sockets as this user.
//! - `--wait`: print `ready`, then wait for a line on stdin before working.
//! - `--hold`: after the work print `held`, then wait for a line on stdin (or its end) before
//!   cleaning up.
//!
//! The last line of stdout is a JSON object with what was done, if that is not known beforehand.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a workload reports its work on stdout")]
#![allow(clippy::expect_used, reason = "a workload that cannot do its work must stop at once and say why")]

mod args;
mod cache;
mod cached;
mod calls;
mod confine;
mod counter;
mod dns;
mod ends;
mod entry;
mod fds;
mod files;
mod hog;
mod inet;
mod io;
mod lookups;
mod mounts;
mod network;
mod processes;
mod shm;
mod sockets;
mod storm;
mod swapped;
mod synced;
mod syncs;
mod sys;
mod tcp;
mod threads;
mod tmpfiles;
mod uring;

use std::ffi::{CString, OsStr};
use std::os::unix::process::CommandExt;
use std::process::Command;

use args::Args;

fn main() {
    let mut words = std::env::args().skip(1);
    let subject = words.next().unwrap_or_default();
    if subject == "noop" {
        return;
    }
    let args = Args::parse(words);
    args.join("cgroup");
    identify(&args);
    if args.has("mapped") {
        hog::map_program();
    }
    args.wait();
    match subject.as_str() {
        "processes" => processes::run(&args),
        "shm" => shm::run(&args),
        "sockets" => sockets::run(&args),
        "storm" => storm::run(&args),
        "swapped" => swapped::run(&args),
        "ends" => ends::run(&args),
        "threads" => threads::run(&args),
        "io" => io::run(&args),
        "cache" => cache::run(&args),
        "calls" => calls::run(&args),
        "counter" => counter::run(),
        "dns" => dns::run(&args),
        "lookups" => lookups::run(&args),
        "mounts" => mounts::run(&args),
        "synced" => synced::run(&args),
        "syncs" => syncs::run(&args),
        "fds" => fds::run(&args),
        "files" => files::run(&args),
        "hog" => hog::run(&args),
        "inet" => inet::run(&args),
        "tcp" => tcp::run(&args),
        "tmpfiles" => tmpfiles::run(&args),
        "uring" => uring::run(&args),
        "run" => run(&args),
        "confine" => {
            confine::run(&args);
            run(&args);
        }
        other => panic!(
            "unknown subject {other:?}: one of noop, processes, shm, sockets, storm, swapped, ends, threads, io, cache, calls, counter, dns, \
             lookups, mounts, synced, syncs, fds, files, hog, inet, tcp, tmpfiles, uring, run, confine"
        ),
    }
}

/// Takes the name and the users that the options say.
fn identify(args: &Args) {
    if let Some(name) = args.text("as") {
        sys::set_name(&CString::new(name).expect("no NUL"));
    }
    if args.has("real-uid") {
        sys::set_real_user(args.count("real-uid"));
    }
    if args.has("fs-uid") {
        sys::set_file_user(args.count("fs-uid"));
    }
}

/// `run -- PROGRAM ARGUMENT…`: executes another program, in the cgroup (`confine`: also with a
/// seccomp filter).
fn run(args: &Args) {
    let (program, rest) = args.rest().split_first().expect("run -- PROGRAM ARGUMENT…");
    let error = Command::new(program).args(rest.iter().map(OsStr::new)).exec();
    panic!("cannot run {program}: {error}");
}
