//! The two ways to run: counts per interval, or a record for each event.

use cli::exit::Result;
use common::hooks::plan::Plan;
use common::measure::counters::Counters;
use common::measure::events;
use common::options::Common;
use common::session::Session;
use libbpf_rs::skel::{OpenSkel, Skel};

use crate::row::{COUNTERS, DescriptorCounts, Event, LOST, Sees};
use crate::skel::{FdstatSkel, OpenFdstatSkel};
use crate::{Args, TOOL, event, table};

/// Sets the constants and sizes that the kernel's side needs before it is loaded.
pub fn configure(open: &mut OpenFdstatSkel<'_>, args: &Args) -> libbpf_rs::Result<()> {
    let task_storage = common::kernel::running::tasks_hold_storage();
    if let Some(constants) = open.maps.rodata_data.as_deref_mut() {
        constants.send_events = args.events;
        constants.only_errors = args.errors;
        constants.task_storage = task_storage;
    }
    // An unused map is not created; the code that would use it is never reached.
    open.maps.under_way_in_task.set_autocreate(task_storage)?;
    open.maps.under_way.set_autocreate(!task_storage)?;
    events::configure(open.open_object_mut(), args.events.then_some(events::RING_BYTES))
}

/// Whether what gives descriptors up without a close is seen.
pub fn sees_dropped(plan: &Plan) -> bool {
    ["flush_f", "filp_close_f", "flush_k", "filp_close_k"].into_iter().any(|program| plan.loads(program))
}

/// Records at the end of each interval.
pub fn intervals(session: &Session<FdstatSkel<'static>>, args: &Args) -> Result<()> {
    let mut counters: Counters<'_, COUNTERS> =
        Counters::after_selftest(session.skel.object(), &args.owner, LOST, session.selftest_counted)?;
    let walk = table::walk(&session.links);
    let sees = Sees {
        created: session.plan.loads("install_f") || session.plan.loads("install_k"),
        dropped: sees_dropped(&session.plan),
        fds: walk.is_some(),
    };
    session.intervals(TOOL, &args.common, |_| {
        let (mut added, lost) = counters.since_last()?;
        if let Some(walk) = walk {
            table::add(walk, &mut added, &mut counters)?;
        }
        Ok((DescriptorCounts::of(added, &args.owner, sees), lost))
    })
}

/// A record for each event, until asked to end. `own` is the kernel's id of this process, whose own opens are not
/// reported.
pub fn events(session: &Session<FdstatSkel<'static>>, common: &Common, own: u32) -> Result<()> {
    session.events::<COUNTERS, _>(TOOL, common, LOST, event::decode, |event: &Event| event.pid != own)
}
