//! tcplife against connections whose ends, owners and bytes are known.
#![allow(clippy::expect_used, reason = "tests")]

mod ends;
pub mod networks;
mod skipped;
mod sums;

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::time::Instant;

use ends::{agrees, all_are_reported, ends_reported};
use networks::Networks;
use rustix::process::Signal;
use serde_json::Value;
use sums::{COUNTS, SUMS, compare, sums};
use tests::bpf::Programs;
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::kernel::{self, Allows};
use tests::observed::{STATE_CHANGES, Traced, observed};
use tests::programs::{built, succeed};
use tests::records::{count, parse, sum, with};
use tests::tool::{Ended, Tool};
use tests::wait::{For, until};
use tests::workload::Workload;
use tests::{can_run, lock};

/// A free port.
pub fn free_port() -> String {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port");
    listener.local_addr().expect("bound").port().to_string()
}

/// How the accepting process can be identified here.
fn kinds() -> impl Iterator<Item = &'static str> {
    ["fentry", "kprobe", "tracepoint"].into_iter().filter(|kind| kernel::allows(kind) == Allows::Yes)
}

fn watch(options: &[&str]) -> Tool {
    Tool::start("tcplife", &[&["-q"], options].concat())
}

fn watch_all(all: &[&[&str]]) -> Vec<Tool> {
    let all: Vec<_> = all.iter().map(|options| [&["-q"], *options].concat()).collect();
    Tool::start_all("tcplife", &all)
}

/// The same kinds, and typed tracepoints without any hook of accepts: an end is then attributed to
/// the process that closes it. If functions can be traced, they are, regardless of the option.
fn kinds_and_none() -> impl Iterator<Item = &'static str> {
    let none = (kernel::allows("fentry") != Allows::Yes).then_some("btf");
    kinds().chain(none)
}

fn connect(options: &[&str]) -> Vec<Value> {
    Workload::run(&[&["tcp"], options].concat())
}

/// Listening address, address connected to, and the number of connections: 257 in total.
const WAYS: [[&str; 3]; 3] =
    [["127.0.0.1", "127.0.0.1", "101"], ["::1", "::1", "79"], ["::", "::ffff:127.0.0.1", "77"]];

/// The ways in which connections end, with their numbers.
const ENDS: [[&str; 2]; 6] =
    [["half", "11"], ["reset", "3"], ["unread", "3"], ["handed", "5"], ["forgotten", "7"], ["refused", "5"]];

/// Connections of each family that end in many ways, and connections opened before the tool's
/// start: an end of those is attributed to the process that closes it. One tool for each kind of
/// hook. Each sort has ports of its own, because IPv4 and IPv6 may choose the same port at the
/// other end.
#[test]
fn both_ends_of_each_connection_are_reported_as_they_were() {
    observed(STATE_CHANGES, both_ends_of_each_connection_are_reported_as_they_were_once);
}

fn both_ends_of_each_connection_are_reported_as_they_were_once() {
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
        let mut known = before.finish();
        assert_eq!(known.len(), 2 * 13);
        for ([listen, to, times], port) in WAYS.iter().zip(&ports) {
            known.extend(connect(&["--listen", listen, "--connect", to, "--port", port, "--times", times]));
        }
        assert_eq!(known.len(), 2 * 13 + 514);
        // Hooks of accepts determine the owner of a connection that is not accepted.
        if kinds().any(|of_accepts| of_accepts == kind) {
            for [how, times] in ENDS {
                known.extend(connect(&["--how", how, "--port", &ending, "--times", times]));
            }
            known.retain(|known| known["failed"].is_null());
            assert_eq!(known.len(), 2 * 13 + 514 + 2 * (11 + 3 + 3 + 5 + 7));
        }
        let reported = ends_reported(tool, known.len());
        agrees(&["--attach", kind], &known, &reported);
        let lasted = begin.elapsed().as_secs_f64();
        let has = |end: &Value, port: &String| {
            ["local_port", "remote_port"].iter().any(|field| end[*field].as_u64() == port.parse().ok())
        };
        assert!(
            reported.0.iter().filter(|end| has(end, &early)).all(|end| end["age_s"].is_null()),
            "{reported:?}"
        );
        for end in reported.0.iter().filter(|end| ports.iter().any(|port| has(end, port))) {
            // The skipped program may be the one that saw it opened: see `same_but_for_owner`.
            let unseen = reported.1 > 0;
            if !(unseen && end["age_s"].is_null()) {
                let age = end["age_s"].as_f64().expect("opened after the start");
                assert!(age > 0.0 && age < lasted, "{end}");
            }
            if !(unseen && end["comm"].is_null()) {
                assert_eq!(end["comm"], "workload", "{end}");
            }
            // A slow machine retransmits on its loopback device, too.
            assert!(end["retransmits"].is_u64(), "{end}");
            assert!(end["srtt_us"].is_u64(), "{end}");
        }
    }
}

/// Tests the documented bound.
#[test]
fn what_came_before_the_start_to_a_listener_without_room_reads_as_out() {
    observed(STATE_CHANGES, what_came_before_the_start_to_a_listener_without_room_reads_as_out_once);
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
    // An accept after the start would show it.
    let tool = watch(&["--attach", "btf", "--port", &port]);
    let known = workload.finish();
    let (reported, lost) = ends_reported(tool, known.len());
    all_are_reported(&["--attach", "btf"], &reported, 2, lost);
    for reported in &reported {
        let find = |end: &&Value| end["local_port"] == reported["local_port"];
        let known = known.iter().find(find).unwrap_or_else(|| panic!("no such connection: {reported}"));
        let missing = u64::from(known["direction"] == "in");
        assert_eq!(reported["direction"], "out");
        assert_eq!(count(reported, "tx_bytes"), count(known, "tx_bytes") - missing, "{reported}");
        assert_eq!(reported["rx_bytes"], known["rx_bytes"]);
    }
}

#[test]
fn intervals_sum_up_what_events_tell() {
    observed(STATE_CHANGES, intervals_sum_up_what_events_tell_once);
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
        let mut known = connect(&["--port", &port, "--times", "23"]);
        known.extend(connect(&["--how", "forgotten", "--port", &port, "--times", "3"]));
        let refused = connect(&["--how", "refused", "--port", &port, "--times", "5"]);
        let (events, lost) = ends_reported(events, known.len());
        all_are_reported(&common[..2], &events, 52, lost);
        let expected = [
            with(&known, "direction", "in").len() as u64,
            with(&known, "direction", "out").len() as u64,
            count(&refused[0], "failed"),
            known.len() as u64,
            sum(&known, "tx_bytes"),
            sum(&known, "rx_bytes"),
            // Only events cover these.
            sum(&events, "retransmits"),
        ];
        let moved = |end: &Value| count(end, "tx_bytes") + count(end, "rx_bytes");
        let most_moved = known.iter().map(moved).max().expect("ends") + expected[6];
        for (by, tool) in by.into_iter().zip(tools) {
            let records = tool.interrupt().records;
            let options = ["--attach", kind, "--by", by];
            let mut expected = expected;
            if lost > 0 {
                // The events are incomplete.
                expected[6] = sum(&records, "retransmits");
            }
            compare(&options, &records, expected, most_moved);
            // Connections that were never accepted have no owner.
            let unowned = match by {
                "process" => records.iter().filter(|record| record["pid"].is_null()).collect(),
                "comm" => records.iter().filter(|record| record["comm"].is_null()).collect(),
                "cgroup" => records.iter().filter(|record| record["cgroup"].is_null()).collect(),
                _ => Vec::new(),
            };
            let expected = if by == "system" { 0 } else { 3 };
            let comparison = Comparison::of("tcplife", &options).lost(sum(&records, "lost"));
            // The owner is recorded by a program that may have been skipped.
            comparison.field("closed without an owner", sum(unowned, "closed"), expected).equal_within_lost();
        }
    }
}

#[test]
fn only_what_was_asked_for_is_reported() {
    observed(STATE_CHANGES, only_what_was_asked_for_is_reported_once);
}

fn only_what_was_asked_for_is_reported_once() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let (port, other) = (free_port(), free_port());
    let both = Cgroup::new();
    let (cgroup, others) = (both.child(), both.child());
    let list = format!("{other},{port}");
    let (but_other, not_port, range) =
        (format!("1-65535,!{other}"), format!("!{port}"), format!("!9,{port}-{port}"));
    // The number of connections over IPv4, IPv6, mapped addresses, and to another port; each has
    // two ends.
    let cases: [(&[&str], usize); 15] = [
        (&["--port", &port], 2 * (3 + 5 + 7)),
        (&["--port", &list], 2 * (3 + 5 + 7 + 9)),
        (&["--port", &port, "--port", &other], 2 * (3 + 5 + 7 + 9)),
        (&["--port", &port, "--family", "4"], 2 * (3 + 7)),
        (&["--port", &port, "--family", "6"], 2 * 5),
        // The ends that connected to this address; the other end's remote address is 127.0.0.1.
        (&["--port", &list, "--cidr", "127.0.0.7"], 9),
        (&["--port", &list, "--cidr", "127.0.0.0/29", "--cidr", "::1"], 2 * (3 + 5 + 7 + 9)),
        (&["--port", &list, "--cidr", "::/0"], 2 * (3 + 5 + 7 + 9)),
        (&["--port", &list, "--cidr", "127.0.0.8/29,2001:db8::/32"], 0),
        (&["--port", &list, "--cidr", "!127.0.0.0/29,::/0"], 2 * 5),
        // These ports are also those of whatever else the machine does.
        (&["--cgroup", both.path(), "--port", &list, "--port", &but_other], 2 * (3 + 5 + 7)),
        (&["--cgroup", others.path(), "--port", &not_port], 2 * 9),
        (&["--cgroup", others.path(), "--port", &range], 0),
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
        let (reported, lost) = ends_reported(tool, *ends);
        all_are_reported(options, &reported, *ends, lost);
    }
}

/// The connections of a process are those that it opened and accepted.
#[test]
fn only_the_process_that_was_asked_for_is_reported() {
    observed(STATE_CHANGES, only_the_process_that_was_asked_for_is_reported_once);
}

fn only_the_process_that_was_asked_for_is_reported_once() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let mut workload = Workload::start(&["tcp", "--times", "11", "--wait"]);
    workload.until_says("ready");
    let id = workload.pid();
    let tools = watch_all(&[&["-p", &id], &["-p", &id, "0.2"], &["-p", &id, "--attach", "btf"]]);
    let known = workload.finish();
    let known: Vec<Value> = known.into_iter().filter(|end| end["direction"] == "out").collect();
    let [events, interval, btf] = <[Tool; 3]>::try_from(tools).unwrap_or_else(|_| unreachable!("three"));
    agrees(&["-p", &id], &known, &ends_reported(events, known.len()));
    agrees(&["-p", &id, "--attach", "btf"], &known, &ends_reported(btf, known.len()));
    let records = interval.interrupt().records;
    // The owner of a connection whose opening was not observed is unknown when it is closed.
    let comparison = Comparison::of("tcplife", &[]).part("-p").lost(sum(&records, "lost")).each_of(2);
    comparison.fields(&SUMS[..COUNTS], &sums(&records)[..COUNTS], &[0, 11, 0, 11]).equal();
}

/// Each end has the number of its own namespace, which the workload reads from `/proc/PID/ns/net`.
#[test]
fn each_end_has_its_network_namespace() {
    observed(STATE_CHANGES, each_end_has_its_network_namespace_once);
}

fn each_end_has_its_network_namespace_once() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let (networks, port) = (Networks::new(), free_port());
    let [inside, outside] = networks.files();
    let tool = watch(&["--port", &port]);
    let address = Networks::ADDRESSES[0];
    let built = built("workload");
    let workload = built.to_str().expect("UTF-8");
    // Accepting in one of them, connecting in the other.
    let net = format!("--net={inside}");
    let tcp = ["tcp", "--listen", address, "--connect", address, "--port", &port, "--times", "13"];
    let printed = succeed("nsenter", &[&[net.as_str(), workload][..], &tcp, &["--netns", &outside]].concat());
    let mut known = parse(&printed);
    // And in the machine's own.
    known.extend(connect(&["--port", &port, "--times", "3"]));
    let reported = ends_reported(tool, known.len());
    agrees(&[], &known, &reported);
    let number = |file: &str| std::fs::metadata(file).expect("a namespace").ino();
    for (direction, file, times) in
        [("in", &inside[..], 13), ("out", &outside[..], 13), ("in", "/proc/self/ns/net", 3)]
    {
        let ends =
            reported.0.iter().filter(|end| end["netns"] == number(file) && end["direction"] == direction);
        let ends = ends.count() as u64;
        Comparison::of("tcplife", &[]).part(direction).lost(reported.1).field("netns", ends, times).equal();
    }
}

/// As many connections as the machine can make, while the output is not read.
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
    let traced = Traced::states_of(&port);
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
    // A later record reports the losses before it.
    let mut ends = 2 * times;
    let all = |tool: &Tool| tool.seen(|records| records.len() + sum(records, "lost") as usize);
    let programs = Programs::of(events.pid());
    until(For::Record, "losses of those before", || {
        storm(1);
        ends += 2;
        (all(&events) + unobserved as usize >= 2 * times).then_some(())
    });
    let unobserved = traced.unobserved();
    let (reported, lost) = ends_reported(events, ends - unobserved as usize);
    // Where programs can be preempted, a skipped run may not be an end; the kernel counts the runs.
    let most = ends as u64 + programs.left_out();
    let comparison = Comparison::of("tcplife", &[]).part("a storm, --events");
    let comparison = comparison.between("reported", reported.len() as u64, 0, ends as u64);
    let least = ends as u64 - unobserved;
    comparison.between("reported and lost", reported.len() as u64 + lost, least, most).equal();
    // One of two ends finds no room in the map: its owner is then the process that closes it, or
    // unknown. The tool exits with status 1 if no later record could report the loss.
    small.signal(Signal::INT);
    let Ended { status, records, .. } = small.wait();
    assert!(sum(&records, "lost") > 0 || status.code() == Some(1), "{status}: {} of {ends}", records.len());
    assert!(records.len() <= ends, "{} of {ends}", records.len());
}
