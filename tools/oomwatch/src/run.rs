//! The two ways to run: a record for each kill, or counts per interval.

use std::cell::RefCell;

use cli::exit::{Failure, Result};
use common::bpf::globals::map;
use common::bpf::mmap::{MappedCounters, words};
use common::measure::events;
use common::options::Common;
use common::owner::Options;
use common::session::Session;
use libbpf_rs::RingBufferBuilder;
use libbpf_rs::skel::{OpenSkel, Skel};

use crate::row::KillCounts;
use crate::skel::types::{counter as Counter, counters};
use crate::skel::{OomwatchSkel, OpenOomwatchSkel};
use crate::{TOOL, event};

/// How many counters there are in a bank.
const COUNTERS: usize = words::<counters>();
/// Where the kernel lists its memory nodes.
const NODES: &str = "/sys/devices/system/node/has_memory";
/// How many pages a processor charges to a memory cgroup ahead: `MEMCG_CHARGE_BATCH` of
/// mm/memcontrol.c.
const CHARGED_AHEAD: u64 = 64;

/// Sets the constants and sizes that the kernel's side needs before it is loaded.
pub fn configure(open: &mut OpenOomwatchSkel<'_>) -> libbpf_rs::Result<()> {
    if let Some(constants) = open.maps.rodata_data.as_deref_mut() {
        // A kernel without nodes has one; if the file is unreadable, nothing is concluded from it.
        let nodes = std::fs::read_to_string(NODES);
        constants.ahead_pages = CHARGED_AHEAD * processors();
        constants.one_node = nodes.is_ok_and(|nodes| nodes.trim() == "0");
    }
    events::configure(open.open_object_mut(), Some(events::RING_BYTES))
}

/// Online processors; 1 if the number is unknown.
fn processors() -> u64 {
    // SAFETY: always sound.
    unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }.max(1) as u64
}

/// A record for each kill, until asked to end.
pub fn events(session: &Session<OomwatchSkel<'static>>, common: &Common) -> Result<()> {
    let page = rustix::param::page_size() as u64;
    session.events::<COUNTERS, _>(
        TOOL,
        common,
        Counter::LOST.0 as usize,
        |bytes: &[u8]| event::decode(bytes, page),
        |_| true,
    )
}

/// Records at the end of each interval.
pub fn intervals(session: &Session<OomwatchSkel<'static>>, common: &Common, owner: &Options) -> Result<()> {
    let unreadable = |error| Failure::failed(format!("cannot read the ring buffer: {error}"));
    let mut counters: MappedCounters<COUNTERS> = MappedCounters::map(&session.skel.maps.counters)?;
    let counts = RefCell::new(KillCounts::new(owner));
    let page = rustix::param::page_size() as u64;
    let events = map(session.skel.object(), "events")?;
    let mut builder = RingBufferBuilder::new();
    let receive = |bytes: &[u8]| {
        if let Some((_, kill)) = event::decode(bytes, page) {
            counts.borrow_mut().add(kill);
        }
        0
    };
    builder.add(&events, receive).map_err(unreadable)?;
    let ring = builder.build().map_err(unreadable)?;
    session.intervals(TOOL, common, |_| {
        ring.consume().map_err(unreadable)?;
        let (rows, no_room) = counts.borrow_mut().take();
        let lost = counters.since_last()[Counter::LOST.0 as usize];
        Ok((rows, lost + no_room))
    })
}
