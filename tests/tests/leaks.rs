//! A tool holds no right that it does not need, and leaves nothing behind.
#![allow(clippy::expect_used, reason = "tests")]

use std::sync::Mutex;

use rustix::process::Signal;
use tests::bpf::Held;
use tests::kernel::{self, Allows};
use tests::tool::{Ended, Tool};
use tests::{bpf, can_run, lock, until};

/// `CAP_BPF` of `linux/capability.h`, as a bit.
const CAP_BPF: u64 = 1 << 39;

const WAYS: [(&str, &[&str]); 29] = [
    ("proclife", &["0.1"]),
    ("proclife", &["--events"]),
    ("biolat", &["0.1"]),
    ("biolat", &["0.1", "--buckets", "-p", "1"]),
    ("biolat", &["0.1", "--overhead"]),
    ("vfsstat", &["0.1", "--attach", "fentry"]),
    ("vfsstat", &["0.1", "--attach", "kprobe"]),
    ("vfsstat", &["0.1", "--attach", "tracepoint"]),
    ("vfsstat", &["0.1", "--attach", "auto", "-p", "1"]),
    ("syncsnoop", &["0.1"]),
    ("syncsnoop", &["0.1", "--by", "process"]),
    ("syncsnoop", &["--events"]),
    ("syncsnoop", &["0.1", "--attach", "fentry"]),
    ("syncsnoop", &["0.1", "--attach", "kprobe"]),
    ("dcstat", &["0.1", "--attach", "fentry"]),
    ("dcstat", &["0.1", "--attach", "kprobe", "-p", "1"]),
    ("cachestat", &["0.1"]),
    ("cachestat", &["0.1", "--attach", "fentry", "-p", "1"]),
    ("cachestat", &["0.1", "--attach", "kprobe"]),
    ("fslat", &["0.1", "--fs", "ext4,tmpfs"]),
    ("fslat", &["--events", "--fs", "ext4", "--attach", "tracepoint"]),
    ("fslat", &["0.1", "--fs", "ext4", "--op", "read,write", "--attach", "kprobe"]),
    ("oomwatch", &["--events"]),
    ("oomwatch", &["0.1", "--by", "cgroup", "--attach", "kprobe"]),
    ("irqlat", &["0.1"]),
    ("irqlat", &["0.1", "--per-cpu", "--overhead"]),
    ("tcplife", &["--events"]),
    ("tcplife", &["0.1", "--by", "process", "--attach", "kprobe"]),
    ("tcplife", &["0.1", "--port", "80", "--attach", "tracepoint"]),
];

/// Tools that are tried at once. Older kernels (5.10) have room for one probed call per possible processor and function:
/// those of this program that wait for one tool's records would use up what another is proving.
fn at_once() -> usize {
    if kernel::release() < (6, 2) { 2 } else { 4 }
}

/// Those that this kernel allows.
fn ways() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    WAYS.into_iter().filter(|(_, args)| {
        let forced = args.iter().skip_while(|arg| **arg != "--attach").nth(1);
        forced.is_none_or(|kind| kernel::allows(kind) == Allows::Yes)
    })
}

/// Waits until a tool has no right left but the one that some kernels ask for to let it read its own account.
fn rights_are_given_up(tool: &Tool, what: &str) {
    let pid = tool.pid();
    let rights = || ["CapEff", "CapPrm", "CapInh", "CapAmb"].map(|set| bpf::capabilities(pid, set));
    // Attached a moment before.
    until("the tool to give up its rights", || rights().iter().all(|set| set & !CAP_BPF == 0).then_some(()));
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs").flatten();
    for thread in threads {
        let id: u32 = thread.file_name().to_str().and_then(|id| id.parse().ok()).expect("a thread id");
        assert_eq!(bpf::capabilities(id, "CapEff") & !CAP_BPF, 0, "{what}: thread {id} of {pid}");
    }
}

/// By the kernel's own list: as many programs as the rungs have that were taken, and of no other kind.
fn no_two_rungs_are_attached(name: &str, args: &[&str], held: &[Held]) {
    let programs: Vec<String> = held.iter().filter(|held| held.kind == "prog").map(bpf::name).collect();
    let rungs = kernel::rungs(name, args);
    let planned: u64 = rungs.iter().map(|(_, programs)| programs).sum();
    assert_eq!(programs.len() as u64, planned, "{name} {args:?}: {programs:?} for {rungs:?}");
    if name == "vfsstat" {
        // Its programs bear the kind at the ends of their names.
        let kinds = [("fentry", "f"), ("kprobe", "k"), ("tracepoint", "t")];
        for (kind, mark) in kinds {
            let of_rungs = rungs.iter().filter(|(rung, _)| rung.starts_with(kind));
            let planned: u64 = of_rungs.map(|(_, programs)| programs).sum();
            let marked = |name: &&String| name.trim_end_matches('7').ends_with(&format!("_{mark}"));
            assert_eq!(programs.iter().filter(marked).count() as u64, planned, "{programs:?} for {rungs:?}");
        }
    }
}

/// Waits until nothing is left of what a tool held: it is freed after an RCU grace period.
fn nothing_stays(held: &[Held]) {
    until("all that it held to be gone", || (!held.iter().any(bpf::exists)).then_some(()));
}

/// Does it for each, several at once: to attach and to let go is mostly to wait for grace periods.
fn in_parallel<T: Send>(all: impl Iterator<Item = T> + Send, each: impl Fn(T) + Sync) {
    let all = Mutex::new(all);
    let next = || all.lock().expect("nobody fails while taking one").next();
    std::thread::scope(|scope| {
        for _ in 0..at_once() {
            scope.spawn(|| {
                while let Some(one) = next() {
                    each(one);
                }
            });
        }
    });
}

#[test]
fn a_tool_holds_what_it_needs_and_leaves_nothing() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    in_parallel(ways().zip([Signal::INT, Signal::TERM].into_iter().cycle()), |((name, args), signal)| {
        let tool = Tool::start(name, args);
        rights_are_given_up(&tool, &format!("{name} {args:?}"));
        let held = bpf::held_by(tool.pid());
        assert!(!held.is_empty() && held.iter().all(bpf::exists), "{name}: {held:?}");
        no_two_rungs_are_attached(name, args, &held);
        tool.signal(signal);
        let Ended { status, stderr, .. } = tool.wait();
        // Events that were lost after the last record, as where programs are preempted, have no other place to be told.
        let lost_at_the_end =
            args.contains(&"--events") && stderr.contains("were lost since the last record");
        let expected = Some(i32::from(lost_at_the_end));
        assert_eq!(status.code(), expected, "{name} {args:?} {signal:?}: {stderr}");
        nothing_stays(&held);
    });
}

#[test]
fn a_tool_that_is_killed_leaves_nothing() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    in_parallel(ways(), |(name, args)| {
        let tool = Tool::start(name, args);
        let held = bpf::held_by(tool.pid());
        tool.kill();
        nothing_stays(&held);
    });
}
