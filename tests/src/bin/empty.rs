//! Attaches empty programs for scripts/bench and keeps them attached until it is killed: `empty
//! KIND`, one of fentry, fexit, kretprobe, tracepoint, tp_btf, walkfentry and walkkprobe; see
//! `bpf/empty.bpf.c`.
#![allow(clippy::expect_used, reason = "a failure here ends the program with its message")]

use std::mem::MaybeUninit;

use libbpf_rs::skel::{OpenSkel, Skel, SkelBuilder};

// The module `skel`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/skel.rs"));

fn main() {
    let kind = std::env::args().nth(1).expect("a kind of program");
    let mut object = MaybeUninit::uninit();
    let mut open = skel::EmptySkelBuilder::default().open(&mut object).expect("opened");
    let mut wanted = 0;
    for mut program in open.open_object_mut().progs_mut() {
        let loads = program.name().to_string_lossy().starts_with(&format!("{kind}_"));
        program.set_autoload(loads);
        wanted += u32::from(loads);
    }
    assert!(wanted > 0, "{kind}: no such kind of program");
    let skel = open.load().expect("loaded");
    let loaded = skel.object().progs_mut().filter(|program| program.autoload());
    let _links: Vec<_> = loaded.map(|program| program.attach().expect("attached")).collect();
    loop {
        std::thread::park();
    }
}
