//! A tool keeps no capability that it does not need, and leaves no BPF objects behind.
#![allow(clippy::expect_used, reason = "tests")]

use rustix::process::Signal;
use tests::bpf::BpfObject;
use tests::kernel::{self, Allows};
use tests::parallel::in_parallel;
use tests::programs::TOOLS;
use tests::tool::{Ended, Tool, lost_at_the_end};
use tests::wait::{For, until_or};
use tests::{bpf, can_run, lock, privileges};

const INT: Signal = Signal::INT;
const TERM: Signal = Signal::TERM;
const KILL: Signal = Signal::KILL;

/// Each way of attaching, and each signal for each tool. SIGKILL is for those that attach most or
/// in the oldest way: the kernel must free what the tool did not detach.
const WAYS: [(&str, Signal, &[&str]); 44] = [
    ("proclife", INT, &["0.1"]),
    ("proclife", TERM, &["--events"]),
    ("proclife", KILL, &["0.1", "--attach", "kprobe"]),
    ("biolat", KILL, &["0.1"]),
    ("biolat", INT, &["0.1", "--buckets", "-p", "1"]),
    ("biolat", TERM, &["0.1", "--overhead"]),
    ("biolat", INT, &["--events", "--comm", "dd", "--user", "0"]),
    ("vfsstat", INT, &["0.1", "--attach", "fentry"]),
    ("vfsstat", KILL, &["0.1", "--attach", "kprobe"]),
    ("vfsstat", TERM, &["0.1", "--attach", "tracepoint"]),
    ("vfsstat", KILL, &["0.1", "--attach", "auto", "-p", "1"]),
    ("syncsnoop", TERM, &["0.1", "--by", "process"]),
    ("syncsnoop", INT, &["--events"]),
    ("syncsnoop", KILL, &["0.1", "--attach", "fentry"]),
    ("syncsnoop", KILL, &["0.1", "--attach", "kprobe"]),
    ("shmsnoop", TERM, &["0.1"]),
    ("shmsnoop", INT, &["--events"]),
    ("shmsnoop", KILL, &["0.1", "--by", "process", "--attach", "fentry"]),
    ("shmsnoop", KILL, &["0.1", "--attach", "kprobe"]),
    ("mountsnoop", TERM, &["0.1"]),
    ("mountsnoop", INT, &["--events"]),
    ("mountsnoop", KILL, &["0.1", "--attach", "fentry"]),
    ("mountsnoop", KILL, &["0.1", "--by", "process", "--attach", "kprobe"]),
    ("dcstat", INT, &["0.1", "--attach", "fentry"]),
    ("dcstat", KILL, &["0.1", "--attach", "kprobe", "-p", "1"]),
    ("dcstat", TERM, &["0.1"]),
    ("cachestat", INT, &["0.1"]),
    ("cachestat", TERM, &["0.1", "--attach", "fentry", "-p", "1"]),
    ("cachestat", KILL, &["0.1", "--attach", "kprobe"]),
    ("fslat", INT, &["0.1", "--fs", "ext4,tmpfs"]),
    ("fslat", TERM, &["--events", "--fs", "ext4", "--attach", "tracepoint"]),
    ("fslat", KILL, &["0.1", "--fs", "ext4", "--op", "read,write", "--attach", "kprobe"]),
    ("fslat", KILL, &["0.1", "--fs", "ext4"]),
    ("oomwatch", INT, &["--events"]),
    ("oomwatch", KILL, &["0.1", "--by", "cgroup", "--attach", "kprobe"]),
    ("oomwatch", TERM, &["0.1"]),
    ("irqlat", INT, &["0.1"]),
    ("irqlat", KILL, &["0.1", "--per-cpu", "--overhead"]),
    ("irqlat", TERM, &["0.1", "--per-cpu"]),
    ("tcplife", INT, &["--events"]),
    ("tcplife", KILL, &["0.1", "--by", "process", "--attach", "kprobe"]),
    ("tcplife", TERM, &["0.1", "--port", "80", "--attach", "tracepoint"]),
    ("sockls", INT, &["0.1", "--resolve"]),
    ("sockls", KILL, &["0.1", "--port", "80", "--sum", "comm"]),
];

/// The ways that this kernel allows; for a tool without one, its default. In guests, where each start takes seconds, those
/// that leave everything to the kernel, and those by tracepoints alone, the oldest way: how a tool detaches by itself is the
/// same on all kernels.
fn ways() -> Vec<(&'static str, Signal, &'static [&'static str])> {
    let mut ways = WAYS.to_vec();
    let others = TOOLS.into_iter().filter(|tool| !WAYS.iter().any(|(name, ..)| name == tool));
    let alone: &[&str] = &["0.1"];
    ways.extend(others.flat_map(|tool| [INT, TERM, KILL].map(|signal| (tool, signal, alone))));
    ways.retain(|(name, _, args)| {
        let forced = args.iter().skip_while(|arg| **arg != "--attach").nth(1);
        let needed = forced.copied().or((*name == "dcstat").then_some("fentry"));
        needed.is_none_or(|kind| kernel::allows(kind) == Allows::Yes)
    });
    if kernel::of_guest().is_some() {
        ways.retain(|(_, signal, args)| *signal == KILL || args.contains(&"tracepoint"));
    }
    ways
}

/// The hooks as the tool prints them with `-v`, which may not be complete yet, and the names of all
/// their programs, truncated as the kernel does. Hooks that share a rung share its programs.
fn attached(tool: &Tool) -> (Vec<String>, Vec<String>) {
    let stderr = tool.stderr();
    let lines = stderr.lines().filter_map(|line| line.strip_prefix("attached for ")?.split_once(" by "));
    let (mut hooks, mut programs) = (Vec::new(), Vec::new());
    for (hook, rung) in lines {
        hooks.push(hook.to_string());
        programs.extend(rung.rsplit_once(": ").expect("RUNG: PROGRAMS").1.split(' '));
    }
    hooks.sort_unstable();
    programs.sort_unstable();
    programs.dedup();
    let mut programs: Vec<String> = programs.iter().map(|name| name.chars().take(15).collect()).collect();
    programs.sort_unstable();
    (hooks, programs)
}

/// Compares with the kernel's list: only the programs of the chosen rungs are loaded, one rung per
/// hook.
fn no_two_rungs_are_attached(tool: &Tool, what: &str, held: &[BpfObject]) {
    let mut programs: Vec<String> = held.iter().filter(|held| held.kind == "prog").map(bpf::name).collect();
    programs.sort_unstable();
    let all_printed = || {
        let (hooks, planned) = attached(tool);
        (planned == programs).then_some(hooks)
    };
    let hooks =
        until_or(For::Ready, format!("{what}: to print its programs, {programs:?}"), all_printed, || {
            format!("{:?}", attached(tool).1)
        });
    assert!(!hooks.is_empty() && hooks.windows(2).all(|two| two[0] != two[1]), "{what}: {hooks:?}");
}

/// Waits until the kernel has freed all objects of a tool, after an RCU grace period.
fn nothing_stays(what: &str, held: &[BpfObject]) {
    let left = || held.iter().filter(|held| bpf::exists(held)).collect::<Vec<_>>();
    until_or(For::Freed, what, || left().is_empty().then_some(()), || format!("{:?} are left", left()));
}

#[test]
fn a_tool_holds_what_it_needs_and_leaves_nothing() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    in_parallel(ways(), |(name, signal, args)| {
        let what = format!("{name} {args:?} {signal:?}");
        let tool = Tool::start(name, &[args, &["-v"]].concat());
        privileges::are_given_up(tool.pid(), &what);
        let held = bpf::held_by(tool.pid());
        assert!(!held.is_empty() && held.iter().all(bpf::exists), "{what}: {held:?}");
        no_two_rungs_are_attached(&tool, &what, &held);
        if signal == KILL {
            tool.kill();
        } else {
            tool.signal(signal);
            let Ended { status, stderr, .. } = tool.wait();
            // Events lost after the last record, as where programs can be preempted, can only be
            // reported by the exit status.
            let lost = args.contains(&"--events") && lost_at_the_end(&stderr).is_some();
            assert_eq!(status.code(), Some(i32::from(lost)), "{what}: {stderr}");
        }
        nothing_stays(&what, &held);
    });
}
