//! What this process's calls returned.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

thread_local! {
    static TALLY: RefCell<BTreeMap<(Kind, &'static str), u64>> = const { RefCell::new(BTreeMap::new()) };
    static SKIPPED: Cell<bool> = const { Cell::new(false) };
}

/// A protocol and a version of IP.
pub type Kind = (&'static str, u8);

/// Adds to a field of a protocol and family.
pub fn add(kind: Kind, field: &'static str, n: u64) {
    TALLY.with_borrow_mut(|tally| *tally.entry((kind, field)).or_default() += n);
}

/// The kernel has no such protocol.
pub fn skip() {
    SKIPPED.set(true);
}

/// What a send returned: bytes, or an error, which is passed on.
pub fn sent(kind: Kind, ret: isize) -> Result<usize, i32> {
    returned(kind, ret, ["sends", "send_errors", "tx_bytes"])
}

/// The same of a receive.
pub fn received(kind: Kind, ret: isize) -> Result<usize, i32> {
    returned(kind, ret, ["receives", "receive_errors", "rx_bytes"])
}

fn returned(kind: Kind, ret: isize, [calls, errors, bytes]: [&'static str; 3]) -> Result<usize, i32> {
    let error = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
    let result = usize::try_from(ret).map_err(|_| error);
    match result {
        Err(libc::EAGAIN) => add(kind, "would_block", 1),
        _ => {
            add(kind, calls, 1);
            match result {
                Ok(moved) => add(kind, bytes, moved as u64),
                Err(_) => add(kind, errors, 1),
            }
        }
    }
    result
}

/// Prints a line for each protocol and family.
pub fn print(part: &str) {
    if SKIPPED.get() {
        println!("{{\"part\":\"{part}\",\"skipped\":true}}");
        return;
    }
    let mut lines: BTreeMap<Kind, String> = BTreeMap::new();
    TALLY.with_borrow(|tally| {
        for ((kind, field), n) in tally {
            *lines.entry(*kind).or_default() += &format!(",\"{field}\":{n}");
        }
    });
    let pid = std::process::id();
    for ((proto, family), fields) in lines {
        println!("{{\"part\":\"{part}\",\"pid\":{pid},\"proto\":\"{proto}\",\"family\":{family}{fields}}}");
    }
}
