//! inetstat against sockets whose calls, connections and datagrams are known, and against the kernel's own counters.
#![allow(clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::kernel::{self, Allows};
use tests::observed::observed;
use tests::records::{count, count_if_any, sum, sum_if_any, with};
use tests::tool::{Ended, Tool};
use tests::workload::Workload;
use tests::{can_run, lock};

/// What each protocol's records have, but for what is sent again, and resets: a slow machine sends some on its loopback
/// device, too, as its own counters tell.
const FIELDS: [&str; 12] = [
    "sends",
    "send_errors",
    "tx_bytes",
    "receives",
    "receive_errors",
    "rx_bytes",
    "would_block",
    "accepts",
    "connects",
    "connect_errors",
    "resets_received",
    "drops",
];

/// The parts of the workload, `tests/src/bin/workload/inet.rs`.
const PARTS: &str = "tcp4,tcp6,tcp_mapped,vectors,messages,sendfile,splice_out,splice_in,zerocopy,uring,partial,pipe,peek,\
     mptcp,connect4,connect6,connect_later,refused,reset,unread,unanswered,udp4,udp6,udp_connected,udp_mapped,udp_truncated,\
     udp_drop,udp_drop6,udp_cork,udp_gso,udp_errors,udplite";

/// What the parts must have done, so that the numbers of both sides are not the same by mistake: sums of their lines.
const KNOWN: [(&str, &str, u64); 24] = [
    ("tcp4", "tx_bytes", 401 * 1_001),
    ("tcp4", "rx_bytes", 401 * 1_001),
    ("tcp6", "sends", 401),
    ("messages", "sends", 707),
    ("messages", "tx_bytes", 71_407),
    ("sendfile", "tx_bytes", 413_696),
    ("splice_out", "tx_bytes", 101_101),
    ("splice_in", "spliced_bytes", 101_101),
    ("zerocopy", "tx_bytes", 2_020_101),
    ("pipe", "send_errors", 37),
    ("connect4", "accepts", 257),
    ("connect6", "connects", 257),
    ("connect_later", "connects", 101),
    ("refused", "connect_errors", 37),
    ("reset", "resets_sent", 11),
    ("unread", "resets_received", 7),
    ("udp4", "tx_bytes", 200_901),
    ("udp6", "rx_bytes", 200_901),
    ("udp_mapped", "sends", 101),
    ("udp_truncated", "rx_bytes", 10_100),
    ("udp_connected", "would_block", 53),
    ("udp_cork", "sends", 303),
    ("udp_gso", "receives", 505),
    ("udp_errors", "receive_errors", 37),
];

/// The most that a lost event may be missing in all fields together: a send of this many bytes.
const A_CALL: u64 = 1 + 100_003;

/// Events of packets, which happen while any process may be running.
const OF_PACKETS: &[&str] = &[
    "sock/inet_sock_set_state",
    "tcp/tcp_retransmit_skb",
    "tcp/tcp_send_reset",
    "tcp/tcp_receive_reset",
    "udp/udp_fail_queue_rcv_skb",
];

/// What the workload printed.
struct Known {
    /// The lines of calls.
    calls: Vec<Value>,
    /// The kernel's own counters, by part.
    ledgers: BTreeMap<String, Value>,
}

impl Known {
    fn of(printed: Vec<Value>) -> Self {
        let part = |line: &Value| line["part"].as_str().expect("a name").to_string();
        let ledgers = printed.iter().filter(|line| line["ledger"].is_object());
        let ledgers = ledgers.map(|line| (part(line), line["ledger"].clone())).collect();
        let calls = printed.into_iter().filter(|line| line["proto"].is_string()).collect();
        Self { calls, ledgers }
    }

    /// That its numbers are those of `KNOWN`.
    fn is_as_expected(&self) {
        for (part, field, expected) in KNOWN {
            assert_eq!(sum_if_any(with(&self.calls, "part", part), field), expected, "{part}: {field}");
        }
    }

    /// A field of a line, as a tool with these hooks must report it.
    fn expected(line: &Value, field: &str, hooks: &BTreeMap<String, String>) -> u64 {
        let spliced = match field {
            _ if !hooks.contains_key("splices") => 0,
            "receives" => count_if_any(line, "spliced"),
            "rx_bytes" => count_if_any(line, "spliced_bytes"),
            _ => 0,
        };
        let drops6_unseen = field == "drops" && line["family"] == 6 && kernel::release() < (6, 6);
        if drops6_unseen { 0 } else { count_if_any(line, field) + spliced }
    }

    /// The kernel's counter, of all parts.
    fn ledger(&self, name: &str) -> u64 {
        count(&self.ledgers["all"], name)
    }
}

/// Compares the records of a tool with `--by process --split family` with the lines of each part.
fn compare_parts(options: &[&str], ended: &Ended, known: &Known) {
    let (records, hooks) = (&ended.records, ended.rungs());
    let lost = sum(records, "lost");
    let keys = ["pid", "proto", "family"];
    for line in &known.calls {
        let own: Vec<_> =
            records.iter().filter(|record| keys.iter().all(|key| record[*key] == line[*key])).collect();
        let reported = FIELDS.map(|field| sum_if_any(own.iter().copied(), field));
        let expected = FIELDS.map(|field| Known::expected(line, field, &hooks));
        let part = format!("{} {} {}", line["part"], line["proto"], line["family"]);
        let comparison = Comparison::of("inetstat", options).part(part).fields(&FIELDS, &reported, &expected);
        let resets = sum_if_any(own.iter().copied(), "resets_sent");
        let comparison = comparison.at_least("resets_sent", resets, count_if_any(line, "resets_sent"));
        comparison.lost(lost).each_of(A_CALL).equal();
    }
    // And nothing else.
    for record in records.iter().filter(|record| FIELDS.iter().any(|field| count_if_any(record, field) > 0)) {
        let found = known.calls.iter().any(|line| keys.iter().all(|key| record[*key] == line[*key]));
        assert!(found, "inetstat {options:?} on {}: {record}", kernel::name());
    }
}

/// Compares the sums of a tool's records with those of all parts, by protocol, and with the kernel's counters.
fn compare_sums(options: &[&str], ended: &Ended, known: &Known) {
    let (records, hooks) = (&ended.records, ended.rungs());
    let lost = sum(records, "lost");
    let comparison = |part: &str| Comparison::of("inetstat", options).part(part).lost(lost).each_of(A_CALL);
    for proto in ["tcp", "udp", "mptcp", "udplite"] {
        let (own, lines) = (with(records, "proto", proto), with(&known.calls, "proto", proto));
        let reported = FIELDS.map(|field| sum_if_any(own.iter().copied(), field));
        let expected =
            FIELDS.map(|field| lines.iter().map(|line| Known::expected(line, field, &hooks)).sum());
        comparison(proto).fields(&FIELDS, &reported, &expected).equal();
    }
    let tcp = |field| sum_if_any(with(records, "proto", "tcp"), field);
    let all = |field| sum_if_any(records, field);
    // Those that answer an attempt to connect to where no process listens are not of a socket.
    let of_none = sum_if_any(with(&known.calls, "part", "refused"), "connect_errors");
    comparison("ledgers")
        .field("resets_sent as OutRsts", tcp("resets_sent") + of_none, known.ledger("TcpOutRsts"))
        .field("connects as ActiveOpens", tcp("connects"), known.ledger("TcpActiveOpens"))
        .field("accepts as PassiveOpens", all("accepts"), known.ledger("TcpPassiveOpens"))
        .field("retransmits as RetransSegs", tcp("retransmits"), known.ledger("TcpRetransSegs"))
        .equal();
}

/// The datagrams that the kernel counted are those of the calls, in parts whose calls are one datagram each.
fn datagrams_are_those_of_the_ledger(known: &Known) {
    for (part, six) in
        [("udp4", ""), ("udp6", "6"), ("udp_connected", ""), ("udp_truncated", ""), ("udp_drop", "")]
    {
        let (ledger, lines) = (&known.ledgers[part], with(&known.calls, "part", part));
        let all = |field| sum_if_any(lines.iter().copied(), field);
        assert_eq!(count(ledger, &format!("Udp{six}OutDatagrams")), all("sends"), "{part}");
        assert_eq!(count(ledger, &format!("Udp{six}InDatagrams")), all("receives"), "{part}");
        assert_eq!(count(ledger, &format!("Udp{six}RcvbufErrors")), all("drops"), "{part}");
    }
}

/// Counts the work with this kind of hook, and with all kinds of owners if that is the best one; returns the kind that
/// the hooks of sends have.
fn counted(kind: &str) -> String {
    let _machine = lock::machine();
    let (cgroup, groups) = (Cgroup::new(), tempfile::NamedTempFile::new().expect("a file"));
    std::fs::write(groups.path(), "none: nobody\nworkers: workl*\n").expect("a file");
    let groups = groups.path().to_str().expect("UTF-8");
    let common = ["-v", "--attach", kind, "--cgroup", cgroup.path()];
    let mut all = vec![vec!["--by", "process", "--split", "family", "600"], vec!["--by", "system", "600"]];
    if kind == "auto" {
        all.extend([vec!["--by", "cgroup", "600"], vec!["--by", "app", "--apps", groups, "600"]]);
    }
    let with_common: Vec<_> = all.iter().map(|options| [&common[..], options].concat()).collect();
    let tools = Tool::start_all("inetstat", &with_common);
    let known = Known::of(Workload::run(&["inet", "--parts", PARTS, "--cgroup", cgroup.path()]));
    known.is_as_expected();
    datagrams_are_those_of_the_ledger(&known);
    let mut rung = String::new();
    for (options, tool) in all.iter().zip(tools) {
        let ended = tool.interrupt();
        let options = [&common[1..3], &options[..options.len() - 1]].concat();
        if options.contains(&"--split") {
            compare_parts(&options, &ended, &known);
        }
        compare_sums(&options, &ended, &known);
        rung = ended.rungs()["sends"].clone();
    }
    rung.split(':').next().expect("a kind").to_string()
}

/// With the best rungs, once: the kind of those of sends, which is tested by this.
fn best() -> &'static str {
    static BEST: OnceLock<String> = OnceLock::new();
    BEST.get_or_init(|| counted("auto"))
}

fn counted_by(kind: &str) {
    if kernel::allows(kind) == Allows::Yes && best() != kind {
        counted(kind);
    }
}

#[test]
fn known_work_is_counted_exactly_by_the_best_rungs() {
    if can_run() {
        observed(OF_PACKETS, || _ = best());
    }
}

#[test]
fn known_work_is_counted_exactly_by_fentry() {
    if can_run() {
        observed(OF_PACKETS, || counted_by("fentry"));
    }
}

#[test]
fn known_work_is_counted_exactly_by_kprobes() {
    if can_run() {
        observed(OF_PACKETS, || counted_by("kprobe"));
    }
}

/// Without a hook of sends, the other fields are reported all the same.
#[test]
fn what_no_hook_shows_is_null() {
    if !can_run() {
        return;
    }
    let missing = ["fentry", "kprobe"].into_iter().find(|kind| kernel::allows(kind) != Allows::Yes);
    // Kernels before 6.3 do not have the tracepoints.
    let Some(kind) = missing.or_else(|| (kernel::release() < (6, 3)).then_some("btf")) else { return };
    let tool = Tool::start("inetstat", &["--attach", kind, "0.1"]);
    let records = tool.until_records(1);
    let ended = tool.interrupt();
    for record in &records {
        assert!(record["sends"].is_null() && record["rx_bytes"].is_null(), "{record}");
        assert!(record["would_block"].is_null(), "{record}");
    }
    assert!(records[0]["proto"].is_string() || records[0]["connects"] == 0, "{}", records[0]);
    assert!(ended.stderr.contains("skips optional hook sends"), "{}", ended.stderr);
}

/// Packets that are lost are sent again: as many segments as the kernel counts.
#[test]
fn segments_sent_again_are_those_of_the_ledger() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let cgroup = Cgroup::new();
    let options: [&[&str]; 2] = [&["--by", "process"], &["--by", "system"]];
    let tools = options.map(|options| {
        Tool::start("inetstat", &[&["-q", "--cgroup", cgroup.path()], options, &["600"]].concat())
    });
    let workload = ["inet", "--parts", "loss,tcp4", "--cgroup", cgroup.path()];
    let known = Known::of(Workload::run(&workload));
    for (options, tool) in options.iter().zip(tools) {
        let records = tool.interrupt().records;
        let tcp = with(&records, "proto", "tcp");
        let again = sum_if_any(tcp.iter().copied(), "retransmits");
        let comparison = Comparison::of("inetstat", options).part("loss").lost(sum(&records, "lost"));
        // A packet may be many segments.
        let expected = known.ledger("TcpRetransSegs");
        comparison.field("retransmits", again, expected).each_of(64).equal();
        assert!(expected > 0, "nothing was lost");
        assert!(sum_if_any(tcp, "retransmit_bytes") > 0, "{records:?}");
    }
}

/// A port that no other process uses in the workload's own network namespace.
const PORT: &str = "7531";

/// The bytes that TCP sent and received, and UDP.
fn bytes(records: &[Value]) -> [u64; 4] {
    let of = |proto, field| sum_if_any(with(records, "proto", proto), field);
    [of("tcp", "tx_bytes"), of("tcp", "rx_bytes"), of("udp", "tx_bytes"), of("udp", "rx_bytes")]
}

#[test]
fn only_what_was_asked_for_is_reported() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    /// Of each family.
    const TCP: u64 = 401 * 1_001;
    const UDP: u64 = 401 * 501;
    let cgroup = Cgroup::new();
    let (not_port, but_port) = (format!("!{PORT}"), format!("1-65535,!{PORT}"));
    // The sockets of UDP are not connected: their remote addresses are 0, and they have their own port only.
    let cases: [(&[&str], [u64; 4]); 10] = [
        (&[], [2 * TCP, 2 * TCP, 2 * UDP, 2 * UDP]),
        (&["--family", "4"], [TCP, TCP, UDP, UDP]),
        (&["--family", "6"], [TCP, TCP, UDP, UDP]),
        (&["--cidr", "127.0.0.0/8"], [TCP, TCP, 0, 0]),
        (&["--cidr", "!::1"], [TCP, TCP, 2 * UDP, 2 * UDP]),
        (&["--cidr", "!127.0.0.1,0.0.0.0/0"], [0, 0, UDP, UDP]),
        (&["--port", PORT], [2 * TCP, 2 * TCP, 0, 2 * UDP]),
        (&["--port", &not_port], [0, 0, 2 * UDP, 0]),
        (&["--port", &but_port, "--family", "6"], [0, 0, UDP, 0]),
        (&["--port", PORT, "--cidr", "::1"], [TCP, TCP, 0, 0]),
    ];
    // What a filter decides depends on no kernel: guests try one of each sort, by how few sockets it leaves.
    let cases: Vec<_> = match kernel::of_guest() {
        Some(_) => cases.into_iter().skip(5).collect(),
        None => cases.into_iter().collect(),
    };
    let common = ["-q", "--cgroup", cgroup.path()];
    let all: Vec<_> = cases.iter().map(|(options, _)| [&common, *options, &["600"]].concat()).collect();
    let tools = Tool::start_all("inetstat", &all);
    let parts = ["inet", "--parts", "tcp4,tcp6,udp4,udp6", "--port", PORT, "--cgroup", cgroup.path()];
    Workload::run(&parts);
    for ((options, expected), tool) in cases.iter().zip(tools) {
        let records = tool.interrupt().records;
        let names = ["tcp tx_bytes", "tcp rx_bytes", "udp tx_bytes", "udp rx_bytes"];
        let comparison = Comparison::of("inetstat", options).fields(&names, &bytes(&records), expected);
        comparison.lost(sum(&records, "lost")).each_of(A_CALL).equal();
    }
}

/// Of sockets that find no room it is not known whose they are: that is lost, and no call.
#[test]
fn sockets_beyond_the_room_are_lost_and_their_calls_are_not() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let cgroup = Cgroup::new();
    let options = ["--by", "process", "--max-sockets", "1"];
    let tool =
        Tool::start("inetstat", &[&["-q", "--cgroup", cgroup.path()], &options[..], &["600"]].concat());
    let known = Known::of(Workload::run(&["inet", "--parts", "connect4,tcp4", "--cgroup", cgroup.path()]));
    let records = tool.interrupt().records;
    let lost = sum(&records, "lost");
    // Of calls, only those are missing that the kernel skipped programs for.
    let skipped = if kernel::preempts_programs() { lost } else { 0 };
    let fields = ["sends", "tx_bytes", "receives", "rx_bytes", "accepts", "connects"];
    let reported = fields.map(|field| sum_if_any(&records, field));
    let expected = fields.map(|field| sum_if_any(&known.calls, field));
    let comparison = Comparison::of("inetstat", &options).fields(&fields, &reported, &expected);
    comparison.lost(skipped).each_of(A_CALL).equal();
    assert!(lost > 0, "{records:?}");
}
