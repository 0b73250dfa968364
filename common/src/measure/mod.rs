//! What is measured per interval or as an event: counters, totals and latencies, for the system or
//! for each owner.

pub mod bits;
pub mod counters;
pub mod events;
pub mod gauges;
pub mod halves;
pub mod held;
pub mod latency;
pub mod owner_names;
pub mod per_key;
pub(crate) mod per_owner;
pub mod top;
pub mod under_way;
