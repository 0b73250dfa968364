//! The two ways to run: a record for each connection, or counts per interval.

use cli::exit::Result;
use common::bpf::plain::Plain;
use common::kernel::running::kernel_names;
use common::measure::counters::Counters;
use common::measure::events;
use common::options::Common;
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
pub fn events(session: &Session<TcplifeSkel<'static>>, common: &Common) -> Result<()> {
    session.events::<COUNTERS, _>(TOOL, common, LOST, event::decode, |_| true)
}

/// Records at the end of each interval.
pub fn intervals(session: &Session<TcplifeSkel<'static>>, args: &Args) -> Result<()> {
    let mut counters: Counters<'_, COUNTERS> = Counters::of(session.skel.object(), &args.owner, LOST)?;
    session.intervals(TOOL, &args.common, |_| {
        let (added, lost) = counters.since_last()?;
        Ok((Connections::of(added, &args.owner), lost))
    })
}
