//! The structs and enums that the BPF programs of all tools share with user space, generated from
//! `bpf/layouts.bpf.c`.

use std::mem::offset_of;

use record::histogram::RawHist;

use super::plain::{Plain, same_bytes};

// The module `layouts`.
include!(concat!(env!("OUT_DIR"), "/layouts.rs"));

pub(crate) use layouts::types::{
    by, cidr, comm_rule, endpoint_filter, filter, hist, named_owner, names, new_cgroup, owner, path_end,
    port_range, stats, user_rule,
};

// SAFETY: generated from the C struct: integers, and arrays and structs of them.
unsafe impl Plain for endpoint_filter {}
// SAFETY: as above.
unsafe impl Plain for filter {}
// SAFETY: as above.
unsafe impl Plain for hist {}
// SAFETY: as above.
unsafe impl Plain for names {}
// SAFETY: as above.
unsafe impl Plain for new_cgroup {}
// SAFETY: as above.
unsafe impl Plain for owner {}
// SAFETY: as above.
unsafe impl Plain for stats {}
// SAFETY: integers and an array of them.
unsafe impl Plain for RawHist {}

// Written by hand: the crate `record` needs no BPF.
const _: () = assert!(
    size_of::<hist>() == size_of::<RawHist>()
        && offset_of!(hist, sum_ns) == offset_of!(RawHist, sum_ns)
        && offset_of!(hist, max_ns) == offset_of!(RawHist, max_ns)
        && offset_of!(hist, min_complement_ns) == offset_of!(RawHist, min_complement_ns)
        && offset_of!(hist, buckets) == offset_of!(RawHist, buckets),
    "record::histogram::RawHist is not struct hist of bpf/include/hist.h"
);

/// A `struct hist` of any tool's skeleton, each of which has a type of its own.
pub fn raw_hist<T: Plain>(hist: &T) -> &RawHist {
    same_bytes(hist)
}
