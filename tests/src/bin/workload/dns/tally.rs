//! What this process asked, and what it was answered.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A server and a transport.
pub type Kind = (IpAddr, &'static str);

thread_local! {
    static TALLY: RefCell<BTreeMap<(Kind, &'static str), u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// Adds to a field.
pub fn add(kind: Kind, field: &'static str, n: u64) {
    TALLY.with_borrow_mut(|tally| *tally.entry((kind, field)).or_default() += n);
}

/// Prints a line for each server and transport.
pub fn print(part: &str) {
    let mut lines: BTreeMap<Kind, String> = BTreeMap::new();
    TALLY.with_borrow(|tally| {
        for ((kind, field), n) in tally {
            *lines.entry(*kind).or_default() += &format!(",\"{field}\":{n}");
        }
    });
    let pid = std::process::id();
    for ((server, transport), fields) in lines {
        println!(
            "{{\"part\":\"{part}\",\"pid\":{pid},\"server_addr\":\"{server}\",\"transport\":\"{transport}\"{fields}}}"
        );
    }
}
