//! tcplife against connections whose ends, owners and bytes are known.
#![allow(clippy::expect_used, reason = "tests")]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use tests::bpf::Programs;
use tests::caller_timing::reported_by;
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::kernel::{self, Allows};
use tests::records::{count, sum, with};
use tests::tool::{Ended, Tool};
use tests::tracer::{self, Tracer};
use tests::wait::{For, until};
use tests::workload::Workload;
use tests::{can_run, lock};

/// What the workload says of each end, and the tool must tell.
const FIELDS: [&str; 9] = [
    "pid",
    "direction",
    "family",
    "local_addr",
    "local_port",
    "remote_addr",
    "remote_port",
    "tx_bytes",
    "rx_bytes",
];

/// A port that is free.
fn free_port() -> String {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port");
    listener.local_addr().expect("bound").port().to_string()
}

/// By what it can be told here who accepts.
fn kinds() -> impl Iterator<Item = &'static str> {
    ["fentry", "kprobe", "tracepoint"].into_iter().filter(|kind| kernel::allows(kind) == Allows::Yes)
}

fn watch(options: &[&str]) -> Tool {
    Tool::start("tcplife", &[&["-q"], options].concat())
}

/// Several, at once: to attach is mostly to wait for grace periods.
fn watch_all(all: &[&[&str]]) -> Vec<Tool> {
    std::thread::scope(|scope| {
        let started: Vec<_> = all.iter().map(|options| scope.spawn(|| watch(options))).collect();
        started.into_iter().map(|tool| tool.join().expect("it attaches")).collect()
    })
}

/// Does a test, and once more where it failed and a change of state was unobserved while it ran; three times at most.
fn observed(test: fn()) {
    for _ in 0..2 {
        let traced = StateChanges::of("");
        let Err(failure) = std::panic::catch_unwind(test) else { return };
        if traced.unobserved() == 0 {
            std::panic::resume_unwind(failure);
        }
    }
    test();
}

/// The changes of state of a port's sockets, as the kernel's own tracer tells them.
struct StateChanges(Option<Tracer>);

impl StateChanges {
    /// Traces them, where some may be unobserved by any BPF program: see [`tracer::threads_of_init`].
    fn trace(port: &str) -> Self {
        Self::of(&format!("sport == {port} || dport == {port}"))
    }

    fn of(filter: &str) -> Self {
        Self(kernel::of_guest().is_none().then(|| Tracer::start(&["sock/inet_sock_set_state"], filter)))
    }

    /// How many were unobserved so far.
    fn unobserved(&self) -> u64 {
        let Some(tracer) = &self.0 else { return 0 };
        let (init, text) = (tracer::threads_of_init(), tracer.text());
        text.lines().filter_map(tracer::event).filter(|event| event.is_unobserved(&init)).count() as u64
    }
}

/// The same, and without any hook of accepts: then an end is his who closes it. Where functions can be watched, these are,
/// whatever is asked for.
fn kinds_and_none() -> impl Iterator<Item = &'static str> {
    let none = (kernel::allows("fentry") != Allows::Yes).then_some("btf");
    kinds().chain(none)
}

fn connect(options: &[&str]) -> Vec<Value> {
    Workload::run(&[&["tcp"], options].concat())
}

/// A loss is told by the next record, and at the end where there is none: where the kernel's own account has one, and no
/// record came for so long, there may be none.
const NO_MORE: Duration = Duration::from_secs(10);

/// Waits until so many records are there, or lost; ends the tool; all that it told, and how many it lost.
fn told(tool: Tool, ends: usize) -> (Vec<Value>, u64) {
    let programs = Programs::of(tool.pid());
    let last = Cell::new((0, Instant::now()));
    tool.until("the ends of all connections", |records| {
        if records.len() != last.get().0 {
            last.set((records.len(), Instant::now()));
        }
        let all = records.len() + sum(records, "lost") as usize >= ends;
        all || last.get().1.elapsed() > NO_MORE && records.len() + programs.left_out() as usize >= ends
    });
    reported_by("tcplife", tool)
}

/// Asserts that there are so many ends of connections.
fn all_are_told(options: &[&str], told: &[Value], ends: usize, lost: u64) {
    Comparison::of("tcplife", options).field("ends", told.len() as u64, ends as u64).lost(lost).equal();
}

/// An end of a connection, by what no other has at the same time.
fn end_of(record: &Value) -> String {
    format!("{} {} {}", record["direction"], record["local_port"], record["remote_port"])
}

/// Whether an end was told as it was, but for whose it is: where programs are preempted, one that was left out may be the
/// one that saw it opened or accepted, and it is his who closes it, or nobody's.
fn same_but_for_owner(told: &Value, said: &Value) -> bool {
    FIELDS.iter().all(|field| *field == "pid" || told[*field] == said[*field])
}

/// Asserts that just these ends were told, and as they were.
fn agrees(options: &[&str], said: &[Value], (told, lost): &(Vec<Value>, u64)) {
    all_are_told(options, told, said.len(), *lost);
    let what = format!("tcplife {options:?} on {}", kernel::name());
    // A port may be chosen again once a connection has ended.
    let mut ends: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    said.iter().for_each(|said| ends.entry(end_of(said)).or_default().push(said));
    let mut of_others = 0;
    for told in told {
        let left = ends.entry(end_of(told)).or_default();
        let same = |said: &&Value| FIELDS.iter().all(|field| told[*field] == said[*field]);
        let at = left.iter().position(same).or_else(|| {
            of_others += 1;
            let unseen = *lost > 0;
            left.iter().position(|said| unseen && same_but_for_owner(told, said))
        });
        let at =
            at.unwrap_or_else(|| panic!("{what}: nobody did {told}, or it is told twice; left: {left:?}"));
        left.swap_remove(at);
        assert_eq!(told["comm"].is_null(), told["pid"].is_null(), "{what}: {told}");
    }
    assert!(of_others <= *lost, "{what}: {of_others} ends are another's, {lost} lost");
    let times: Vec<&str> = told.iter().map(|told| told["ts"].as_str().expect("text")).collect();
    assert!(times.is_sorted(), "{what}: a record's time is before its predecessor's");
}

/// Where one listens and to what one connects, and how often: 257 connections.
const WAYS: [[&str; 3]; 3] =
    [["127.0.0.1", "127.0.0.1", "101"], ["::1", "::1", "79"], ["::", "::ffff:127.0.0.1", "77"]];

/// How connections end, and how often so.
const ENDS: [[&str; 2]; 6] =
    [["half", "11"], ["reset", "3"], ["unread", "3"], ["handed", "5"], ["forgotten", "7"], ["refused", "5"]];

/// Connections of each family, that end in many ways, and that were open before the start: of those, each end is told to
/// belong to the process that closes it. One tool for each kind of hook: each sort has ports of its own, for IPv4 and IPv6 may
/// choose the same at the other end.
#[test]
fn both_ends_of_each_connection_are_told_as_they_were() {
    observed(both_ends_of_each_connection_are_told_as_they_were_once);
}

fn both_ends_of_each_connection_are_told_as_they_were_once() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    for kind in kinds_and_none() {
        let (ports, ending, early) = (WAYS.map(|_| free_port()), free_port(), free_port());
        let mut before = Workload::start(&["tcp", "--port", &early, "--times", "13", "--early"]);
        before.until_says("open");
        let begin = Instant::now();
        let all = [&ports[..], &[ending.clone(), early.clone()]].concat().join(",");
        let tool = watch(&["--attach", kind, "--port", &all]);
        let mut said = before.finish();
        assert_eq!(said.len(), 2 * 13);
        for ([listen, to, times], port) in WAYS.iter().zip(&ports) {
            said.extend(connect(&["--listen", listen, "--connect", to, "--port", port, "--times", times]));
        }
        assert_eq!(said.len(), 2 * 13 + 514);
        // Whose those are that nobody accepts, is told by hooks of accepts.
        if kinds().any(|of_accepts| of_accepts == kind) {
            for [how, times] in ENDS {
                said.extend(connect(&["--how", how, "--port", &ending, "--times", times]));
            }
            said.retain(|said| said["failed"].is_null());
            assert_eq!(said.len(), 2 * 13 + 514 + 2 * (11 + 3 + 3 + 5 + 7));
        }
        let told = told(tool, said.len());
        agrees(&["--attach", kind], &said, &told);
        let lasted = begin.elapsed().as_secs_f64();
        let has = |end: &Value, port: &String| {
            ["local_port", "remote_port"].iter().any(|field| end[*field].as_u64() == port.parse().ok())
        };
        assert!(told.0.iter().filter(|end| has(end, &early)).all(|end| end["age_s"].is_null()), "{told:?}");
        for end in told.0.iter().filter(|end| ports.iter().any(|port| has(end, port))) {
            // A program that was left out may be the one that saw it opened: see `same_but_for_owner`.
            let unseen = told.1 > 0;
            if !(unseen && end["age_s"].is_null()) {
                let age = end["age_s"].as_f64().expect("opened after the start");
                assert!(age > 0.0 && age < lasted, "{end}");
            }
            if !(unseen && end["comm"].is_null()) {
                assert_eq!(end["comm"], "workload", "{end}");
            }
            // A machine that is slow enough sends again on its own loopback device, too.
            assert!(end["retransmits"].is_u64(), "{end}");
            assert!(end["srtt_us"].is_u64(), "{end}");
        }
    }
}

/// The bound of what can be known of it.
#[test]
fn what_came_before_the_start_to_a_listener_without_room_reads_as_out() {
    observed(what_came_before_the_start_to_a_listener_without_room_reads_as_out_once);
}

fn what_came_before_the_start_to_a_listener_without_room_reads_as_out_once() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let port = free_port();
    let mut workload =
        Workload::start(&["tcp", "--port", &port, "--backlog", "0", "--times", "1", "--early"]);
    workload.until_says("open");
    // By an accept after the start it would be known.
    let tool = watch(&["--attach", "btf", "--port", &port]);
    let said = workload.finish();
    let (told, lost) = told(tool, said.len());
    all_are_told(&["--attach", "btf"], &told, 2, lost);
    for told in &told {
        let find = |end: &&Value| end["local_port"] == told["local_port"];
        let said = said.iter().find(find).unwrap_or_else(|| panic!("nobody did {told}"));
        let missing = u64::from(said["direction"] == "in");
        assert_eq!(told["direction"], "out");
        assert_eq!(count(told, "tx_bytes"), count(said, "tx_bytes") - missing, "{told}");
        assert_eq!(told["rx_bytes"], said["rx_bytes"]);
    }
}

/// What an interval's record sums up.
const SUMS: [&str; 7] = ["accepted", "connected", "failed", "closed", "tx_bytes", "rx_bytes", "retransmits"];

fn sums(records: &[Value]) -> [u64; 7] {
    SUMS.map(|field| sum(records, field))
}

/// Of `SUMS`, how many count connections.
const COUNTS: usize = 4;

/// Asserts that intervals sum up to this. Where programs can be preempted, one that was left out may be the one that saw a
/// connection opened or accepted: then it may count as another kind of connection, and is missing in its own. What an end
/// moved is told by the program that sees it close.
fn compare(options: &[&str], records: &[Value], expected: [u64; 7], most_moved: u64) {
    let (told, lost) = (sums(records), sum(records, "lost"));
    let of = || Comparison::of("tcplife", options).lost(lost);
    let counts = of().fields(&SUMS[..COUNTS], &told[..COUNTS], &expected[..COUNTS]);
    counts.each_of(2).equal_within_lost();
    of().fields(&SUMS[3..], &told[3..], &expected[3..]).each_of(1 + most_moved).equal();
}

#[test]
fn intervals_sum_up_what_events_tell() {
    observed(intervals_sum_up_what_events_tell_once);
}

fn intervals_sum_up_what_events_tell_once() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    for kind in kinds() {
        let port = free_port();
        let by = ["system", "process", "comm", "cgroup"];
        let common = ["--attach", kind, "--port", &port];
        let options = by.map(|by| [&common, &["--by", by, "0.2"][..]].concat());
        let mut tools = watch_all(&[&[&common[..]], &options.each_ref().map(Vec::as_slice)[..]].concat());
        let events = tools.remove(0);
        let mut said = connect(&["--port", &port, "--times", "23"]);
        said.extend(connect(&["--how", "forgotten", "--port", &port, "--times", "3"]));
        let refused = connect(&["--how", "refused", "--port", &port, "--times", "5"]);
        let (events, lost) = told(events, said.len());
        all_are_told(&common[..2], &events, 52, lost);
        let expected = [
            with(&said, "direction", "in").len() as u64,
            with(&said, "direction", "out").len() as u64,
            count(&refused[0], "failed"),
            said.len() as u64,
            sum(&said, "tx_bytes"),
            sum(&said, "rx_bytes"),
            // Of these the events alone tell.
            sum(&events, "retransmits"),
        ];
        let moved = |end: &Value| count(end, "tx_bytes") + count(end, "rx_bytes");
        let most_moved = said.iter().map(moved).max().expect("ends") + expected[6];
        for (by, tool) in by.into_iter().zip(tools) {
            let records = tool.interrupt().records;
            let options = ["--attach", kind, "--by", by];
            let mut expected = expected;
            if lost > 0 {
                // What the events tell is not all.
                expected[6] = sum(&records, "retransmits");
            }
            compare(&options, &records, expected, most_moved);
            // Those that nobody accepted are nobody's.
            let nobody = match by {
                "process" => records.iter().filter(|record| record["pid"].is_null()).collect(),
                "comm" => records.iter().filter(|record| record["comm"].is_null()).collect(),
                "cgroup" => records.iter().filter(|record| record["cgroup"].is_null()).collect(),
                _ => Vec::new(),
            };
            let expected = if by == "system" { 0 } else { 3 };
            let comparison = Comparison::of("tcplife", &options).lost(sum(&records, "lost"));
            // Whose a connection is, is told by a program that may have been left out.
            comparison.field("closed of nobody", sum(nobody, "closed"), expected).equal_within_lost();
        }
    }
}

#[test]
fn only_what_was_asked_for_is_told() {
    observed(only_what_was_asked_for_is_told_once);
}

fn only_what_was_asked_for_is_told_once() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let (port, other) = (free_port(), free_port());
    let (cgroup, others) = (Cgroup::new(), Cgroup::new());
    let list = format!("{other},{port}");
    // The number of connections over IPv4, IPv6 and mapped, and to another port; of each there are two ends.
    let cases: [(&[&str], usize); 11] = [
        (&["--port", &port], 2 * (3 + 5 + 7)),
        (&["--port", &list], 2 * (3 + 5 + 7 + 9)),
        (&["--port", &port, "--port", &other], 2 * (3 + 5 + 7 + 9)),
        (&["--port", &port, "--family", "4"], 2 * (3 + 7)),
        (&["--port", &port, "--family", "6"], 2 * 5),
        // The ends of those that connected to this address; the other end's remote address is 127.0.0.1.
        (&["--port", &list, "--cidr", "127.0.0.7"], 9),
        (&["--port", &list, "--cidr", "127.0.0.0/29", "--cidr", "::1"], 2 * (3 + 5 + 7 + 9)),
        (&["--port", &list, "--cidr", "::/0"], 2 * (3 + 5 + 7 + 9)),
        (&["--port", &list, "--cidr", "127.0.0.8/29,2001:db8::/32"], 0),
        (&["--cgroup", others.path()], 2 * 9),
        (&["--cgroup", cgroup.path(), "--cidr", "::1"], 2 * 5),
    ];
    let tools = watch_all(&cases.map(|(options, _)| options));
    for ([listen, to, _], times) in WAYS.iter().zip(["3", "5", "7"]) {
        let ends = ["--listen", listen, "--connect", to, "--port", &port, "--times", times];
        connect(&[&ends, &["--cgroup", cgroup.path()][..]].concat());
    }
    let ends = ["--listen", "127.0.0.7", "--connect", "127.0.0.7", "--port", &other, "--times", "9"];
    connect(&[&ends, &["--cgroup", others.path()][..]].concat());
    for ((options, ends), tool) in cases.iter().zip(tools) {
        let (told, lost) = told(tool, *ends);
        all_are_told(options, &told, *ends, lost);
    }
}

/// A process's connections are those that it opened and accepted.
#[test]
fn only_the_process_that_was_asked_for_is_told_of() {
    observed(only_the_process_that_was_asked_for_is_told_of_once);
}

fn only_the_process_that_was_asked_for_is_told_of_once() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let mut workload = Workload::start(&["tcp", "--times", "11", "--wait"]);
    workload.until_says("ready");
    let id = workload.pid();
    let tools = watch_all(&[&["-p", &id], &["-p", &id, "0.2"], &["-p", &id, "--attach", "btf"]]);
    let said = workload.finish();
    let said: Vec<Value> = said.into_iter().filter(|end| end["direction"] == "out").collect();
    let [events, interval, btf] = <[Tool; 3]>::try_from(tools).unwrap_or_else(|_| unreachable!("three"));
    agrees(&["-p", &id], &said, &told(events, said.len()));
    agrees(&["-p", &id, "--attach", "btf"], &said, &told(btf, said.len()));
    let records = interval.interrupt().records;
    // Of one that was not seen opened it is not known whose it is when it is closed.
    let comparison = Comparison::of("tcplife", &[]).part("-p").lost(sum(&records, "lost")).each_of(2);
    comparison.fields(&SUMS[..COUNTS], &sums(&records)[..COUNTS], &[0, 11, 0, 11]).equal();
}

/// As many as the machine makes, and nobody reads for a while.
#[test]
fn what_finds_no_room_is_counted_as_lost() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let times = if kernel::of_guest().is_some() { 1_009 } else { 10_007 };
    let port = free_port();
    let options: [&[&str]; 3] = [&[], &["0.2"], &["--max-open", "1"]];
    let tools =
        watch_all(&options.map(|more| [&["--port", &port], more].concat()).each_ref().map(Vec::as_slice));
    let [events, system, small] = <[Tool; 3]>::try_from(tools).unwrap_or_else(|_| unreachable!("three"));
    let storm = |times: usize| {
        connect(&["--how", "storm", "--port", &port, "--backlog", "4096", "--times", &times.to_string()])
    };
    let traced = StateChanges::trace(&port);
    storm(times);
    let unobserved = traced.unobserved();
    system.until("all to be counted", |records| {
        sum(records, "closed") + sum(records, "lost") + unobserved >= 2 * times as u64
    });
    let records = system.interrupt().records;
    let expected = [times as u64, times as u64, 0, 2 * times as u64];
    let comparison = Comparison::of("tcplife", &[])
        .part(format!("a storm, of which {unobserved} changes of state were unobserved"));
    let comparison = comparison.lost(sum(&records, "lost") + unobserved);
    let comparison = comparison.fields(&SUMS[..COUNTS], &sums(&records)[..COUNTS], &expected);
    if unobserved > 0 {
        comparison.equal_within_lost()
    } else {
        comparison.equal()
    }
    // A record that comes later tells of the losses before it.
    let mut ends = 2 * times;
    let all = |tool: &Tool| tool.seen(|records| records.len() + sum(records, "lost") as usize);
    let programs = Programs::of(events.pid());
    until(For::Record, "losses of those before", || {
        storm(1);
        ends += 2;
        (all(&events) + unobserved as usize >= 2 * times).then_some(())
    });
    let unobserved = traced.unobserved();
    let (told, lost) = told(events, ends - unobserved as usize);
    // What a program misses where it can be preempted may be no end: the kernel keeps account of it.
    let most = ends as u64 + programs.left_out();
    let comparison = Comparison::of("tcplife", &[]).part("a storm, --events");
    let comparison = comparison.between("told", told.len() as u64, 0, ends as u64);
    let least = ends as u64 - unobserved;
    comparison.between("told and lost", told.len() as u64 + lost, least, most).equal();
    // Of two ends one finds no room: whose it is then, is told by who closes it, or not. It ends with status 1 where no
    // record came after that could tell.
    small.signal(Signal::INT);
    let Ended { status, records, .. } = small.wait();
    assert!(sum(&records, "lost") > 0 || status.code() == Some(1), "{status}: {} of {ends}", records.len());
    assert!(records.len() <= ends, "{} of {ends}", records.len());
}
