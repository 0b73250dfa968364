//! irqlat against the kernel's counters of each line, soft interrupt and vector on each processor.
#![allow(clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tempfile::NamedTempFile;
use tests::interrupts::{InterruptCounts, IrqlatRun, Watched, line_of, name_of, pin, processors};
use tests::perf::CpuEvent;
use tests::quantiles::number;
use tests::records::{count, sum};
use tests::wait::{For, until};
use tests::workload::Workload;
use tests::{can_run, kernel, lock, programs};

/// The number of packets, sent one after the other.
const PACKETS: u64 = 1_009;
/// The number of times that another processor's perf event is switched on and off.
const SWITCHES: u64 = 503;
/// The number of naps.
const NAPS: u64 = 101;

/// Sends packets to itself, each after the previous was received: each needs a run of NET_RX of its
/// own, because during a run neither sender nor receiver can run there.
fn packets() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let to = socket.local_addr().expect("an address");
    for _ in 0..PACKETS {
        socket.send_to(b"x", to).expect("sent");
        socket.recv(&mut [0; 8]).expect("received");
    }
}

/// Makes processor 1, which is kept from idling, do work for processor 0.
fn calls_of_functions() {
    let (busy, over) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pin(1);
            busy.store(true, Ordering::Relaxed);
            while !over.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        let calls = scope.spawn(|| {
            pin(0);
            until(For::State, "the other processor to be busy", || {
                busy.load(Ordering::Relaxed).then_some(())
            });
            CpuEvent::on(1).switch(SWITCHES);
        });
        calls.join().expect("it called");
        over.store(true, Ordering::Relaxed);
    });
}

/// The kinds of work with a known minimum of interrupts.
fn work() {
    packets();
    calls_of_functions();
    // Each nap is ended by its own timer.
    (0..NAPS).for_each(|_| std::thread::sleep(Duration::from_millis(1)));
    let file = NamedTempFile::new_in(programs::scratch()).expect("a scratch file");
    let path = file.path().to_str().expect("UTF-8");
    programs::succeed(
        "dd",
        &["if=/dev/zero", &format!("of={path}"), "bs=1M", "count=8", "conv=fsync", "status=none"],
    );
    Workload::run(&["io", "--file", path, "--reads", "211", "--writes", "103", "--bytes", "4096"]);
}

fn agrees_with_the_kernel(per_cpu: bool) {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let watched = Watched::start(per_cpu);
    work();
    let measured = watched.end();
    measured.agrees();
    // CAL on x86, IPI1 on arm64, where the timer is a line like any other.
    let calls = name_of("Function call interrupts").expect("processors call each other's functions");
    let timer = name_of("Local timer interrupts").unwrap_or_else(|| line_of("arch_timer").to_string());
    for (name, least) in [("NET_RX", PACKETS), (&calls, 2 * SWITCHES), (&timer, NAPS)] {
        let counted = measured.inner.sum(name);
        assert!(counted >= least, "{name}: {counted}");
    }
    measured.reports_no_time_twice();
    means_and_waits(&measured.records);
}

#[test]
fn each_is_reported_as_often_as_the_kernel_counts_it_by_processor() {
    agrees_with_the_kernel(true);
}

#[test]
fn each_is_reported_as_often_as_the_kernel_counts_it() {
    agrees_with_the_kernel(false);
}

/// Asserts that each record is consistent.
fn means_and_waits(records: &[Value]) {
    for record in records {
        let soft = record["kind"] == "soft";
        assert_eq!(record["wait_count"].is_u64(), soft, "{record}");
        assert_eq!(record["unhandled"].is_u64(), record["kind"] == "hard", "{record}");
        // The mean is rounded to a nanosecond.
        if record["unhandled"].as_u64().unwrap_or(0) == 0 && count(record, "count") > 0 {
            let calls = count(record, "count") as f64;
            let total = number(record, "mean_us") * calls;
            assert!((total - number(record, "total_us")).abs() <= 0.001 * calls, "{record}");
        }
    }
    let mut of_each: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
    let soft = records.iter().filter(|record| record["kind"] == "soft");
    for (name, record) in soft.filter_map(|record| Some((record["name"].as_str()?, record))) {
        let [runs, waits] = of_each.entry(name).or_default();
        *runs += count(record, "count");
        *waits += count(record, "wait_count");
    }
    // Soft interrupts raised before the start run after it: at most one of each kind on each processor.
    let before = processors() as u64;
    for (name, [runs, waits]) in &of_each {
        assert!(*waits <= runs + before, "{name}: {waits} waits of {runs} runs");
    }
    let [runs, waits] = [0, 1].map(|at| of_each.values().map(|of| of[at]).sum::<u64>());
    assert!(2 * waits > runs, "{waits} waits of {runs} runs");
}

/// The disks, and the handler of each: its device name if it has an interrupt line, else that of
/// its queues.
fn disks(of_line: bool) -> Vec<(String, String)> {
    let text = fs::read_to_string("/proc/interrupts").expect("the kernel counts interrupts");
    let mut disks = Vec::new();
    for name in ["vdb", "vdc", "vdd"] {
        let device = fs::read_link(format!("/sys/block/{name}/device")).expect("a disk of scripts/vm-test");
        let device = device.file_name().expect("a name").to_string_lossy().into_owned();
        let queues = text.contains(&format!("{device}-req."));
        if queues != of_line {
            disks.push((format!("/dev/{name}"), device));
        }
    }
    disks
}

fn reads(disk: &str, count: &str) -> Workload {
    Workload::start(&["io", "--file", disk, "--reads", count, "--bytes", "4096"])
}

/// The counts and the unhandled calls of a handler.
fn handled(measured: &IrqlatRun, handler: &str) -> [u64; 2] {
    let of = measured.of("hard", handler);
    ["count", "unhandled"].map(|field| sum(of.iter().copied(), field))
}

#[test]
fn a_disks_requests_interrupt_once_each() {
    if !can_run() || kernel::of_guest().is_none() {
        return;
    }
    let _machine = lock::machine();
    let (disk, device) = disks(false).pop().expect("a disk with messages");
    let watched = Watched::start(true);
    reads(&disk, "1009").finish();
    let measured = watched.end();
    measured.agrees();
    // It has a line for each processor's queue.
    let handlers: Vec<String> = (0..processors()).map(|queue| format!("{device}-req.{queue}")).collect();
    let reported: u64 = handlers.iter().map(|handler| handled(&measured, handler)[0]).sum();
    let by_kernel = |counts: &InterruptCounts| -> u64 {
        handlers.iter().map(|handler| counts.sum(&line_of(handler).to_string())).sum()
    };
    assert_eq!([reported, by_kernel(&measured.inner), by_kernel(&measured.outer)], [1_009; 3]);
}

#[test]
fn an_interrupt_of_a_shared_line_is_one_for_the_device_that_it_is_of() {
    if !can_run() || kernel::of_guest().is_none() {
        return;
    }
    let _machine = lock::machine();
    let disks = disks(true);
    let [(first, one), (second, other)] = &disks[..] else { panic!("not two disks on lines: {disks:?}") };
    let line = line_of(one);
    assert_eq!(line, line_of(other), "they share a line");
    let watched = Watched::start(true);
    reads(first, "503").finish();
    reads(second, "211").finish();
    let measured = watched.end();
    measured.agrees();
    let by_kernel = measured.inner.sum(&line.to_string());
    assert_eq!(measured.outer.sum(&line.to_string()), by_kernel, "no other device uses the line");
    // Of a real-time kernel's handlers all wake a thread, which only then asks the device.
    let threaded = kernel::is_real_time();
    let expected = |own: u64| if threaded { [by_kernel, 0] } else { [own, by_kernel - own] };
    assert_eq!(handled(&measured, one), expected(503));
    assert_eq!(handled(&measured, other), expected(211));
    // One after the other, so that no interrupt serves both.
    assert!(by_kernel >= 503 + 211);

    // Both at once: one interrupt may serve both, and counts for each.
    let watched = Watched::start(true);
    let pair = [reads(first, "503"), reads(second, "211")];
    pair.into_iter().for_each(|reads| drop(reads.finish()));
    let measured = watched.end();
    measured.agrees();
    let by_kernel = measured.inner.sum(&line.to_string());
    let expected = if threaded { [by_kernel; 2] } else { [503, 211] };
    assert_eq!([one, other].map(|handler| handled(&measured, handler)[0]), expected);
}
