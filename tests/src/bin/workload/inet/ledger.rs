//! The kernel's own counters of this network namespace.

use std::collections::BTreeMap;
use std::fs;

/// Of `/proc/net/snmp`, `snmp6` and `netstat`: the values by their names, those of UDP with `Udp` in front.
pub struct Ledger(BTreeMap<String, i64>);

/// Those that a tool can be compared with.
const NAMES: [&str; 12] = [
    "TcpActiveOpens",
    "TcpPassiveOpens",
    "TcpAttemptFails",
    "TcpRetransSegs",
    "TcpOutRsts",
    "UdpInDatagrams",
    "UdpOutDatagrams",
    "UdpRcvbufErrors",
    "Udp6InDatagrams",
    "Udp6OutDatagrams",
    "Udp6RcvbufErrors",
    "TcpExtTCPSynRetrans",
];

impl Ledger {
    /// As they are.
    pub fn now() -> Self {
        let read = |name: &str| fs::read_to_string(format!("/proc/self/net/{name}")).expect("/proc");
        let mut values = BTreeMap::new();
        for text in [read("snmp"), read("netstat")] {
            let lines: Vec<&str> = text.lines().collect();
            // A line of names, and one of values.
            for pair in lines.chunks(2) {
                let (of, names) = pair[0].split_once(": ").expect("names");
                let of_values = pair[1].split_once(": ").expect("values").1;
                let named = names.split(' ').zip(of_values.split(' '));
                values.extend(named.map(|(name, value)| (format!("{of}{name}"), value.parse().unwrap_or(0))));
            }
        }
        for line in read("snmp6").lines() {
            let mut words = line.split_whitespace();
            let (name, value) = (words.next().expect("a name"), words.next().expect("a value"));
            values.insert(name.to_string(), value.parse().unwrap_or(0));
        }
        Self(values)
    }

    /// Prints what was added since then.
    pub fn print_since(&self, before: &Self, part: &str) {
        let value = |of: &Self, name: &str| of.0.get(name).copied().unwrap_or(0);
        let added = NAMES.map(|name| format!("\"{name}\":{}", value(self, name) - value(before, name)));
        println!("{{\"part\":\"{part}\",\"ledger\":{{{}}}}}", added.join(","));
    }
}
