//! The two ways to run: counts per interval, or a record for each call.

use cli::exit::Result;
use common::measure::counters::Counters;
use common::measure::{events, under_way};
use common::options::Common;
use common::owner::By;
use common::session::Session;
use libbpf_rs::skel::{OpenSkel, Skel};

use crate::row::{COUNTERS, Counts, LOST, Sees};
use crate::segments::List;
use crate::skel::{OpenShmsnoopSkel, ShmsnoopSkel};
use crate::{Args, TOOL, event};

/// Sets the constants and sizes that the kernel's side needs before it is loaded.
pub fn configure(open: &mut OpenShmsnoopSkel<'_>, send_events: bool) -> libbpf_rs::Result<()> {
    let task_storage = under_way::configure(open.open_object_mut())?;
    if let Some(constants) = open.maps.rodata_data.as_deref_mut() {
        constants.send_events = send_events;
        constants.task_storage = task_storage;
    }
    events::configure(open.open_object_mut(), send_events.then_some(events::RING_BYTES))
}

/// Records at the end of each interval.
pub fn intervals(session: &Session<ShmsnoopSkel<'static>>, args: &Args) -> Result<()> {
    let any = |programs: [&str; 2]| programs.into_iter().any(|program| session.plan.loads(program));
    let sees = Sees {
        created: any(["created_f", "created_kx"]),
        destroyed: any(["destroyed_f", "destroyed_k"]),
        exit_detaches: any(["exit_detached_f", "exit_detached_k"]),
    };
    let mut list = (args.owner.by == By::System).then(|| List::open(args.common.quiet));
    let mut counters: Counters<'_, COUNTERS> = Counters::of(session.skel.object(), &args.owner, LOST)?;
    session.intervals(TOOL, &args.common, |_| {
        let (added, lost) = counters.since_last()?;
        let segments = list.as_mut().and_then(List::now);
        Ok((Counts::of(added, &args.owner, sees, segments), lost))
    })
}

/// A record for each call, until asked to end.
pub fn events(session: &Session<ShmsnoopSkel<'static>>, common: &Common) -> Result<()> {
    session.events::<COUNTERS, _>(TOOL, common, LOST, event::decode, |_| true)
}
