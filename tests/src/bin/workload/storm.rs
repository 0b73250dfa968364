//! `storm --processes N --millis M`: N processes start and reap others as fast as they can, for M
//! milliseconds. It prints their number, including the N: `{"forks":…}`.

use std::io::Read;
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::sys::{self, Way};

/// Does the work.
pub fn run(args: &Args) {
    let end = Instant::now() + Duration::from_millis(args.count("millis"));
    let processes = args.count("processes");
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let children: Vec<i32> = (0..processes)
        .map(|_| {
            sys::child_that(|| {
                let forks = fork_until(end).to_ne_bytes();
                std::io::Write::write_all(&mut &writer, &forks).expect("the pipe takes eight bytes at once");
                sys::exit(0);
            })
        })
        .collect();
    drop(writer);
    let mut forks = processes;
    let mut number = [0; 8];
    while reader.read_exact(&mut number).is_ok() {
        forks += u64::from_ne_bytes(number);
    }
    for pid in children {
        assert_eq!(sys::wait(pid), 0);
    }
    println!("{{\"forks\":{forks}}}");
    args.hold();
}

fn fork_until(end: Instant) -> u64 {
    let mut forks = 0;
    while Instant::now() < end {
        // The cheapest way: the memory is not copied.
        let pid = sys::child(Way::Vfork, 0).expect("fork");
        sys::wait(pid as i32);
        forks += 1;
    }
    forks
}
