//! The two ways to run: latencies per interval, or a record for each call.

use std::sync::atomic::AtomicU32;

use common::banks::Counters;
use common::cli::Common;
use common::events;
use common::exit::{Failure, Result};
use common::interval::Ticks;
use common::output::Writer;
use common::session::Session;
use common::totals::Totals;

use crate::skel::{OpenSyncsnoopSkel, SyncsnoopSkel};
use crate::{Args, TOOL, calls, event};

/// The size of a bank of counters, in words: the C struct is rounded up to whole cache lines.
const COUNTERS: usize = 8;

/// Sets the constants and sizes that the kernel's side needs before it is loaded.
pub fn configure(
    open: &mut OpenSyncsnoopSkel<'_>,
    args: &Args,
    cpus: u32,
    banks: u32,
) -> libbpf_rs::Result<()> {
    open.maps.counters.set_max_entries(cpus)?;
    open.maps.stats.set_max_entries(calls::entries(banks))?;
    if let Some(constants) = open.maps.rodata_data.as_deref_mut() {
        constants.send_events = args.events;
        constants.min_ns = u64::from(args.min_us) * 1_000;
        constants.bank_mask = banks - 1;
    }
    match args.events {
        true => open.maps.events.set_max_entries(events::RING_BYTES),
        // Its memory is not needed; the code that would use it is never reached.
        false => open.maps.events.set_autocreate(false),
    }
}

/// Records at the end of each interval.
pub fn intervals(session: &mut Session<SyncsnoopSkel<'_>>, args: &Args, banks: u32) -> Result<()> {
    let mut totals: Totals<calls::Stats> = Totals::map(&session.skel.maps.stats, banks)?;
    let mut counters: Counters<COUNTERS> = Counters::map(&session.skel.maps.counters)?;
    let mut writer = Writer::new(TOOL, &args.common);
    let mut ticks = Ticks::new(args.common.interval, args.common.count, args.common.duration);
    while let Some(tick) = ticks.next(&session.stop) {
        let rows = calls::since_last(&mut totals, args.buckets);
        let [lost, ..] = counters.since_last();
        let account = session.meter.account();
        writer.interval(&tick, &rows, lost, account)?;
    }
    Ok(())
}

/// A record for each call, until asked to end.
pub fn events(session: &mut Session<SyncsnoopSkel<'_>>, common: &Common) -> Result<()> {
    let Some(data) = session.skel.maps.bss_data.as_deref() else {
        return Err(Failure::failed("the object has no data"));
    };
    let mut counters: Counters<COUNTERS> = Counters::map(&session.skel.maps.counters)?;
    let source = events::Source {
        map: &session.skel.maps.events,
        // SAFETY: a naturally aligned u32 in the mapping of the object's data, which the kernel writes too.
        sleeps: unsafe { AtomicU32::from_ptr((&raw const data.reader_sleeps).cast_mut()) },
        lost: &mut || {
            let [lost, ..] = counters.since_last();
            lost + session.meter.account().missed
        },
    };
    events::write(TOOL, common, &session.stop, source, event::decode, |_| true)
}
