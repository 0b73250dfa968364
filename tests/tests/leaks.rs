//! A tool holds no right that it does not need, and leaves nothing behind.
#![allow(clippy::expect_used, reason = "tests")]

use rustix::process::Signal;
use tests::kernel::{self, Allows};
use tests::tool::Tool;
use tests::{bpf, can_run, lock, until};

/// `CAP_BPF` of `linux/capability.h`, as a bit.
const CAP_BPF: u64 = 1 << 39;

const WAYS: [(&str, &[&str]); 16] = [
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
    ("syncsnoop", &["--events"]),
    ("syncsnoop", &["0.1", "--attach", "fentry"]),
    ("syncsnoop", &["0.1", "--attach", "kprobe"]),
    ("fslat", &["0.1", "--fs", "ext4,tmpfs"]),
    ("fslat", &["--events", "--fs", "ext4", "--attach", "tracepoint"]),
    ("fslat", &["0.1", "--fs", "ext4", "--op", "read,write", "--attach", "kprobe"]),
];

/// Those that this kernel allows.
fn ways() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    WAYS.into_iter().filter(|(_, args)| {
        let forced = args.iter().skip_while(|arg| **arg != "--attach").nth(1);
        forced.is_none_or(|kind| kernel::allows(kind) == Allows::Yes)
    })
}

#[test]
fn rights_are_given_up_once_attached() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    for (name, args) in ways() {
        let tool = Tool::start(name, args);
        let pid = tool.pid();
        let rights = || ["CapEff", "CapPrm", "CapInh", "CapAmb"].map(|set| bpf::capabilities(pid, set));
        // Attached a moment before. Some kernels need CAP_BPF to let it read its own account.
        until("the tool to give up its rights", || {
            rights().iter().all(|set| set & !CAP_BPF == 0).then_some(())
        });
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs").flatten();
        for thread in threads {
            let id: u32 = thread.file_name().to_str().and_then(|id| id.parse().ok()).expect("a thread id");
            assert_eq!(
                bpf::capabilities(id, "CapEff") & !CAP_BPF,
                0,
                "{name} {args:?}: thread {id} of {pid}"
            );
        }
        tool.interrupt();
    }
}

#[test]
fn nothing_stays_loaded() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    for (name, args) in ways() {
        for signal in [Signal::INT, Signal::TERM, Signal::KILL] {
            let tool = Tool::start(name, args);
            let held = bpf::held_by(tool.pid());
            assert!(!held.is_empty() && held.iter().all(bpf::exists), "{name}: {held:?}");
            match signal {
                Signal::KILL => tool.kill(),
                signal => {
                    tool.signal(signal);
                    assert_eq!(tool.wait().status.code(), Some(0));
                }
            }
            // Freed after an RCU grace period.
            until("all that it held to be gone", || (!held.iter().any(bpf::exists)).then_some(()));
        }
    }
}

/// By the kernel's own list: as many programs as the rungs have that were taken, and of no other kind.
#[test]
fn no_two_rungs_of_a_hook_are_attached() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    for (name, args) in ways() {
        let tool = Tool::start(name, args);
        let held = bpf::held_by(tool.pid());
        let programs: Vec<String> = held.iter().filter(|held| held.kind == "prog").map(bpf::name).collect();
        tool.interrupt();
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
                assert_eq!(
                    programs.iter().filter(marked).count() as u64,
                    planned,
                    "{programs:?} for {rungs:?}"
                );
            }
        }
    }
}
