//! What is left of a running tool's rights.

use std::fs;

use crate::wait::{For, until};
use crate::{bpf, kernel};

/// `CAP_BPF` of `linux/capability.h`, as a bit: on some kernels a tool must keep it.
pub const CAP_BPF: u64 = 1 << 39;
/// `CAP_SETPCAP`: without it, none can be removed from the bounding set.
const CAP_SETPCAP: u64 = 1 << 8;

/// The one capability that a tool keeps, where reading its programs' statistics asks for it; else none.
fn kept() -> u64 {
    let disabled = fs::read_to_string("/proc/sys/kernel/unprivileged_bpf_disabled").expect("/proc");
    if kernel::release() < (6, 5) && disabled.trim() != "0" { CAP_BPF } else { 0 }
}

fn sets(id: u32) -> [u64; 4] {
    ["CapEff", "CapPrm", "CapInh", "CapAmb"].map(|set| bpf::capabilities(id, set))
}

/// Waits until a tool that root started and that has just attached has given up its rights; then every one of its threads
/// has none, may get none, and could not gain any by running a program.
pub fn are_given_up(pid: u32, what: &str) {
    let kept = kept();
    let bounded = bpf::capabilities(std::process::id(), "CapEff") & CAP_SETPCAP == 0;
    until(For::Ready, format!("{what}: to give up its rights"), || {
        sets(pid).iter().all(|set| set & !CAP_BPF == 0).then_some(())
    });
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs").flatten();
    for thread in threads {
        let id: u32 = thread.file_name().to_str().and_then(|id| id.parse().ok()).expect("a thread id");
        assert_eq!(sets(id), [kept, kept, 0, 0], "{what}: thread {id} of {pid}");
        assert!(bounded || bpf::capabilities(id, "CapBnd") == 0, "{what}: thread {id} of {pid}");
        assert_eq!(bpf::status(id, "NoNewPrivs"), "1", "{what}: thread {id} of {pid}");
    }
}
