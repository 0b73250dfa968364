//! The two ways to run: what each server was asked per interval, or a record for each query.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use cli::clock::monotonic_ns;
use cli::exit::{Failure, Result};
use cli::signals::Woken;
use common::bpf::mmap::{MappedCounters, words};
use common::bpf::plain::Plain;
use common::measure::events::{self, Decode, Ring};
use common::measure::owner_names::OwnerNames;
use common::measure::under_way;
use common::session::Session;
use libbpf_rs::skel::{OpenSkel, Skel};

use crate::names_filter::NamesFilter;
use crate::query::{Outcome, Query};
use crate::reader::Reader;
use crate::row::{Event, Queries};
use crate::skel::types::{counter as Counter, counters, endpoint_filter};
use crate::skel::{DnslatSkel, OpenDnslatSkel};
use crate::stream::KEPT;
use crate::totals::Totals;
use crate::{Args, TOOL};

// SAFETY: generated from the C struct: integers, and arrays and structs of them.
unsafe impl Plain for endpoint_filter {}

/// How many counters there are in a bank.
const COUNTERS: usize = words::<counters>();
/// The place of the counter of losses.
const LOST: usize = Counter::LOST.0 as usize;
/// Bytes of the ring buffer: of short messages, with their headers, some 9000.
const RING_BYTES: u32 = 1 << 21;

/// How often messages are taken out of it during an interval: so it has room for 180 000 short ones a second.
const LOOK: Duration = Duration::from_millis(50);

/// Sets the constants and sizes that the kernel's side needs before it is loaded.
pub fn configure(
    open: &mut OpenDnslatSkel<'_>,
    args: &Args,
    endpoints: &endpoint_filter,
) -> libbpf_rs::Result<()> {
    let task_storage = under_way::configure(open.open_object_mut())?;
    if let Some(constants) = open.maps.rodata_data.as_deref_mut() {
        constants.endpoint_filter = *endpoints;
        constants.task_storage = task_storage;
        if args.events {
            constants.most_bytes = KEPT as u32;
        }
    }
    events::configure(open.open_object_mut(), Some(RING_BYTES))
}

fn reader(args: &Args) -> Reader {
    let timeout_ns = args.timeout.as_nanos() as u64;
    Reader::new(NamesFilter::new(&args.name), timeout_ns, args.max_pending as usize)
}

/// Records at the end of each interval.
pub fn intervals(session: &Session<DnslatSkel<'static>>, args: &Args) -> Result<()> {
    let mut counters: MappedCounters<COUNTERS> = MappedCounters::map(&session.skel.maps.counters)?;
    let object = session.skel.object();
    let mut names = OwnerNames::of(object, &args.owner)?;
    let state = RefCell::new((reader(args), Totals::new(args.owner.map_size as usize)));
    let ring = Ring::of(object, |bytes| {
        let (reader, totals) = &mut *state.borrow_mut();
        reader.record(bytes, &mut |query, outcome| totals.add(query, &outcome));
    })?;
    // Takes what has come, and then what has not come in time.
    let look = || {
        let passed = monotonic_ns().saturating_sub(events::SETTLED.as_nanos() as u64);
        ring.consume()?;
        let (reader, totals) = &mut *state.borrow_mut();
        reader.passed(passed, &mut |query, outcome| totals.add(query, &outcome));
        Ok::<_, Failure>(())
    };
    // Nothing hurries: without being woken for each message, which costs the asker more than all else here.
    let sleep = |due: Instant| loop {
        look()?;
        let woken = session.stop.until(due.min(Instant::now() + LOOK));
        if woken != Woken::Deadline || Instant::now() >= due {
            return Ok(woken);
        }
    };
    session.intervals_while(TOOL, &args.common, sleep, |_| {
        look()?;
        let (reader, totals) = &mut *state.borrow_mut();
        let (deltas, servers) = totals.take(&mut names, &args.owner);
        let lost = counters.since_last()[LOST] + reader.lost() + std::mem::take(&mut totals.lost);
        Ok((Queries::of(deltas, &servers, args.owner.by, args.buckets), lost))
    })
}

/// What makes events of messages.
struct Events<'a> {
    reader: Reader,
    lost: &'a Cell<u64>,
}

impl Decode<Event> for Events<'_> {
    fn record(&mut self, bytes: &[u8], add: &mut dyn FnMut(u64, Event)) {
        self.reader.record(bytes, &mut passing(add));
        self.lost.set(self.lost.get() + self.reader.lost());
    }

    fn passed(&mut self, ns: u64, add: &mut dyn FnMut(u64, Event)) {
        self.reader.passed(ns, &mut passing(add));
    }
}

/// Passes on what becomes of queries as events.
fn passing(add: &mut dyn FnMut(u64, Event)) -> impl FnMut(&Query, Outcome<'_>) {
    |query, outcome| {
        if let Some((ns, event)) = Event::of(query, &outcome) {
            add(ns, event);
        }
    }
}

/// A record for each query, until asked to end.
pub fn events(session: &Session<DnslatSkel<'static>>, args: &Args) -> Result<()> {
    let mut counters: MappedCounters<COUNTERS> = MappedCounters::map(&session.skel.maps.counters)?;
    let lost = Cell::new(0);
    let source = events::Source {
        object: session.skel.object(),
        lost: &mut || counters.since_last()[LOST] + lost.take() + session.prog_stats.since_last().missed,
    };
    let wanted = |event: &Event| {
        // One without an answer took longer than any.
        event.duration_us.is_none_or(|took| took >= f64::from(args.min_us))
            && (args.rcode.is_empty() || args.rcode.iter().any(|one| one.is_of(event.rcode.as_deref())))
    };
    let events = Events { reader: reader(args), lost: &lost };
    events::write(TOOL, &args.common, &session.stop, source, events, wanted)
}
