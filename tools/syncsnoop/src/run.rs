//! The two ways to run: latencies per interval, or a record for each call.

use cli::exit::Result;
use common::bpf::exchange;
use common::bpf::mmap::{MappedCounters, words};
use common::measure::events;
use common::measure::latency::CallLatencies;
use common::measure::{per_key, under_way};
use common::options::Common;
use common::session::Session;
use libbpf_rs::skel::{OpenSkel, Skel};

use crate::row::{CALLS, Calls};
use crate::skel::types::{counter as Counter, counters};
use crate::skel::{OpenSyncsnoopSkel, SyncsnoopSkel};
use crate::{Args, TOOL, event};

/// How many counters there are in a bank.
const COUNTERS: usize = words::<counters>();

/// Sets the constants and sizes that the kernel's side needs before it is loaded.
pub fn configure(open: &mut OpenSyncsnoopSkel<'_>, args: &Args, banks: u32) -> libbpf_rs::Result<()> {
    let task_storage = under_way::configure(open.open_object_mut())?;
    open.maps.stats.set_max_entries(per_key::entries(CALLS.len() as u32, banks))?;
    if let Some(constants) = open.maps.rodata_data.as_deref_mut() {
        constants.send_events = args.events;
        constants.min_ns = u64::from(args.min_us) * 1_000;
        constants.bank_mask = banks - 1;
        constants.task_storage = task_storage;
    }
    exchange::store_where_missing(open.open_object_mut())?;
    events::configure(open.open_object_mut(), args.events.then_some(events::RING_BYTES))
}

/// Records at the end of each interval.
pub fn intervals(session: &Session<SyncsnoopSkel<'static>>, args: &Args, banks: u32) -> Result<()> {
    let mut latencies = CallLatencies::of(session.skel.object(), CALLS.len(), banks, &args.owner)?;
    let mut counters: MappedCounters<COUNTERS> = MappedCounters::map(&session.skel.maps.counters)?;
    session.intervals(TOOL, &args.common, |_| {
        let rows = Calls::of(latencies.since_last()?, args.owner.by, args.buckets);
        let lost = counters.since_last()[Counter::LOST.0 as usize];
        Ok((rows, lost))
    })
}

/// A record for each call, until asked to end.
pub fn events(session: &Session<SyncsnoopSkel<'static>>, common: &Common) -> Result<()> {
    session.events::<COUNTERS, _>(TOOL, common, Counter::LOST.0 as usize, event::decode, |_| true)
}
