//! Soft interrupts that last, and timer interrupts within them: `spin CPU MILLISECONDS PACKET_NS
//! TIMER_NS` sends packets to itself on that processor for so long, each of which takes PACKET_NS,
//! and a timer that interrupts it TIMER_NS; see `bpf/spin.bpf.c`. With PACKETS as a fifth argument
//! it sends so many, however long that takes, and does so at an ordinary priority, so that other
//! tasks preempt it. It first prints `ready` and waits for a line on stdin; at the end it prints
//! the result as a JSON object.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a workload reports its work on stdout")]
#![allow(clippy::expect_used, reason = "a failure here ends the program with its message")]

use std::mem::MaybeUninit;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use libbpf_rs::skel::{OpenSkel, Skel, SkelBuilder};
use rustix::thread::{CpuSet, sched_setaffinity};

// The module `spin`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/spin.rs"));

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).map(|word| word.parse().expect("a number")).collect();
    let (cpu, milliseconds, packet_ns, timer_ns, packets) = match numbers[..] {
        [cpu, milliseconds, packet_ns, timer_ns] => (cpu, milliseconds, packet_ns, timer_ns, None),
        [cpu, milliseconds, packet_ns, timer_ns, packets] => {
            (cpu, milliseconds, packet_ns, timer_ns, Some(packets))
        }
        _ => panic!("spin CPU MILLISECONDS PACKET_NS TIMER_NS [PACKETS]"),
    };
    let mut set = CpuSet::new();
    set.set(cpu as usize);
    sched_setaffinity(None, &set).expect("a processor that is there");
    if packets.is_none() {
        // Other work must not come between, as far as the kernel allows it.
        let priority = libc::sched_param { sched_priority: 1 };
        // SAFETY: the parameter outlives the call.
        let set = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const priority) };
        assert_eq!(set, 0, "sched_setscheduler: {}", std::io::Error::last_os_error());
    }

    let mut object = MaybeUninit::uninit();
    let mut open = spin::SpinSkelBuilder::default().open(&mut object).expect("opened");
    let constants = open.maps.rodata_data.as_deref_mut().expect("constants");
    constants.cpu = cpu as u32;
    constants.packet_ns = packet_ns;
    constants.timer_ns = timer_ns;
    let mut skel = open.load().expect("loaded");
    skel.attach().expect("attached");

    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let to = socket.local_addr().expect("an address");
    println!("ready");
    std::io::stdin().read_line(&mut String::new()).expect("a line");
    let start = Instant::now();
    let mut sent = 0;
    let mut goes_on = || match packets {
        Some(packets) => {
            sent += 1;
            sent <= packets
        }
        None => start.elapsed() < Duration::from_millis(milliseconds),
    };
    while goes_on() {
        socket.send_to(b"x", to).expect("sent");
        socket.recv(&mut [0; 8]).expect("received");
    }
    let counted = skel.maps.bss_data.as_deref().expect("variables");
    println!(
        "{{\"packets\":{},\"packets_ns\":{},\"paused_ns\":{},\"timers\":{},\"timers_ns\":{},\"wall_ns\":{}}}",
        counted.packets,
        counted.packets_ns,
        counted.paused_ns,
        counted.timers,
        counted.timers_ns,
        start.elapsed().as_nanos()
    );
}
