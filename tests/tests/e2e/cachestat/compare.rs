//! What may differ, and by how much.

use serde_json::Value;
use tests::comparison::Comparison;
use tests::records::sum;

/// Fields in the order of reported and expected values.
const FIELDS: [&str; 7] =
    ["reads", "read_misses", "faults", "fault_misses", "readahead", "write_adds", "dirtied"];

/// Pages that the kernel reads ahead at once, or around a fault (VM_READAHEAD_PAGES of include/linux/mm.h: 128 KiB), and so
/// the largest folio where no call asks for more.
pub const WINDOW: u64 = 32;
/// Pages that one fault maps (fault_around_bytes of mm/memory.c: 64 KiB), and that one call of sendfile moves here.
pub const AROUND: u64 = 16;

/// Pages that one call of a step asks for.
fn pages_of_a_call(step: &str) -> u64 {
    let bytes = step.split_once("--bytes ").and_then(|(_, rest)| rest.split(' ').next()?.parse::<u64>().ok());
    bytes.map_or(AROUND, |bytes| bytes.div_ceil(4096))
}

/// Asserts that each field is in its range. Where programs can be preempted (Debian from Linux 6.18
/// on), a skipped run of a program is in `lost` and was for some pages: each field may lack at most
/// what one run counts, and may only exceed by what was reported in another field instead.
pub fn compare(
    of: impl Fn() -> Comparison,
    faults: &str,
    step: &str,
    records: &[Value],
    expected: [[u64; 2]; 7],
) {
    let lost = sum(records, "lost");
    let call = pages_of_a_call(step);
    let folio = call.max(WINDOW);
    let fields = |names: &[&str], each| {
        let all = FIELDS.into_iter().zip(expected).filter(|(field, _)| names.contains(field));
        let all = all
            .fold(of(), |all, (field, [least, most])| all.between(field, sum(records, field), least, most));
        all.lost(lost).each_of(each)
    };
    fields(&["reads"], call).equal();
    // Tracepoints and probes correct the mapped pages when a page turns out to be missing; fexit
    // knows it.
    match faults.starts_with("fentry:") {
        true => fields(&["faults"], AROUND).equal(),
        false => fields(&["faults"], AROUND).equal_within_lost(),
    }
    fields(&["write_adds", "dirtied"], folio).equal();
    // Regardless of the reader, no more was fetched than there is.
    let misses = |of: fn([u64; 2]) -> u64| of(expected[1]) + of(expected[3]);
    let reported = sum(records, "misses");
    let all = of().between("misses", reported, misses(|[least, _]| least), misses(|[_, most]| most));
    all.lost(lost).each_of(folio).equal();
    // The end of a read or fault determines whether pending fetches were asked for or read ahead.
    // Without it, they are missing in one field and reported in two others.
    let pending = 2 * folio;
    fields(&["read_misses", "fault_misses", "readahead"], 3 * pending).equal_within_lost();
}
