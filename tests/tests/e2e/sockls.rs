//! sockls against sockets that are known (`tests/src/bin/workload/sockets.rs`), and against what `ss` and /proc/net say of
//! the same ones; and connections that live between two looks (`tests/src/bin/workload/tcp.rs`).
#![allow(clippy::expect_used, reason = "tests")]

mod forms;
mod ledger;
mod many;
mod names;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tests::comparison::Comparison;
use tests::observed::{STATE_CHANGES, observed};
use tests::programs::{built, succeed};
use tests::records::{count, parse, sum, with};
use tests::tool::Tool;
use tests::wait::{For, until};
use tests::workload::Workload;
use tests::{can_run, lock};

const UDP: u64 = 257;
const LISTENERS: u64 = 101;
const PAIRS: u64 = 53;
const UNREAD: u64 = 11;
const BYTES: u64 = 1_001;
/// The sockets of this work.
const WORK: [&str; 10] =
    ["--udp", "257", "--listeners", "101", "--pairs", "53", "--unread", "11", "--bytes", "1001"];

/// Runs sockls to its end.
fn list(options: &[&str]) -> Vec<Value> {
    parse(&succeed(built("sockls").to_str().expect("UTF-8"), &[&["-q", "-o", "json"], options].concat()))
}

/// The workload while it holds its sockets, and what it printed: of itself, and of each pair.
fn held(options: &[&str]) -> (Workload, Value, Vec<Value>) {
    let workload = Workload::start(&[&["sockets", "--hold"], options].concat());
    let line = |workload: &Workload| workload.line().expect("a line");
    let own = parse(&line(&workload)).remove(0);
    let mut pairs = Vec::new();
    loop {
        let line = line(&workload);
        if line == "held" {
            break;
        }
        pairs.extend(parse(&line));
    }
    (workload, own, pairs)
}

/// Asserts that these records are exactly the known sockets, of this process, each with so many holders.
fn are_the_known(what: &str, records: &[Value], own: &Value, pairs: &[Value], holders: u64) {
    are_the_known_at("127.0.0.1", what, records, own, pairs, holders);
}

/// The same of the family that this address of loopback has.
fn are_the_known_at(here: &str, what: &str, records: &[Value], own: &Value, pairs: &[Value], holders: u64) {
    let family = if here.contains(':') { 6 } else { 4 };
    let (udp, tcp) = (with(records, "proto", "udp"), with(records, "proto", "tcp"));
    let listening = with(records, "state", "listen");
    let connected: Vec<&Value> =
        tcp.iter().filter(|record| record["state"] == "established").copied().collect();
    let number = |records: &[&Value]| records.len() as u64;
    Comparison::of("sockls", &[])
        .part(what)
        .field("udp", number(&udp), UDP)
        .field("listeners", number(&listening), LISTENERS)
        .field("connections", number(&connected), 2 * PAIRS)
        .field("sockets", sum(records, "sockets"), UDP + LISTENERS + 2 * PAIRS)
        .field("tx_bytes", sum(connected.iter().copied(), "tx_bytes"), PAIRS * BYTES)
        .field("rx_bytes", sum(connected.iter().copied(), "rx_bytes"), PAIRS * BYTES)
        .field("rx_queue_bytes", sum(connected.iter().copied(), "rx_queue_bytes"), UNREAD * BYTES)
        .field("tx_queue_bytes", sum(connected.iter().copied(), "tx_queue_bytes"), 0)
        .equal();
    for record in records {
        let of_it = ["pid", "netns"].iter().all(|field| record[*field] == own[*field]);
        assert!(of_it && record["comm"] == "workload", "{what}: {own}: {record}");
        assert!(record["holders"] == holders && record["family"] == family, "{what}: {record}");
    }
    let unbound = |record: &&Value| record["state"] == "unconnected" && record["local_port"] == 0;
    assert!(udp.iter().all(unbound) && udp.iter().all(|record| record["tx_bytes"].is_null()), "{what}");
    assert!(listening.iter().all(|record| record["direction"] == "listen" && record["backlog"] == 0));
    let by_ports: BTreeMap<_, _> = connected
        .iter()
        .map(|record| ((count(record, "local_port"), count(record, "remote_port")), record))
        .collect();
    for pair in pairs {
        let (client, server) = (count(pair, "client"), count(pair, "server"));
        let [one, other] = [by_ports[&(client, server)], by_ports[&(server, client)]];
        let moved = |record: &Value| ["tx_bytes", "rx_bytes"].map(|field| count(record, field));
        assert_eq!([moved(one), moved(other)], [[BYTES, 0], [0, BYTES]], "{what}: {one} {other}");
        let queue = if pair["unread"] == true { BYTES } else { 0 };
        assert_eq!(count(other, "rx_queue_bytes"), queue, "{what}: {other}");
        for end in [one, other] {
            assert!(end["direction"] == "local" && end["remote_space"] == "loopback", "{what}: {end}");
            assert!(end["local_addr"] == here && end["remote_addr"] == here, "{what}: {end}");
        }
    }
    let descriptors: BTreeSet<_> = records.iter().map(|record| count(record, "fd")).collect();
    assert_eq!(descriptors.len(), records.len(), "{what}: two sockets with one descriptor");
}

/// Every kind of socket, held by two processes, in the machine's network namespace and in another; what UDP holds; the
/// filters; the sums; and what `ss` and /proc/net say of the same.
#[test]
fn open_sockets_are_told_exactly() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let (workload, own, pairs) = held(&[&WORK[..], &["--forked"]].concat());
    let child = own["child"].to_string();
    let of_it = list(&["-p", &workload.pid(), "-p", &child]);
    are_the_known("-p", &of_it, &own, &pairs, 2);
    let all = list(&[]);
    let own_of = |records: &[Value]| -> Vec<Value> {
        records.iter().filter(|record| record["pid"] == own["pid"]).cloned().collect()
    };
    are_the_known("all", &own_of(&all), &own, &pairs, 2);
    // A filter looks at no other process: there is one holder.
    let mut of_child = list(&["-p", &child]);
    assert_eq!(of_child.len(), of_it.len());
    of_child.iter_mut().for_each(|record| {
        assert_eq!(record["pid"].to_string(), child);
        record["pid"] = own["pid"].clone();
    });
    are_the_known("-p CHILD", &of_child, &own, &pairs, 1);
    ledger::agrees(&workload.pid(), &of_it);

    only_what_was_asked_for(&workload.pid(), &pairs);
    workload.finish();

    let (workload, own, pairs) = held(&[&WORK[..], &["--apart"]].concat());
    are_the_known("apart", &list(&["-p", &workload.pid()]), &own, &pairs, 1);
    let netns = own["netns"].to_string();
    are_the_known("--netns", &list(&["--netns", &netns]), &own, &pairs, 1);
    let file = format!("/proc/{}/ns/net", workload.pid());
    assert_eq!(list(&["--netns", &file]).len() as u64, UDP + LISTENERS + 2 * PAIRS);
    workload.finish();

    // What was received and not read takes memory, and none once it was read; a connected socket has a state.
    let (workload, own, _) = held(&["--datagrams", "5"]);
    let records = list(&["-p", &workload.pid(), "--proto", "udp"]);
    let [to, from] = &records[..] else { panic!("{records:?}") };
    assert!(count(to, "rx_queue_bytes") >= 5 * 7 && to["state"] == "unconnected", "{to}");
    assert_eq!((&to["local_port"], &from["state"]), (&own["datagram_port"], &"established".into()));
    assert_eq!((&from["remote_port"], count(from, "rx_queue_bytes")), (&own["datagram_port"], 0));
    ledger::agrees(&workload.pid(), &records);
    workload.finish();

    // Connections that wait to be accepted have no process.
    let (workload, _, _) = held(&["--listeners", "1", "--waiting", "7"]);
    let records = list(&["-p", &workload.pid()]);
    let [listener] = with(&records, "state", "listen")[..] else { panic!("{records:?}") };
    assert_eq!((count(listener, "backlog"), records.len()), (7, 8), "{records:?}");
    ledger::agrees(&workload.pid(), &records);
    let port = listener["local_port"].to_string();
    let mut records = list(&["--port", &port]);
    // Connections before these may have had the same port, and stay for a minute.
    records.retain(|record| record["state"] != "time_wait");
    let waiting = records.iter().filter(|record| record["pid"].is_null());
    let waiting: Vec<_> = waiting
        .filter(|record| record["state"] == "established" && record["local_port"] == listener["local_port"])
        .collect();
    assert_eq!((waiting.len(), records.len()), (7, 15), "{records:?}");
    assert!(waiting.iter().all(|record| record["holders"] == 0 && record["inode"].is_null()), "{waiting:?}");
    workload.finish();
}

/// Tries each filter on the sockets of this process.
fn only_what_was_asked_for(pid: &str, pairs: &[Value]) {
    let server = pairs[0]["server"].to_string();
    // All listeners serve no more than one pair.
    let ranges = format!("{server}-{server}");
    let but = format!("1-65535,!{server}");
    let ended: &[(&[&str], u64)] = &[
        (&["--proto", "udp"], UDP),
        (&["--proto", "tcp,unix"], LISTENERS + 2 * PAIRS),
        (&["--proto", "unix"], 0),
        (&["--state", "established"], 2 * PAIRS),
        (&["--state", "listen,unconnected"], LISTENERS + UDP),
        (&["--listen"], LISTENERS),
        (&["--port", &server], 3),
        (&["--port", &ranges], 3),
        (&["--port", &but], LISTENERS - 1 + 2 * (PAIRS - 1)),
        (&["--cidr", "127.0.0.0/8"], 2 * PAIRS),
        (&["--cidr", "!127.0.0.0/8"], UDP + LISTENERS),
        (&["--family", "6"], 0),
        (&["--comm", "work*"], UDP + LISTENERS + 2 * PAIRS),
        (&["--comm", "!work*"], 0),
    ];
    for (options, expected) in ended {
        let records = list(&[&["-p", pid], *options].concat());
        Comparison::of("sockls", options).field("sockets", sum(&records, "sockets"), *expected).equal();
        assert_eq!(records.len() as u64, (*expected).max(1), "{options:?}");
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), format!("# mine\n{server} = My service\n")).expect("a file");
    let of_it = ["-p", pid, "--port", &server];
    let named = list(&[&of_it[..], &["--services", file.path().to_str().expect("UTF-8")]].concat());
    assert!(
        named.iter().all(|record| record["service"] == "My service" && record["user"] == "root"),
        "{named:?}"
    );
    let unnamed = list(&[&of_it[..], &["--numeric"]].concat());
    assert!(unnamed.iter().all(|record| record["service"].is_null() && record["user"] == "0"), "{unnamed:?}");
    let sums = list(&["-p", pid, "--sum", "proto,state"]);
    let told: Vec<_> = sums
        .iter()
        .map(|sum| (sum["proto"].as_str(), sum["state"].as_str(), count(sum, "sockets")))
        .collect();
    let connected = (Some("tcp"), Some("established"), 2 * PAIRS);
    assert_eq!(
        told,
        [connected, (Some("udp"), Some("unconnected"), UDP), (Some("tcp"), Some("listen"), LISTENERS)]
    );
    let [connections, ..] = &sums[..] else { panic!("{sums:?}") };
    assert_eq!(
        (count(connections, "rx_bytes"), count(connections, "tx_bytes")),
        (PAIRS * BYTES, PAIRS * BYTES)
    );
    assert!(
        count(connections, "srtt_us") > 0 && connections["pid"].is_null() && sums[1]["rx_bytes"].is_null()
    );
}

/// The fields by which an end of a connection is known.
fn end_of(record: &Value) -> [u64; 2] {
    ["local_port", "remote_port"].map(|field| count(record, field))
}

/// How connections end, with their numbers.
const ENDS: [[&str; 2]; 6] =
    [["close", "23"], ["half", "11"], ["reset", "3"], ["unread", "3"], ["handed", "5"], ["forgotten", "7"]];
/// Those of which the process is known that the workload names: of the others it is the one that closed it.
const OWNED: [&str; 4] = ["close", "half", "reset", "unread"];

/// Connections that live between two looks are told, with all that they moved; and those that were open at the start
/// with what they moved since.
#[test]
fn sockets_that_live_between_two_looks_are_told() {
    observed(STATE_CHANGES, sockets_that_live_between_two_looks_are_told_once);
}

fn sockets_that_live_between_two_looks_are_told_once() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let port = super::tcplife::free_port();
    let early = super::tcplife::free_port();
    let mut before = Workload::start(&["tcp", "--port", &early, "--times", "13", "--early"]);
    before.until_says("open");
    let ports = format!("{port},{early}");
    let tool = Tool::start("sockls", &["-q", "--proto", "tcp", "--port", &ports, "3600"]);
    let connect = |options: &[&str]| Workload::run(&[&["tcp", "--port", &port], options].concat());
    let mut known = Vec::new();
    for [how, times] in ENDS {
        known.push((how, connect(&["--how", how, "--times", times])));
    }
    known.push(("early", before.finish()));
    let all: usize = known.iter().map(|(_, ends)| ends.len()).sum();
    // The processes have ended, but TCP may still wait for the last packets.
    until(For::End, "the connections", || {
        let left = list(&["--proto", "tcp", "--port", &ports]);
        left.iter().all(|record| record["state"] == "time_wait" || record["sockets"] == 0).then_some(())
    });
    time_wait_is_as_in_proc(&port);
    let records = tool.interrupt().records;
    let closed = with(&records, "state", "closed");
    let ends: Vec<&Value> = closed.into_iter().filter(|record| !record["remote_port"].is_null()).collect();
    let lost = sum(&records, "lost");
    // Of one too many, a failure is to say which.
    let mut known_ends: Vec<_> = known.iter().flat_map(|(_, ends)| ends).map(end_of).collect();
    let mut odd = Vec::new();
    for end in &ends {
        match known_ends.iter().position(|known| *known == end_of(end)) {
            Some(place) => _ = known_ends.swap_remove(place),
            None => odd.push(end.to_string()),
        }
    }
    Comparison::of("sockls", &[])
        .part(odd.join(" "))
        .lost(lost)
        .field("ends", ends.len() as u64, all as u64)
        .equal_minus_lost();
    let by_ports: BTreeMap<_, _> = ends.iter().map(|record| (end_of(record), *record)).collect();
    for (how, end) in known.iter().flat_map(|(how, ends)| ends.iter().map(move |end| (how, end))) {
        let Some(told) = by_ports.get(&end_of(end)) else {
            assert!(lost > 0, "{how}: not told: {end}");
            continue;
        };
        for field in ["family", "local_addr", "remote_addr", "netns"] {
            assert_eq!(told[field], end[field], "{how}: {field}: {end} {told}");
        }
        // Where programs can be preempted, one may have missed who it was, or the begin.
        if lost > 0 {
            continue;
        }
        for field in ["tx_bytes", "rx_bytes"] {
            assert_eq!(told[field], end[field], "{how}: {field}: {end} {told}");
        }
        let age = &told["age_s"];
        assert!(
            if *how == "early" { age.is_null() } else { age.as_f64().is_some_and(|age| age > 0.0) },
            "{told}"
        );
        if OWNED.contains(how) {
            assert_eq!(
                (&told["pid"], &told["comm"]),
                (&end["pid"], &"workload".into()),
                "{how}: {end} {told}"
            );
        }
        assert_eq!(told["direction"], "local", "{how}: {told}");
    }
}

/// As many sockets of a port wait for the last packets as /proc/net/tcp has; they may end at any time.
fn time_wait_is_as_in_proc(port: &str) {
    let hex = format!(":{:04X} ", port.parse::<u16>().expect("a port"));
    let known = || {
        let text = std::fs::read_to_string("/proc/net/tcp").expect("/proc");
        let lines = text.lines().filter(|line| line.contains(&hex));
        lines.filter(|line| line.split_whitespace().nth(3) == Some("06")).count() as u64
    };
    let (told, known) = until(For::Ready, "as many sockets before and after a look", || {
        let before = known();
        let told = sum(&list(&["--state", "time_wait", "--port", port]), "sockets");
        (before == known()).then_some((told, before))
    });
    Comparison::of("sockls", &[]).field("time_wait", told, known).equal();
}

/// On a device that loses packets (netem, which only guests have).
#[test]
fn segments_sent_again_are_told() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let (workload, _, _) = held(&["--loss", "--listeners", "1", "--pairs", "60", "--bytes", "20003"]);
    let records = list(&["-p", &workload.pid()]);
    ledger::agrees(&workload.pid(), &records);
    let connected: Vec<_> = records.into_iter().filter(|record| record["state"] == "established").collect();
    Comparison::of("sockls", &[])
        .field("tx_bytes", sum(&connected, "tx_bytes"), 60 * 20_003)
        .field("rx_bytes", sum(&connected, "rx_bytes"), 60 * 20_003)
        .equal();
    assert!(sum(&connected, "retransmits") > 0, "nothing was lost");
    workload.finish();
}

/// What open connections move is told by interval, and adds up to what they moved in all.
#[test]
fn intervals_add_up() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let (workload, _, _) = held(&WORK);
    let (id, pid) = (u64::from(workload.id()), workload.pid());
    let tool = Tool::start("sockls", &["-q", "-p", &pid, "0.2"]);
    tool.until_records(2 * (UDP + LISTENERS + 2 * PAIRS) as usize);
    // Nothing moves; and then all end, of which no look may tell twice.
    workload.finish();
    tool.until("all have ended", |records| {
        with(records, "state", "closed").len() as u64 >= UDP + LISTENERS + 2 * PAIRS
    });
    let records = tool.interrupt().records;
    let closed = with(&records, "state", "closed");
    Comparison::of("sockls", &["-p", "0.2"])
        .lost(sum(&records, "lost"))
        .field("closed", closed.len() as u64, UDP + LISTENERS + 2 * PAIRS)
        .equal();
    let moved: u64 = ["tx_bytes", "rx_bytes"]
        .iter()
        .map(|field| records.iter().filter_map(|record| record[*field].as_u64()).sum::<u64>())
        .sum();
    assert_eq!(moved, 0, "nothing moved");
    assert!(closed.iter().all(|record| record["pid"] == id && record["comm"] == "workload"));
}
