//! tcplife against connections whose ends, owners and bytes are known.
#![allow(clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use tests::callers::told_by;
use tests::cgroup::Cgroup;
use tests::kernel::{self, Allows};
use tests::records::{agree, count, sum, with};
use tests::tool::{Ended, Tool};
use tests::workload::Workload;
use tests::{can_run, lock, until};

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

/// The same, and without any hook of accepts: then an end is his who closes it. Where functions can be watched, these are,
/// whatever is asked for.
fn kinds_and_none() -> impl Iterator<Item = &'static str> {
    let none = (kernel::allows("fentry") != Allows::Yes).then_some("btf");
    kinds().chain(none)
}

fn connect(options: &[&str]) -> Vec<Value> {
    Workload::run(&[&["tcp"], options].concat())
}

/// A loss is told by the next record, and at the end where there is none: so long is waited for that.
const NO_MORE: Duration = Duration::from_secs(10);

/// Waits until so many records are there, or lost; ends the tool; all that it told, and how many it lost.
fn told(tool: Tool, ends: usize) -> (Vec<Value>, u64) {
    let (start, preempted) = (Instant::now(), kernel::preempts_programs());
    tool.until("the ends of all connections", |records| {
        let all = records.len() + sum(records, "lost") as usize >= ends;
        all || preempted && start.elapsed() > NO_MORE
    });
    told_by("tcplife", tool)
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
fn agrees(what: &str, said: &[Value], (told, lost): &(Vec<Value>, u64)) {
    agree(what, &[told.len() as u64], &[said.len() as u64], *lost);
    // A port may be chosen again once a connection has ended.
    let mut ends: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    said.iter().for_each(|said| ends.entry(end_of(said)).or_default().push(said));
    let mut of_others = 0;
    for told in told {
        let left = ends.entry(end_of(told)).or_default();
        let same = |said: &&Value| FIELDS.iter().all(|field| told[*field] == said[*field]);
        let at = left.iter().position(same).or_else(|| {
            of_others += 1;
            let unseen = kernel::may_have_left_out(*lost);
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

#[test]
fn both_ends_of_each_connection_are_told_as_they_were() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    for kind in kinds_and_none() {
        // Each has a port of its own: IPv4 and IPv6 may choose the same at the other end.
        let ports = WAYS.map(|_| free_port());
        let begin = Instant::now();
        let tool = watch(&["--attach", kind, "--port", &ports.join(",")]);
        let said: Vec<Value> = WAYS
            .iter()
            .zip(&ports)
            .flat_map(|([listen, to, times], port)| {
                connect(&["--listen", listen, "--connect", to, "--port", port, "--times", times])
            })
            .collect();
        assert_eq!(said.len(), 514);
        let told = told(tool, said.len());
        agrees(kind, &said, &told);
        let lasted = begin.elapsed().as_secs_f64();
        for end in &told.0 {
            // A program that was left out may be the one that saw it opened: see `same_but_for_owner`.
            let unseen = kernel::may_have_left_out(told.1);
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

#[test]
fn connections_end_in_many_ways() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    for kind in kinds() {
        let port = free_port();
        let tool = watch(&["--attach", kind, "--port", &port]);
        let said: Vec<Value> = [
            ("half", "11"),
            ("reset", "3"),
            ("unread", "3"),
            ("handed", "5"),
            ("forgotten", "7"),
            ("refused", "5"),
        ]
        .iter()
        .flat_map(|(how, times)| connect(&["--how", how, "--port", &port, "--times", times]))
        .filter(|said| said["failed"].is_null())
        .collect();
        assert_eq!(said.len(), 2 * (11 + 3 + 3 + 5 + 7));
        agrees(kind, &said, &told(tool, said.len()));
    }
}

#[test]
fn what_was_open_before_the_start_is_his_who_closes_it() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    for kind in kinds_and_none() {
        let port = free_port();
        let mut workload = Workload::start(&["tcp", "--port", &port, "--times", "13", "--early"]);
        workload.until_says("open");
        let tool = watch(&["--attach", kind, "--port", &port]);
        let said = workload.finish();
        let told = told(tool, said.len());
        agrees(kind, &said, &told);
        assert!(told.0.iter().all(|end| end["age_s"].is_null()), "{told:?}");
    }
}

/// The bound of what can be known of it.
#[test]
fn what_came_before_the_start_to_a_listener_without_room_reads_as_out() {
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
    agree("ends", &[told.len() as u64], &[2], lost);
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

fn sums(records: &[Value]) -> Vec<u64> {
    SUMS.iter().map(|field| sum(records, field)).collect()
}

#[test]
fn intervals_sum_up_what_events_tell() {
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
        agree(kind, &[events.len() as u64], &[52], lost);
        let of_events = |field| sum(&events, field);
        let expected = [
            with(&events, "direction", "in").len() as u64,
            with(&events, "direction", "out").len() as u64,
            count(&refused[0], "failed"),
            events.len() as u64,
            of_events("tx_bytes"),
            of_events("rx_bytes"),
            of_events("retransmits"),
        ];
        for (by, tool) in by.into_iter().zip(tools) {
            let records = tool.interrupt().records;
            // Where programs can be preempted, one that was left out may be the one that tells which way a connection was
            // opened, or whose it is.
            if kernel::may_have_left_out(sum(&records, "lost") + lost) {
                assert!(sum(&records, "closed") <= 52, "{kind} --by {by}: {records:?}");
                continue;
            }
            agree(
                &format!("{kind} --by {by}"),
                &sums(&records),
                &expected,
                1_000_000 * sum(&records, "lost"),
            );
            // Those that nobody accepted are nobody's.
            let nobody = match by {
                "process" => records.iter().filter(|record| record["pid"].is_null()).collect(),
                "comm" => records.iter().filter(|record| record["comm"].is_null()).collect(),
                "cgroup" => records.iter().filter(|record| record["cgroup"].is_null()).collect(),
                _ => Vec::new(),
            };
            let expected = if by == "system" { 0 } else { 3 };
            assert_eq!(sum(nobody, "closed"), expected, "{kind} --by {by}: {records:?}");
        }
    }
}

#[test]
fn only_what_was_asked_for_is_told() {
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
        agree(&format!("{options:?}"), &[told.len() as u64], &[*ends as u64], lost);
    }
}

/// A process's connections are those that it opened and accepted.
#[test]
fn only_the_process_that_was_asked_for_is_told_of() {
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
    agrees("-p", &said, &told(events, said.len()));
    agrees("-p --attach btf", &said, &told(btf, said.len()));
    let records = interval.interrupt().records;
    // Of one that was not seen opened it is not known whose it is when it is closed.
    agree("-p", &sums(&records)[..4], &[0, 11, 0, 11], 2 * sum(&records, "lost"));
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
    storm(times);
    system.until("all to be counted", |records| {
        sum(records, "closed") + sum(records, "lost") >= 2 * times as u64
    });
    let records = system.interrupt().records;
    let counted = &sums(&records)[..4];
    agree("intervals", counted, &[times as u64, times as u64, 0, 2 * times as u64], sum(&records, "lost"));
    // A record that comes later tells of the losses before it.
    let mut ends = 2 * times;
    let all = |tool: &Tool| tool.seen(|records| records.len() + sum(records, "lost") as usize);
    until("losses", || {
        storm(1);
        ends += 2;
        (all(&events) >= 2 * times).then_some(())
    });
    let (told, lost) = told(events, ends);
    let (told, lost) = (told.len(), lost as usize);
    // What a program misses where it can be preempted may be no end.
    let exact = !kernel::may_have_left_out(lost as u64);
    assert!(
        told + lost == ends || !exact && told <= ends && told + lost > ends,
        "{told} of {ends}, {lost} lost"
    );
    // Of two ends one finds no room: whose it is then, is told by who closes it, or not. It ends with status 1 where no
    // record came after that could tell.
    small.signal(Signal::INT);
    let Ended { status, records, .. } = small.wait();
    assert!(sum(&records, "lost") > 0 || status.code() == Some(1), "{status}: {} of {ends}", records.len());
    assert!(records.len() <= ends, "{} of {ends}", records.len());
}
