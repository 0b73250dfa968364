//! The two ways to run: a record for each connection, or counts per interval.

use cli::exit::Result;
use common::bpf::mmap::MappedCounters;
use common::bpf::plain::Plain;
use common::kernel::running::kernel_names;
use common::measure::counters::Counters;
use common::measure::events;
use common::options::Common;
use common::output;
use common::session::Session;
use libbpf_rs::skel::{OpenSkel, Skel};

use crate::row::{COUNTERS, Connections, LOST};
use crate::skel::types::endpoint_filter;
use crate::skel::{OpenTcplifeSkel, TcplifeSkel};
use crate::{Args, TOOL, event};

// SAFETY: generated from the C struct: integers, and arrays and structs of them.
unsafe impl Plain for endpoint_filter {}

/// `BPF_F_NO_PREALLOC` of `linux/bpf.h`.
const NO_PREALLOC: u32 = 1;

/// Sets the constants and sizes that the kernel's side needs before it is loaded.
pub fn configure(
    open: &mut OpenTcplifeSkel<'_>,
    args: &Args,
    endpoints: &endpoint_filter,
    events: bool,
) -> libbpf_rs::Result<()> {
    // From 6.1 on memory is allocated with the entries; earlier kernels need it preallocated, or
    // print a warning.
    let flags = if kernel_names("bpf_mem_alloc") { NO_PREALLOC } else { 0 };
    for map in [&mut open.maps.lives, &mut open.maps.waiting] {
        map.set_max_entries(args.max_open)?;
        map.set_map_flags(flags)?;
    }
    if let Some(constants) = open.maps.rodata_data.as_deref_mut() {
        constants.send_events = events;
        constants.endpoint_filter = *endpoints;
    }
    events::configure(open.open_object_mut(), events.then_some(events::RING_BYTES))
}

/// A record for each connection, until asked to end.
pub fn events(session: &mut Session<TcplifeSkel<'_>>, common: &Common) -> Result<()> {
    let mut counters: MappedCounters<COUNTERS> = MappedCounters::map(&session.skel.maps.counters)?;
    let source = events::Source {
        object: session.skel.object(),
        lost: &mut || counters.since_last()[LOST] + session.prog_stats.since_last().missed,
    };
    events::write(TOOL, common, &session.stop, source, event::decode, |_| true)
}

/// Records at the end of each interval.
pub fn intervals(session: &mut Session<TcplifeSkel<'_>>, args: &Args) -> Result<()> {
    let mut counters: Counters<'_, COUNTERS> = Counters::of(session.skel.object(), &args.owner, LOST)?;
    output::intervals(
        TOOL,
        &args.common,
        &session.stop,
        || session.prog_stats.since_last(),
        |_| {
            let (added, lost) = counters.since_last()?;
            Ok((Connections::of(added, &args.owner), lost))
        },
    )
}
