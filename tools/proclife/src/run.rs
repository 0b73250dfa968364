//! The two ways to run: counts per interval, or a record for each event.

use std::io::Read;
use std::sync::atomic::Ordering;

use common::banks::Counters;
use common::cli::Common;
use common::events;
use common::exit::{Failure, Result};
use common::globals::shared_u64;
use common::interval::Ticks;
use common::output::Writer;
use common::session::Session;
use libbpf_rs::skel::{OpenSkel, Skel};
use libbpf_rs::{Iter, Link};

use crate::row::{COUNTERS, Counter, Counts, Event};
use crate::skel::{OpenProclifeSkel, ProclifeSkel};
use crate::{TOOL, event};

/// Sets the constants and sizes that the kernel's side needs before it is loaded.
pub fn configure(open: &mut OpenProclifeSkel<'_>, events: bool, threads: bool) -> libbpf_rs::Result<()> {
    if let Some(constants) = open.maps.rodata_data.as_deref_mut() {
        constants.send_events = events;
        constants.send_threads = threads;
    }
    events::configure(open.open_object_mut(), events.then_some(events::RING_BYTES))
}

/// A record at the end of each interval.
pub fn intervals(session: &mut Session<ProclifeSkel<'_>>, common: &Common) -> Result<()> {
    let has = |hook: &str| {
        session.plan.hooks.iter().any(|planned| planned.hook == hook && !planned.taken.is_empty())
    };
    let (fork_errors, exec_errors) = (has("fork_errors"), has("exec_errors"));
    let mut counters: Counters<COUNTERS> = Counters::map(&session.skel.maps.counters)?;
    if session.counted_proof {
        counters.since_last();
    }
    let mut writer = Writer::new(TOOL, common);
    let mut ticks = Ticks::new(common.interval, common.count, common.duration);
    while let Some(tick) = ticks.next(&session.stop) {
        let added = counters.since_last();
        let zombies = zombies(session)?;
        let counts = Counts::new(&added, zombies, fork_errors, exec_errors);
        let account = session.meter.account();
        writer.interval(&tick, &[counts], added[Counter::Lost as usize], account)?;
    }
    Ok(())
}

/// Asks the kernel for the zombies that stand now.
fn zombies(session: &Session<ProclifeSkel<'_>>) -> Result<u64> {
    let Some(link) = session.link("count_zombies") else {
        return Err(Failure::failed("the iterator over tasks is not attached"));
    };
    let found = shared_u64(session.skel.object(), "zombies")?;
    found.store(0, Ordering::SeqCst);
    walk(link).map_err(|error| Failure::failed(format!("cannot walk the tasks: {error}")))?;
    Ok(found.load(Ordering::SeqCst))
}

fn walk(link: &Link) -> std::io::Result<()> {
    let mut iterator = Iter::new(link).map_err(std::io::Error::other)?;
    let mut nothing = [0; 64];
    while iterator.read(&mut nothing)? > 0 {}
    Ok(())
}

/// A record for each event, until asked to end.
pub fn events(session: &mut Session<ProclifeSkel<'_>>, common: &Common) -> Result<()> {
    let mut counters: Counters<COUNTERS> = Counters::map(&session.skel.maps.counters)?;
    let source = events::Source {
        object: session.skel.object(),
        lost: &mut || counters.since_last()[Counter::Lost as usize] + session.meter.account().missed,
    };
    // What proved the hooks is nobody's work, and after it this process starts nothing but a thread of its own.
    let own = std::process::id();
    let wanted = |event: &Event| event.pid != own && event.ppid != own;
    events::write(TOOL, common, &session.stop, source, event::decode, wanted)
}
