//! mapstat with programs of which it is known what they count: `bpf/mapstat_kinds.bpf.c`, a map of each type;
//! `bpf/mapstat_probes.bpf.c`, a program for each kind of section; and the configs of `contrib/mapstat`.

use std::collections::BTreeMap;
use std::fs;
use std::net::UdpSocket;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use rustix::process::Signal;
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use serde_json::Value;
use tests::bpf::Programs;
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::programs::{self, built};
use tests::refusal::refuses;
use tests::tool::{Ended, Tool};
use tests::{can_run, kernel, lock, records};

mod backlogs;
mod cgroups;
mod chain;
mod checked;
mod hostile;
mod limits;
mod served;
mod shipped;
mod spans;

/// What the programs of the tests count: prctl(2) with this number, and the number with which a key comes or goes.
const MARK: i32 = 0x6d61_7073;
const COME_AND_GO: i32 = 0x6d61_7074;
const CALLS: u64 = 257;
/// How many calls have each of the four numbers.
const BY_NUMBER: [u64; 4] = [65, 64, 64, 64];

/// The objects that were built for the tests, and their configs.
const KINDS: (&str, &[u8], &str) = (
    "kinds",
    include_bytes!(concat!(env!("OUT_DIR"), "/mapstat_kinds.bpf.o")),
    include_str!("mapstat/kinds.yaml"),
);
const PROBES: (&str, &[u8], &str) = (
    "probes",
    include_bytes!(concat!(env!("OUT_DIR"), "/mapstat_probes.bpf.o")),
    include_str!("mapstat/probes.yaml"),
);

/// A folder with configs.
struct Configs(tempfile::TempDir);

impl Configs {
    fn of(all: &[(&str, &[u8], &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        for (name, object, yaml) in all {
            fs::write(folder.path().join(format!("{name}.bpf.o")), object).expect("it is written");
            fs::write(folder.path().join(format!("{name}.yaml")), yaml).expect("it is written");
        }
        Self(folder)
    }

    fn path(&self, file: &str) -> String {
        self.0.path().join(file).to_str().expect("UTF-8").to_owned()
    }

    fn start(&self, name: &str, options: &[&str]) -> Tool {
        Tool::start(
            "mapstat",
            &[&["-c", &self.path(&format!("{name}.yaml")), "-o", "json"], options].concat(),
        )
    }
}

fn call(which: i32, number: u64, value: u64) {
    // SAFETY: the kernel knows no such number, and does nothing.
    unsafe { libc::syscall(libc::SYS_prctl, which, number, value, 0, 0) };
}

/// 0, 1, and the powers of two up to 2^20 with their neighbours.
fn values() -> Vec<u64> {
    let powers = (1..=20).flat_map(|power| [(1 << power) - 1, 1 << power, (1 << power) + 1]);
    [0, 1].into_iter().chain(powers).collect()
}

/// The values of all calls, in their order.
fn called() -> Vec<u64> {
    values().into_iter().cycle().take(CALLS as usize).collect()
}

/// Ends the tool after all of what has been done is in a record.
fn ended(tool: Tool) -> Ended {
    tool.until_interval_after(Timestamp::now());
    tool.interrupt()
}

/// The records of a metric.
fn of<'a>(records: &'a [Value], metric: &str) -> Vec<&'a Value> {
    records::with(records, "metric", metric)
}

/// How much came of a metric, by the text of a label.
fn by(records: &[Value], metric: &str, label: &str) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::new();
    for record in of(records, metric) {
        let text = record[label].as_str().unwrap_or_else(|| panic!("{metric} has no {label}: {record}"));
        *sums.entry(text.to_owned()).or_default() += record["value"].as_i64().expect("a number");
    }
    sums
}

fn numbers() -> BTreeMap<String, i64> {
    BY_NUMBER.iter().enumerate().map(|(number, count)| (number.to_string(), *count as i64)).collect()
}

/// The counts of a histogram's buckets, and the sum, of these records.
fn histogram(records: &[&Value]) -> (Vec<u64>, f64) {
    let (mut counts, mut sum) = (Vec::new(), 0.0);
    for record in records {
        let buckets = record["buckets"].as_array().expect("--buckets");
        counts.resize(buckets.len(), 0);
        counts.iter_mut().zip(buckets).for_each(|(sum, pair)| *sum += pair[1].as_u64().expect("a count"));
        sum += record["sum"].as_f64().unwrap_or(0.0);
        let count: u64 = buckets.iter().filter_map(|pair| pair[1].as_u64()).sum();
        assert_eq!(record["count"], count, "{record}");
    }
    (counts, sum)
}

/// How many of these values are in each bucket: the first whose bound is not below the value.
fn in_buckets(values: impl Iterator<Item = u64>, bounds: &[u64]) -> Vec<u64> {
    let mut counts = vec![0; bounds.len()];
    for value in values {
        let at = bounds.iter().position(|bound| value <= *bound).unwrap_or(bounds.len() - 1);
        counts[at] += 1;
    }
    counts
}

#[test]
fn known_calls_are_counted_in_maps_of_every_type() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let configs = Configs::of(&[KINDS]);
    let tool = configs.start("kinds", &["--buckets", "--self", "--overhead", "0.1"]);
    let programs = Programs::of(tool.pid());
    called().iter().zip(0..).for_each(|(value, number)| call(MARK, number, *value));
    let Ended { records, stderr, .. } = ended(tool);
    for metric in [
        "kinds_array",
        "kinds_lru_hash",
        "kinds_percpu_array",
        "kinds_percpu_hash",
        "kinds_percpu_hash_by_cpu",
        "kinds_lru_percpu_hash",
        "kinds_perf",
        "kinds_ring",
    ] {
        assert_eq!(by(&records, metric, "number"), numbers(), "{metric}");
    }
    let sum =
        |metric: &str| of(&records, metric).iter().filter_map(|record| record["value"].as_i64()).sum::<i64>();
    assert_eq!(sum("kinds_array_of_one"), CALLS as i64);
    for metric in ["kinds_percpu_array_of_one", "kinds_percpu_hash_by_cpu"] {
        let by_cpu = by(&records, metric, "cpu");
        assert_eq!(by_cpu.values().sum::<i64>(), CALLS as i64, "{metric}");
        assert!(by_cpu.keys().all(|cpu| cpu.parse::<u16>().is_ok()), "{by_cpu:?}");
    }
    let level = of(&records, "kinds_level").last().map(|record| record["level"].clone());
    assert_eq!(level, called().last().map(|last| (*last).into()));
    assert_eq!(by(&records, "kinds_hash", "number"), numbers());
    assert_eq!(by(&records, "kinds_hash", "text"), BTreeMap::from([("cd".to_owned(), CALLS as i64)]));
    // A label that is called as a field.
    let halves = by(&records, "kinds_hash", "label_value");
    assert_eq!(halves, BTreeMap::from([("even".to_owned(), 129), ("odd".to_owned(), 128)]));
    assert_eq!(
        by(&records, "kinds_some", "number"),
        BTreeMap::from([("1".to_owned(), 64), ("2".to_owned(), 64)])
    );
    assert_eq!(of(&records, "kinds_odd").len(), 0);
    histograms_are_of_these_values(&records);
    it_tells_of_itself(&records);
    // What labels do not fit, and what is in no bucket of the linear histogram.
    let outside = called().iter().filter(|value| **value >= 110).count() as u64;
    let lost = records::sum(&records, "lost");
    let skipped = lost.saturating_sub(CALLS + outside);
    assert!(lost >= CALLS + outside && skipped <= programs.left_out(), "{lost}: {stderr}");
    for note in [
        "no_such_tracepoint",
        "kinds_odd: a key is left out: label one: uint",
        "kinds_linear: a key is left out",
    ] {
        assert!(stderr.contains(note), "{note}: {stderr}");
    }
}

/// What ebpf_exporter tells of itself (`--self`).
fn it_tells_of_itself(records: &[Value]) {
    let last =
        |metric: &str| of(records, metric).last().copied().cloned().unwrap_or_else(|| panic!("no {metric}"));
    let enabled = last("enabled_configs");
    assert_eq!((&enabled["name"], &enabled["level"]), (&"kinds".into(), &1.into()));
    // The other program has no target, and is not loaded.
    let info = last("ebpf_program_info");
    assert!(of(records, "ebpf_program_info").iter().all(|one| one["program"] == "on_call"));
    assert_eq!(
        (&info["label_config"], info["tag"].as_str().map(str::len)),
        (&"kinds".into(), Some(16)),
        "{info}"
    );
    let attached = last("ebpf_program_attached");
    assert_eq!((&attached["id"], &attached["level"]), (&info["id"], &1.into()));
    let sum = |metric: &str| of(records, metric).iter().filter_map(|one| one["value"].as_f64()).sum::<f64>();
    assert!(sum("ebpf_program_run_count_total") >= CALLS as f64);
    // Since the program was loaded: what --overhead has of all intervals but the last, which it is asked for later.
    let last_ts = records.last().map(|record| record["ts"].clone());
    let before: Vec<Value> =
        records.iter().filter(|one| Some(&one["ts"]) != last_ts.as_ref()).cloned().collect();
    let (seconds, least) =
        (sum("ebpf_program_run_time_seconds"), records::sum(&before, "bpf_ns") as f64 / 1e9);
    assert!(least > 0.0 && seconds >= least - 1e-9, "{seconds} and {least} s");
    // The four keys of a metric whose first label has a size that no number has.
    assert_eq!(sum("decoder_errors_total"), 4.0);
    let explained = of(records, "ebpf_program_info").iter().filter(|one| one["help"].is_string()).count();
    assert_eq!(explained, 1);
}

fn histograms_are_of_these_values(records: &[Value]) {
    let powers = || (0..=20).map(|power| 1u64 << power);
    for parity in ["0", "1"] {
        let of_parity = |metric: &str| {
            of(records, metric).into_iter().filter(|record| record["parity"] == parity).collect::<Vec<_>>()
        };
        let mine = || called().into_iter().filter(|value| (value & 1).to_string() == parity);
        let whole: u64 = mine().sum();
        let exp2 = of_parity("kinds_exp2");
        let (counts, sum) = histogram(&exp2);
        assert_eq!(counts, in_buckets(mine(), &powers().collect::<Vec<_>>()));
        assert!((sum - whole as f64 / 1e6).abs() < 1e-9, "{sum} and {whole}");
        let bounds = |record: &Value| record["buckets"].as_array().expect("buckets")[..3].to_vec();
        let begin: Vec<Value> = bounds(exp2[0]).iter().map(|pair| pair[0].clone()).collect();
        assert_eq!(serde_json::to_string(&begin).expect("JSON"), "[1e-6,2e-6,4e-6]");
        let (counts, sum) = histogram(&of_parity("kinds_exp2zero"));
        let with_zero: Vec<u64> = std::iter::once(0).chain(powers()).collect();
        assert_eq!((counts, sum), (in_buckets(mine(), &with_zero), whole as f64));
    }
    let below = called().into_iter().filter(|value| *value < 110);
    // Theirs is a division: a multiple of ten is in the next bucket.
    let tens: Vec<u64> = (0..=10).map(|tens| tens * 10 + 9).collect();
    let (counts, sum) = histogram(&of(records, "kinds_linear"));
    assert_eq!((counts, sum), (in_buckets(below, &tens), 0.0));
    assert!(
        of(records, "kinds_linear").iter().all(|record| record["sum"].is_null() && record["mean"].is_null())
    );
    let (counts, sum) = histogram(&of(records, "kinds_fixed"));
    let whole: u64 = called().iter().sum();
    assert_eq!((counts, sum), (in_buckets(called().into_iter(), &[1, 100, 1000]), whole as f64));
    let per_cpu = of(records, "kinds_per_cpu");
    assert!(per_cpu.iter().all(|record| record["cpu"].is_string()), "{per_cpu:?}");
    assert_eq!(histogram(&per_cpu).0, in_buckets(called().into_iter(), &[0, 1, 2, 3, u64::MAX]));
}

/// What finds no room in the buffers of a reader that is stopped is in `lost`, once another sample of that processor comes:
/// the kernel tells of losses with the next one.
#[test]
fn samples_that_find_no_room_are_lost() {
    const MANY: u64 = 40_009;
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let configs = Configs::of(&[KINDS]);
    let tool = configs.start("kinds", &["-q", "0.1"]);
    let programs = Programs::of(tool.pid());
    // Each processor has a buffer of its own.
    let before = sched_getaffinity(None).expect("its processors");
    let mut one = CpuSet::new();
    one.set(sched_getcpu());
    sched_setaffinity(None, &one).expect("one of them");
    tool.signal(Signal::STOP);
    (1..MANY).for_each(|number| call(MARK, number, 0));
    tool.signal(Signal::CONT);
    let counted =
        |records: &[Value], metric: &str| by(records, metric, "number").values().sum::<i64>() as u64;
    tool.until("the samples that found room", |records| counted(records, "kinds_ring") == MANY - 1);
    call(MARK, MANY, 0);
    tool.until("the last sample", |records| counted(records, "kinds_ring") == MANY);
    let records = ended(tool).records;
    sched_setaffinity(None, &before).expect("its processors");
    let missing = MANY - counted(&records, "kinds_perf");
    assert!(missing > 0, "all found room");
    assert_eq!(counted(&records, "kinds_ring"), MANY);
    // Of `kinds_odd` all are.
    let lost = records::sum(&records, "lost") - MANY;
    assert!((missing..=missing + programs.left_out()).contains(&lost), "{lost} lost, {missing} are missing");
}

/// Keys come and go while the map is read: what stays is counted once, neither lost nor doubled.
#[test]
fn what_stays_is_counted_once_whatever_comes_and_goes() {
    const STAY: u64 = 700;
    const TIMES: u64 = 101;
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let configs = Configs::of(&[KINDS]);
    let tool = configs.start("kinds", &["-q", "0.01"]);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in (0..).take_while(|_| !over.load(Ordering::Relaxed)) {
                (0..200).for_each(|key| call(COME_AND_GO, 1000 + (round % 7) * 200 + key, 1));
                (0..200).for_each(|key| call(COME_AND_GO, 1000 + (round % 7) * 200 + key, 0));
            }
        });
        for _ in 0..TIMES {
            (0..STAY).for_each(|key| call(COME_AND_GO, key, 1));
        }
        tool.until_interval_after(Timestamp::now());
        over.store(true, Ordering::Relaxed);
    });
    let records = tool.interrupt().records;
    let counted = by(&records, "kinds_coming", "key");
    assert_eq!(counted.len(), STAY as usize, "{counted:?}");
    let doubled: Vec<_> = counted.iter().filter(|(_, count)| **count > TIMES as i64).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
    // Where a program can be preempted, the kernel skips it for the other thread meanwhile, and counts that.
    let mut comparison = Comparison::of("mapstat", &["0.01"]);
    if kernel::preempts_programs() {
        comparison = comparison.lost(records::sum(&records, "lost"));
    }
    comparison.field("kinds_coming", counted.values().sum::<i64>() as u64, STAY * TIMES).equal();
}

/// The content of datagrams whose size nothing else has: the program counts those alone.
const CONTENT: [u8; 1337] = [b'x'; 1337];

#[test]
fn what_each_kind_of_section_sees_is_counted() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let configs = Configs::of(&[PROBES]);
    let path = configs.path("probes.yaml");
    let checked =
        programs::run(built("mapstat").to_str().expect("UTF-8"), &["-c", &path, "--check", "-o", "json"]);
    let rows = records::parse(&String::from_utf8_lossy(&checked.stdout));
    let attached = |program: &str| {
        let row = rows.iter().find(|row| row["program"] == program);
        row.unwrap_or_else(|| panic!("no {program}: {rows:?}"))["attached"] == true
    };
    let all = rows.iter().filter(|row| row["program"].is_string()).all(|row| row["attached"] == true);
    assert_eq!(checked.status.code(), Some(if all { 0 } else { 3 }), "{rows:?}");
    assert!(all || kernel::of_guest().is_none(), "in guests all kinds must work: {rows:?}");
    let tool = configs.start("probes", &["-q", "0.1"]);
    let cgroup = Cgroup::new();
    let line = format!("echo 0 > {}/cgroup.procs; for i in {{1..257}}; do :; done", cgroup.path());
    let mut bash = Command::new("bash").args(["-c", &line]).spawn().expect("bash runs");
    assert!(bash.wait().expect("it ends").success());
    // SAFETY: it only asks for a number.
    (0..42).for_each(|_| _ = unsafe { libc::syscall(libc::SYS_getpriority, 0, 0) });
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let to = socket.local_addr().expect("an address");
    (0..37).for_each(|_| _ = socket.send_to(&CONTENT, to).expect("it is sent"));
    tool.until("ticks", |records| !of(records, "probes_ticks").is_empty() || !attached("on_tick"));
    let tool_id = tool.pid();
    let records = ended(tool).records;
    let expected = [
        ("uprobe", "on_colon", bash.id(), 257),
        ("uretprobe", "on_colon_done", bash.id(), 257),
        ("ksyscall", "on_getpriority", std::process::id(), 42),
        ("tracepoint", "on_getpriority_traced", std::process::id(), 42),
        ("mark", "on_mark", tool_id, 1),
    ];
    let total = of(&records, "probes_total");
    for (probe, program, pid, times) in expected {
        let mine = |record: &&&Value| record["probe"] == probe && record["pid"] == pid.to_string().as_str();
        let mine: Vec<_> = total.iter().filter(mine).collect();
        let counted: i64 = mine.iter().filter_map(|record| record["value"].as_i64()).sum();
        assert_eq!(counted, if attached(program) { times } else { 0 }, "{probe}");
        // That cgroup was made while the tool ran.
        assert!(pid != bash.id() || mine.iter().all(|record| record["cgroup"] == cgroup.path()), "{mine:?}");
    }
    if attached("on_colon") {
        assert!(by(&records, "probes_addresses", "function")["vfs_read"] >= 257, "{records:?}");
    }
    if attached("on_packet") {
        let seen: i64 =
            of(&records, "probes_packets").iter().filter_map(|record| record["value"].as_i64()).sum();
        assert_eq!(seen, 37);
    }
}

#[test]
fn forms_of_output_and_schema_have_the_labels() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let configs = Configs::of(&[KINDS]);
    let (path, program) = (configs.path("kinds.yaml"), built("mapstat"));
    let run = |options: &[&str]| {
        let output =
            programs::run(program.to_str().expect("UTF-8"), &[&["-c", &path, "-q"], options].concat());
        assert!(output.status.success(), "{options:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let schema: Value = serde_json::from_str(&run(&["--schema"])).expect("JSON");
    let names: Vec<&String> = schema["properties"].as_object().expect("fields").keys().collect();
    assert!(
        ["number", "cpu", "label_value", "parity"].iter().all(|label| names.iter().any(|name| name == label))
    );
    let text = run(&["-o", "csv", "0.1", "2"]);
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    let header: Vec<_> = csv.headers().expect("a header").iter().map(str::to_owned).collect();
    assert!(header.iter().all(|name| names.contains(&name)), "{header:?}");
    let rows: Vec<_> = csv.records().map(|row| row.expect("as many columns as the header")).collect();
    // In the first interval all that there is, in the second nothing but the level.
    assert!(
        rows.len() > 5 && rows.iter().filter(|row| row[0] == rows[rows.len() - 1][0]).count() == 1,
        "{text}"
    );
    let table = run(&["-o", "table", "--top", "1", "--overhead", "0.1", "1"]);
    assert!(table.contains("labels") && table.contains("number=") && table.contains("(other)"), "{table}");
    assert!(run(&["-o", "json", "0.1", "1"]).lines().all(|line| !line.contains("null")));
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    let configs = Configs::of(&[KINDS, ("odd", b"no object", KINDS.2)]);
    let write = |name: &str, text: &str| fs::write(configs.path(name), text).expect("it is written");
    write(
        "label.yaml",
        "metrics:\n  counters:\n    - name: kinds_array\n      labels:\n        - name: n\n          size: 4\n",
    );
    write("size.yaml", &KINDS.2.replace("{name: number, size: 4", "{name: number, size: 8"));
    fs::copy(configs.path("kinds.bpf.o"), configs.path("size.bpf.o")).expect("it is copied");
    write("map.yaml", "metrics: {counters: [{name: no_such_map}]}");
    fs::copy(configs.path("kinds.bpf.o"), configs.path("map.bpf.o")).expect("it is copied");
    write("v1.yaml", "programs:\n  - name: x\n");
    fs::write(configs.path("bytes.yaml"), b"metrics:\n  counters:\n    - name: \xc3\xa4\xff\n")
        .expect("it is written");
    let path = |name: &str| configs.path(&format!("{name}.yaml"));
    for (options, status, says) in [
        (String::new(), 2, "there is no config"),
        (format!("-c {}", path("none")), 2, "cannot read"),
        (format!("-c {}", path("label")), 2, "label.yaml:5:17: label n needs `decoders`"),
        (format!("-c {}", path("v1")), 2, "v1.yaml:2:3: `programs`"),
        (format!("-c {}", path("bytes")), 2, "bytes.yaml:3:14: it is not UTF-8"),
        (format!("-c {} -c {}", path("kinds"), path("kinds")), 2, "two configs kinds"),
        (format!("-c {} -p 1", path("kinds")), 2, "do not apply"),
        (format!("-c {} --buckets -o csv", path("kinds")), 2, "--buckets"),
        (format!("--config.dir {} --config.names none", configs.path("")), 2, "none.yaml"),
        (format!("-c {} --object x -c {}", path("kinds"), path("map")), 2, "--object"),
    ] {
        refuses(&format!("$BIN/mapstat {options}"), status, &[says]);
    }
    if !can_run() {
        return;
    }
    for (options, status, says) in [
        (
            format!("-c {} --strict", path("kinds")),
            3,
            "kinds: program never is not attached: its target is not in this kernel",
        ),
        (format!("-c {}", path("odd")), 2, "odd.bpf.o is no BPF object"),
        (format!("-c {}", path("map")), 2, "map.bpf.o has no map no_such_map"),
        (
            format!("-c {}", path("size")),
            2,
            "size.yaml:4:13: keys of map kinds_array have 4 bytes, and its labels 8",
        ),
        (format!("-c {} --object /no/such", path("kinds")), 2, "cannot read its object /no/such"),
    ] {
        refuses(&format!("$BIN/mapstat {options}"), status, &[says]);
    }
}
