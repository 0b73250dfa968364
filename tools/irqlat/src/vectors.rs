//! Soft interrupts and vectors: a fixed set, whose totals the BPF programs keep for each processor.

use common::bpf::layouts::raw_hist;
use common::bpf::plain::Plain;
use common::measure::per_key::{self, Taken, Total};

use crate::row::{Deltas, Key, Kind};
use crate::skel::names::VECTOR as VECTORS;
use crate::skel::types::{hist, key as RawKey, stats};

/// Soft interrupts by their numbers, as /proc/softirqs names them (`softirq_to_name` of kernel/softirq.c).
const SOFT: [&str; 10] =
    ["HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU"];
/// How many keys there are: times of soft interrupts, their waits, times of vectors.
const KEYS: usize = RawKey::MAX_KEYS.0 as usize;
/// The first key of a wait, and the first of a vector.
const WAIT: usize = RawKey::SOFT_WAIT.0 as usize;
/// As above.
const VECTOR: usize = RawKey::VECTOR_TIME.0 as usize;
const _: () = assert!(WAIT == SOFT.len() && VECTOR == 2 * SOFT.len(), "a soft interrupt has no name");

/// How many entries the map `stats` needs.
pub fn entries(banks: u32) -> u32 {
    per_key::entries(KEYS as u32, banks)
}

// SAFETY: generated from the C struct: integers, and arrays and structs of them.
unsafe impl Plain for stats {}
// SAFETY: as above.
unsafe impl Plain for hist {}

impl Total for stats {
    /// The count.
    type Head = u64;
}

/// Adds what was measured in an interval. There is one bank for each of `banks` processors under
/// each key.
pub fn add(taken: &mut Taken<'_, stats>, banks: u32, per_cpu: bool, deltas: &mut Deltas) {
    let banks = banks as usize;
    for key in 0..KEYS {
        for cpu in 0..banks {
            taken.each(key * banks + cpu, |total| {
                let (kind, name, waits) = named(key);
                let cpu = per_cpu.then_some(cpu as u32);
                let key = Key { kind, name: name.to_string(), irq: None, cpu };
                let measured = deltas.entry(key).or_default();
                let hist = if waits { &mut measured.wait } else { &mut measured.time };
                hist.add_raw(raw_hist(&total.time));
            });
        }
    }
}

/// The meaning of a key, and whether it is a wait.
fn named(key: usize) -> (Kind, &'static str, bool) {
    match key.checked_sub(VECTOR) {
        Some(vector) => (Kind::Vector, VECTORS[vector], false),
        None => (Kind::Soft, SOFT[key % SOFT.len()], key >= WAIT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named() {
        assert_eq!(named(1), (Kind::Soft, "TIMER", false));
        assert_eq!(named(13), (Kind::Soft, "NET_RX", true));
        assert_eq!(named(20), (Kind::Vector, "local_timer", false));
        assert_eq!(named(KEYS - 1), (Kind::Vector, "deferred_error_apic", false));
    }
}
