//! What `ss` and /proc/net say of the same sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;
use tests::programs::succeed;
use tests::records::count;

/// Compares records of a process that holds still, socket by socket.
pub fn agrees(pid: &str, records: &[Value]) {
    agrees_with_ss(pid, records);
    agrees_with_proc(pid, records);
}

/// A socket in the list of `ss`: its queues, and what it says of it by name.
struct Listed {
    queues: [u64; 2],
    fields: BTreeMap<String, String>,
}

/// The sockets of this process, by the number of the descriptor.
fn listed(pid: &str) -> BTreeMap<u64, Listed> {
    let network = format!("--net=/proc/{pid}/ns/net");
    let options = ["-H", "-a", "-t", "-u", "-i", "-e", "-p", "-n", "-O"];
    let lines = succeed("nsenter", &[&[network.as_str(), "ss"], &options[..]].concat());
    let of_it = format!("pid={pid},fd=");
    let listed = |line: &str| {
        let fd = line.split_once(&of_it)?.1.split(')').next()?.parse().ok()?;
        let words: Vec<&str> = line.split_whitespace().collect();
        // The protocol, the state, the queues, and the two ends.
        let queues = [words.get(2)?.parse().ok()?, words.get(3)?.parse().ok()?];
        let named = words.iter().filter_map(|word| word.split_once(':'));
        let fields = named.map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Some((fd, Listed { queues, fields }))
    };
    lines.lines().filter_map(listed).collect()
}

/// `ss -tuiepnO`: each socket that it has; unbound ones of UDP it has not.
fn agrees_with_ss(pid: &str, records: &[Value]) {
    let listed = listed(pid);
    let listens = records.iter().filter(|record| record["state"] == "listen");
    let listening: BTreeSet<u64> = listens.map(|record| count(record, "local_port")).collect();
    let mut seen = 0;
    for record in records.iter().filter(|record| record["local_port"] != 0) {
        let fd = count(record, "fd");
        let of_it = listed.get(&fd).unwrap_or_else(|| panic!("ss has no socket {fd}: {record}"));
        seen += 1;
        let number = |name: &str| of_it.fields.get(name).and_then(|text| text.parse::<u64>().ok());
        assert_eq!(number("ino"), record["inode"].as_u64(), "{record}");
        let cookie = of_it.fields.get("sk").map(|text| u64::from_str_radix(text, 16).expect("a number"));
        // Before Linux 5.12 this is the first that asks for it.
        assert!(record["cookie"].is_null() || cookie == record["cookie"].as_u64(), "{cookie:?} {record}");
        if record["state"] == "listen" {
            assert_eq!(
                of_it.queues,
                ["backlog", "backlog_max"].map(|field| count(record, field)),
                "{record}"
            );
            continue;
        }
        assert_eq!(
            of_it.queues,
            ["rx_queue_bytes", "tx_queue_bytes"].map(|field| count(record, field)),
            "{record}"
        );
        if record["proto"] != "tcp" {
            continue;
        }
        let [sent, again] = ["bytes_sent", "bytes_retrans"].map(|name| number(name).unwrap_or(0));
        assert_eq!(count(record, "tx_bytes"), sent - again, "{record}");
        assert_eq!(count(record, "rx_bytes"), number("bytes_received").unwrap_or(0), "{record}");
        // The SYN of the end that connected is in it; the other began after its own.
        let connected = u64::from(listening.contains(&count(record, "remote_port")));
        assert_eq!(number("bytes_acked").unwrap_or(0), sent - again + connected, "{record}");
        let again =
            of_it.fields.get("retrans").and_then(|text| text.split_once('/')).map_or("0", |(_, all)| all);
        assert_eq!(Some(count(record, "retransmits")), again.parse().ok(), "{record}");
        for (name, field) in [("cwnd", "cwnd"), ("mss", "mss")] {
            assert_eq!(number(name), record[field].as_u64(), "{name}: {record}");
        }
        let rtt = of_it.fields.get("rtt").and_then(|text| text.split_once('/')).expect("rtt:A/B");
        let field = |name: &str| of_it.fields.get(name).map(String::as_str);
        for (shown, field) in [
            (Some(rtt.0), "srtt_us"),
            (Some(rtt.1), "rttvar_us"),
            (field("rcv_rtt"), "rcv_rtt_us"),
            (field("minrtt"), "min_rtt_us"),
        ] {
            assert!(is_shown_as(record[field].as_u64(), shown), "{field}: {shown:?}: {record}");
        }
    }
    assert!(seen > 0 && seen == listed.len(), "ss has {} sockets, of which {seen} are told", listed.len());
}

/// Whether `ss` shows so many microseconds so: in milliseconds, of six digits (`%g`), or three after the point if these are
/// fewer.
fn is_shown_as(us: Option<u64>, shown: Option<&str>) -> bool {
    let (Some(us), Some(shown)) = (us, shown) else { return us.is_none() && shown.is_none() };
    let shown = (shown.parse::<f64>().expect("a number") * 1_000.0).round() as u64;
    let digits = us.checked_ilog10().map_or(1, |tens| tens + 1);
    2 * shown.abs_diff(us) < 10_u64.pow(digits.saturating_sub(6)) + u64::from(digits > 6)
}

/// /proc/PID/net/tcp and the others: their queues and inodes, and all of these inodes.
fn agrees_with_proc(pid: &str, records: &[Value]) {
    let mut known = BTreeMap::new();
    for file in ["tcp", "tcp6", "udp", "udp6"] {
        let text = fs::read_to_string(format!("/proc/{pid}/net/{file}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let hex = |text: &str| u64::from_str_radix(text, 16).expect("a number");
            let (tx, rx) = words[4].split_once(':').expect("two queues");
            let port = hex(words[1].rsplit_once(':').expect("a port").1);
            known.insert(words[9].parse::<u64>().expect("a number"), (port, hex(rx), hex(tx)));
        }
    }
    for record in records.iter().filter(|record| record["local_port"] != 0) {
        let listens = record["state"] == "listen";
        let rx = if listens { "backlog" } else { "rx_queue_bytes" };
        let told = (count(record, "local_port"), count(record, rx), count(record, "tx_queue_bytes"));
        assert_eq!(known.get(&count(record, "inode")), Some(&told), "{record}");
    }
}
