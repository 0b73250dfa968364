//! The two ways to run: counts per interval, or a record for each event.

use cli::exit::Result;
use common::measure::counters::Counters;
use common::measure::events;
use common::options::Common;
use common::session::Session;
use libbpf_rs::skel::{OpenSkel, Skel};

use crate::row::{COUNTERS, Counter, Event, ProcessCounts, Sees};
use crate::skel::{OpenProclifeSkel, ProclifeSkel};
use crate::zombies::Zombies;
use crate::{Args, TOOL, event};

/// Sets the constants and sizes that the kernel's side needs before it is loaded.
pub fn configure(open: &mut OpenProclifeSkel<'_>, events: bool, threads: bool) -> libbpf_rs::Result<()> {
    if let Some(constants) = open.maps.rodata_data.as_deref_mut() {
        constants.send_events = events;
        constants.send_threads = threads;
    }
    events::configure(open.open_object_mut(), events.then_some(events::RING_BYTES))
}

/// Records at the end of each interval.
pub fn intervals(session: &Session<ProclifeSkel<'static>>, args: &Args) -> Result<()> {
    let has = |hook: &str| {
        session.plan.hooks.iter().any(|planned| planned.hook == hook && !planned.chosen.is_empty())
    };
    let sees = Sees { fork_errors: has("fork_errors"), exec_errors: has("exec_errors") };
    let object = session.skel.object();
    let mut counters: Counters<'_, COUNTERS> =
        Counters::after_selftest(object, &args.owner, Counter::LOST.0 as usize, session.selftest_counted)?;
    let zombies = Zombies::new(object)?;
    session.intervals(TOOL, &args.common, |_| {
        let (mut added, lost) = counters.since_last()?;
        zombies.add(&session.links, &mut added, &mut counters)?;
        Ok((ProcessCounts::of(added, &args.owner, sees), lost))
    })
}

/// A record for each event, until asked to end. `own` is the kernel's id of this process.
pub fn events(session: &Session<ProclifeSkel<'static>>, common: &Common, own: u32) -> Result<()> {
    // The self-test's events must not be reported; after it this process starts only a thread of
    // its own.
    let wanted = |event: &Event| event.pid != own && event.ppid != own;
    session.events::<COUNTERS, _>(TOOL, common, Counter::LOST.0 as usize, event::decode, wanted)
}
