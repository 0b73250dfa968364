//! A tool holds no right that it does not need, and leaves nothing behind.
#![allow(clippy::expect_used, reason = "tests")]

use rustix::process::Signal;
use tests::tool::Tool;
use tests::{bpf, can_run, lock, until};

/// `CAP_BPF` of `linux/capability.h`, as a bit.
const CAP_BPF: u64 = 1 << 39;

const WAYS: [(&str, &[&str]); 7] = [
    ("proclife", &["0.1"]),
    ("proclife", &["--events"]),
    ("biolat", &["0.1"]),
    ("biolat", &["0.1", "--buckets", "-p", "1"]),
    ("biolat", &["0.1", "--overhead"]),
    ("syncsnoop", &["0.1"]),
    ("syncsnoop", &["--events"]),
];

#[test]
fn rights_are_given_up_once_attached() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    for (name, args) in WAYS {
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
    for (name, args) in WAYS {
        for signal in [Signal::INT, Signal::TERM, Signal::KILL] {
            let tool = Tool::start(name, args);
            let held = bpf::held_by(tool.pid());
            assert!(!held.is_empty() && held.iter().all(|id| bpf::exists(*id)), "{name}: {held:?}");
            match signal {
                Signal::KILL => tool.kill(),
                signal => {
                    tool.signal(signal);
                    assert_eq!(tool.wait().status.code(), Some(0));
                }
            }
            // Freed after an RCU grace period.
            until("its programs to be unloaded", || (!held.iter().any(|id| bpf::exists(*id))).then_some(()));
        }
    }
}
