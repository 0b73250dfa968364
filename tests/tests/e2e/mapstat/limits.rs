//! What mapstat needs for many keys, and for those that come and go.

use rustix::param::clock_ticks_per_second;

use super::*;

const MANY: (&str, &[u8], &str) = (
    "many",
    include_bytes!(concat!(env!("OUT_DIR"), "/mapstat_many.bpf.o")),
    "metrics: {counters: [{name: many_total, labels: [{name: key, size: 8, decoders: [{name: uint}]}]}]}",
);
/// What the program answers: prctl(2) with this number.
const KEY: i32 = 0x6d61_7077;
/// The most that one config may need, in KiB, with names of the kernel's symbols or without.
const PEAK_KIB: u64 = 10 << 10;

fn counts(key: u64) {
    call(KEY, key, 1);
}

fn goes(key: u64) {
    call(KEY, key, 0);
}

/// The seconds of processor time that a process has had.
fn processor_time(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let behind = stat.rsplit_once(')').expect("its name").1;
    let fields: Vec<u64> =
        behind.split_whitespace().skip(11).take(2).map(|text| text.parse().expect("ticks")).collect();
    fields.iter().sum::<u64>() as f64 / clock_ticks_per_second() as f64
}

/// A line of /proc/PID/status in KiB.
fn memory_kib(pid: u32, name: &str) -> u64 {
    let text = tests::bpf::status(pid, name);
    text.trim_end_matches(" kB").parse().unwrap_or_else(|_| panic!("{name}: {text}"))
}

/// Ten times as many keys take at most so many times as long: linear, and what a processor's caches no longer hold.
const TIMES_AS_LONG: f64 = 25.0;

/// How long a read takes is not asked here, where other tests run beside it, but how it grows.
#[test]
fn a_hundred_thousand_keys_take_a_time_that_grows_with_their_number() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let (few, many) = (processor_time_of_a_read(10_000), processor_time_of_a_read(100_000));
    println!("{:.1} and {:.1} ms of processor time for a read", few * 1e3, many * 1e3);
    assert!(many < few * TIMES_AS_LONG, "{few:.4} s for 10 000 keys, {many:.4} s for 100 000");
}

/// The seconds of processor time for a read of so many keys, the least of some. All of them are counted.
fn processor_time_of_a_read(keys: u64) -> f64 {
    const READS: usize = 8;
    let configs = Configs::of(&[MANY]);
    let tool = configs.start("many", &["-q", "0.2"]);
    (0..keys).for_each(counts);
    tool.until("all keys", |records| of(records, "many_total").len() == keys as usize);
    // Of an interval in which nothing came there is one record, which says that.
    let idle = |records: &[Value]| records.iter().filter(|one| one["metric"].is_null()).count();
    let mut seen = idle(&tool.until("an idle interval", |records| idle(records) > 1));
    let mut least = f64::INFINITY;
    for _ in 0..3 {
        let (before, begun) = (seen, processor_time(tool.pid()));
        seen = idle(&tool.until("more of them", |records| idle(records) >= before + READS));
        // At least a tick of the clock that the kernel counts by.
        let took = (processor_time(tool.pid()) - begun).max(1.0 / clock_ticks_per_second() as f64);
        least = least.min(took / (seen - before) as f64);
    }
    assert_eq!(by(&ended(tool).records, "many_total", "key").len(), keys as usize);
    least
}

/// Each of the configs of `contrib/mapstat`. Where addresses have names, the kernel's symbols are there, too.
#[test]
fn one_config_needs_little_memory() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let configs = Configs::of(&shipped::ALL);
    for (name, ..) in shipped::ALL {
        // Not every kernel lets programs read its variables.
        if name == "softnet" && kernel::of_guest().is_none() {
            continue;
        }
        let tool = configs.start(name, &["-q", "--buckets", "0.1"]);
        tool.until_records(20);
        let peak = memory_kib(tool.pid(), "VmHWM");
        println!("{name}: {peak} KiB");
        assert!(peak < PEAK_KIB, "{name}: {peak} KiB");
        tool.interrupt();
    }
}

/// A million keys come and go beside 700 that stay, in 200 reads: none of these is lost or doubled, and memory is flat.
#[test]
fn a_million_keys_that_come_and_go_leave_nothing_behind() {
    const STAY: u64 = 700;
    const SHORT: u64 = 1_000_000;
    const READS: usize = 200;
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let configs = Configs::of(&[MANY]);
    let tool = configs.start("many", &["-q", "0.01"]);
    let pid = tool.pid();
    let times = |records: &[Value]| {
        let mut all: Vec<_> = records.iter().filter_map(|record| record["ts"].as_str()).collect();
        all.dedup();
        all.len()
    };
    let (mut rounds, mut early) = (0u64, 0);
    let mut key = STAY;
    while key < STAY + SHORT || tool.seen(times) < READS {
        (0..STAY).for_each(counts);
        rounds += 1;
        (key..key + 1000).for_each(counts);
        (key..key + 1000).for_each(goes);
        key += 1000;
        if rounds == SHORT / 1000 / 4 {
            early = memory_kib(pid, "VmRSS");
        }
    }
    let late = memory_kib(pid, "VmRSS");
    tool.until_interval_after(Timestamp::now());
    let records = tool.interrupt().records;
    let counted = by(&records, "many_total", "key");
    let stayed: Vec<_> = (0..STAY).map(|key| counted.get(&key.to_string()).copied().unwrap_or(0)).collect();
    let wrong: Vec<_> =
        stayed.iter().enumerate().filter(|(_, count)| **count != rounds as i64).take(5).collect();
    let skipped = records::sum(&records, "lost");
    assert!(
        wrong.is_empty() || (kernel::preempts_programs() && skipped > 0),
        "{wrong:?} instead of {rounds}"
    );
    assert!(stayed.iter().all(|count| *count <= rounds as i64), "counted twice");
    // Those that an interval's end has seen, once each.
    assert!(counted.iter().all(|(key, count)| *count == 1 || key.parse::<u64>().is_ok_and(|key| key < STAY)));
    println!(
        "{rounds} rounds, {} reads, {early} KiB after a quarter, {late} KiB at the end",
        times(&records)
    );
    assert!(late < early + 1024, "{early} KiB have become {late} KiB");
}
