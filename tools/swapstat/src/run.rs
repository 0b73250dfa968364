//! From the loaded programs to records.

use cli::exit::Result;
use common::bpf::exchange;
use common::bpf::globals::map;
use common::bpf::layouts::raw_hist;
use common::bpf::mmap::{MappedCounters, words};
use common::bpf::plain::Plain;
use common::measure::per_key::{self, PerKey, Total, busiest};
use common::session::Session;
use libbpf_rs::skel::{OpenSkel, Skel};

use crate::hooks::{FAULTS, ZSWAP};
use crate::row::{Known, Measured, Swapped};
use crate::skel::types::{self, counter as Counter, counters};
use crate::skel::{OpenSwapstatSkel, SwapstatSkel};
use crate::vmstat::Vmstat;
use crate::{Args, TOOL};

/// How many counters there are in a bank.
const COUNTERS: usize = words::<counters>();
/// What is swapped has no kinds.
const KEYS: usize = 1;

// SAFETY: generated from the C struct: integers, and arrays and structs of them.
unsafe impl Plain for types::stats {}
// SAFETY: as above.
unsafe impl Plain for types::hist {}

impl Total for types::stats {
    /// The six counters and the sum of the faults' times.
    type Head = [u64; 7];
}

/// Sets the constants and sizes that depend on the machine.
pub fn configure(open: &mut OpenSwapstatSkel<'_>, banks: u32) -> libbpf_rs::Result<()> {
    open.maps.stats.set_max_entries(per_key::entries(KEYS as u32, banks))?;
    if let Some(constants) = open.maps.rodata_data.as_deref_mut() {
        constants.bank_mask = banks - 1;
        constants.page_shift = rustix::param::page_size().trailing_zeros();
    }
    exchange::store_where_missing(open.open_object_mut())
}

/// Records at the end of each interval.
pub fn intervals(session: &Session<SwapstatSkel<'static>>, args: &Args, banks: u32) -> Result<()> {
    let sees = |hook: &str| session.plan.hooks.iter().any(|one| one.hook == hook && !one.chosen.is_empty());
    let known = Known { faults: sees(FAULTS), zswap: sees(ZSWAP), buckets: args.buckets };
    let mut vmstat = args.whole_system().then(Vmstat::new);
    let stats = map(session.skel.object(), "stats")?;
    let mut totals: PerKey<'_, types::stats> = PerKey::of(session.skel.object(), &stats, banks, &args.owner)?;
    let mut counters: MappedCounters<COUNTERS> = MappedCounters::map(&session.skel.maps.counters)?;
    session.intervals(TOOL, &args.common, |_| {
        let deltas = totals.since_last(0..KEYS, add)?;
        let deltas = busiest(deltas, &args.owner, Measured::pages, Measured::add);
        let lost = counters.since_last()[Counter::LOST.0 as usize];
        let counted = vmstat.as_mut().map(Vmstat::since_last);
        Ok((Swapped::of(deltas, args.owner.by, counted, known), lost))
    })
}

fn add(sum: &mut Measured, total: &types::stats) {
    sum.in_pages += total.in_pages;
    sum.in_requests += total.in_requests;
    sum.out_pages += total.out_pages;
    sum.out_requests += total.out_requests;
    sum.zswap_in_pages += total.zswap_in_pages;
    sum.zswap_out_pages += total.zswap_out_pages;
    sum.fault.add_raw(raw_hist(&total.fault));
}
