//! The sums that the records of intervals have.

use serde_json::Value;
use tests::comparison::Comparison;
use tests::records::sum;

/// The sums of an interval's record.
pub const SUMS: [&str; 7] =
    ["accepted", "connected", "failed", "closed", "tx_bytes", "rx_bytes", "retransmits"];

pub fn sums(records: &[Value]) -> [u64; 7] {
    SUMS.map(|field| sum(records, field))
}

/// The number of fields in `SUMS` that count connections.
pub const COUNTS: usize = 4;

/// Asserts that intervals add up to these sums. Where programs can be preempted, the skipped
/// program may be the one that saw a connection opened or accepted: it may then count as another
/// kind of connection and be missing in its own. The bytes of an end are counted by the program
/// that sees it close.
pub fn compare(options: &[&str], records: &[Value], expected: [u64; 7], most_moved: u64) {
    let (reported, lost) = (sums(records), sum(records, "lost"));
    let of = || Comparison::of("tcplife", options).lost(lost);
    let counts = of().fields(&SUMS[..COUNTS], &reported[..COUNTS], &expected[..COUNTS]);
    counts.each_of(2).equal_within_lost();
    of().fields(&SUMS[3..], &reported[3..], &expected[3..]).each_of(1 + most_moved).equal();
}
