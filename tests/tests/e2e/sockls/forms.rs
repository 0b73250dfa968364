//! Sockets of IPv6, of MPTCP, and those of a cgroup.

use std::io::Write;

use serde_json::Value;
use tests::cgroup::{self, Cgroup};
use tests::comparison::Comparison;
use tests::records::{count, sum, with};
use tests::tool::Tool;
use tests::{can_run, kernel, lock};

use super::{BYTES, LISTENERS, PAIRS, UDP, WORK, are_the_known_at, held, ledger, list};

/// How many pairs there are over MPTCP.
const OVER_MPTCP: u64 = 7;

#[test]
fn sockets_of_ipv6_are_told_exactly() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let (workload, own, pairs) = held(&[&WORK[..], &["--six"]].concat());
    let pid = workload.pid();
    let records = list(&["-p", &pid]);
    are_the_known_at("::1", "IPv6", &records, &own, &pairs, 1);
    ledger::agrees(&pid, &records);
    let server = pairs[0]["server"].to_string();
    let cases: [(&[&str], u64); 5] = [
        (&["--family", "6"], UDP + LISTENERS + 2 * PAIRS),
        (&["--family", "4"], 0),
        (&["--cidr", "::1/128"], 2 * PAIRS),
        (&["--cidr", "!::1"], UDP + LISTENERS),
        (&["--port", &server, "--family", "6"], 3),
    ];
    for (options, expected) in cases {
        let records = list(&[&["-p", &pid], options].concat());
        Comparison::of("sockls", options).field("sockets", sum(&records, "sockets"), expected).equal();
    }
    workload.finish();
}

/// Of a cgroup, whoever holds them; also those that end.
#[test]
fn sockets_of_a_cgroup_are_told() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let (cgroup, other) = (Cgroup::new(), Cgroup::new());
    let inner = cgroup.child();
    let (workload, own, pairs) = held(&[&WORK[..], &["--cgroup", inner.path()]].concat());
    let pid = workload.id();
    for directory in [&inner, &cgroup] {
        let records = list(&["--cgroup", directory.path()]);
        are_the_known_at("127.0.0.1", "--cgroup", &records, &own, &pairs, 1);
        assert!(records.iter().all(|record| record["cgroup"] == cgroup::name(inner.path())), "{records:?}");
    }
    let none = list(&["--cgroup", other.path()]);
    Comparison::of("sockls", &["--cgroup", "OTHER"]).field("sockets", sum(&none, "sockets"), 0).equal();
    let options = ["-q", "--cgroup", cgroup.path(), "0.2"];
    let [tool, beside] = <[Tool; 2]>::try_from(Tool::start_all(
        "sockls",
        &[options.to_vec(), vec!["-q", "--cgroup", other.path(), "0.2"]],
    ))
    .unwrap_or_else(|_| panic!("two tools"));
    let all = UDP + LISTENERS + 2 * PAIRS;
    tool.until_records(all as usize);
    workload.finish();
    let closed = |records: &[Value]| with(records, "state", "closed").len() as u64;
    tool.until("all have ended", |records| closed(records) + sum(records, "lost") >= all);
    let records = tool.interrupt().records;
    Comparison::of("sockls", &["--cgroup", "0.2"])
        .lost(sum(&records, "lost"))
        .field("closed", closed(&records), all)
        .equal_minus_lost();
    assert!(with(&records, "state", "closed").iter().all(|record| record["pid"] == pid), "{records:?}");
    let records = beside.interrupt().records;
    Comparison::of("sockls", &["--cgroup", "OTHER", "0.2"])
        .field("sockets", sum(&records, "sockets"), 0)
        .equal();
}

/// Tests the documented bound: MPTCP's sockets have no count of bytes; the TCP connections beneath have, and no process.
#[test]
fn connections_beneath_mptcp_have_no_process() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let (pairs, bytes) = (OVER_MPTCP.to_string(), BYTES.to_string());
    let (workload, own, _) = held(&["--mptcp", &pairs, "--bytes", &bytes]);
    let Some(port) = own["mptcp_port"].as_u64() else {
        writeln!(std::io::stderr(), "skipped: no MPTCP on {}", kernel::name()).expect("stderr takes a line");
        return drop(workload.finish());
    };
    let port = port.to_string();
    let of_it = list(&["-p", &workload.pid()]);
    let state = |state: &str| with(&of_it, "state", state).len() as u64;
    Comparison::of("sockls", &["-p"])
        .field("sockets", sum(&of_it, "sockets"), 2 * OVER_MPTCP + 1)
        .field("mptcp", with(&of_it, "proto", "mptcp").len() as u64, 2 * OVER_MPTCP + 1)
        .field("listen", state("listen"), 1)
        .field("established", state("established"), 2 * OVER_MPTCP)
        .equal();
    for record in &of_it {
        assert!(
            record["tx_bytes"].is_null() && record["rx_bytes"].is_null() && record["fd"].is_u64(),
            "{record}"
        );
    }
    let beneath = list(&["--proto", "tcp", "--port", &port]);
    let connected = with(&beneath, "state", "established");
    let moved = |field: &str| sum(connected.iter().copied(), field);
    Comparison::of("sockls", &["--proto", "tcp"])
        .field("established", connected.len() as u64, 2 * OVER_MPTCP)
        .field("tx_bytes", moved("tx_bytes"), OVER_MPTCP * BYTES)
        .field("rx_bytes", moved("rx_bytes"), OVER_MPTCP * BYTES)
        .equal();
    for record in &beneath {
        assert!(record["pid"].is_null() && count(record, "holders") == 0, "{record}");
    }
    workload.finish();
}
