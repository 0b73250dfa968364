//! The two ways to run: one look, or one after each interval and what happened in between.

use std::time::Duration;

use cli::exit::Result;
use cli::interval::{Footprint, ProgDelta, Tick, Ticks};
use cli::signals::Stop;
use common::bpf::mmap::{MappedCounters, words};
use common::bpf::plain::Plain;
use common::kernel::running::kernel_names;
use common::measure::events;
use common::output::Writer;
use common::session::Session;
use libbpf_rs::skel::OpenSkel;

use crate::describe::Names;
use crate::ended::Ended;
use crate::follow::{Follow, Moved, Told};
use crate::look::{Look, Walks};
use crate::row::Socket;
use crate::skel::types::{counter as Counter, counters, endpoint_filter, socket_row};
use crate::skel::{OpenSocklsSkel, SocklsSkel};
use crate::sum::Sums;
use crate::{Args, TOOL};

// SAFETY: generated from the C struct: integers, and arrays and structs of them.
unsafe impl Plain for endpoint_filter {}

/// `BPF_F_NO_PREALLOC` of `linux/bpf.h`.
const NO_PREALLOC: u32 = 1;
/// How long a single look waits for the names of other ends, in all.
const NAMES: Duration = Duration::from_secs(2);
/// Bytes before each record of the ring buffer (`BPF_RINGBUF_HDR_SZ`).
const HEADER: u32 = 8;

/// Sets the constants and sizes that the kernel's side needs before it is loaded.
pub fn configure(
    open: &mut OpenSocklsSkel<'_>,
    args: &Args,
    endpoints: &endpoint_filter,
    follows: bool,
) -> libbpf_rs::Result<()> {
    let room = (args.max_closed * (size_of::<socket_row>() as u32 + HEADER)).next_power_of_two();
    // From 6.1 on memory is allocated with the entries; earlier kernels need it preallocated, or print a warning.
    let flags = if kernel_names("bpf_mem_alloc") { NO_PREALLOC } else { 0 };
    open.maps.lives.set_max_entries(args.max_open)?;
    open.maps.lives.set_map_flags(flags)?;
    // An unused map is not created; the code that would use it is never reached.
    open.maps.lives.set_autocreate(follows)?;
    if let Some(constants) = open.maps.rodata_data.as_deref_mut() {
        constants.follows = follows;
        constants.endpoint_filter = *endpoints;
    }
    events::configure(open.open_object_mut(), follows.then_some(room))
}

/// One look, at once.
pub fn once(session: &Session<SocklsSkel<'static>>, args: &Args) -> Result<()> {
    let mut records = Records::of(args, &session.stop)?;
    let walks = Walks::of(&session.links)?;
    let mut ticks = Ticks::new(Duration::from_nanos(1), Some(1), None);
    let look = walks.look(|row| args.which.keeps(row))?;
    records.names.ask(&look, &[], NAMES);
    // The interval is the look itself.
    let Some(tick) = ticks.next(&session.stop) else { return Ok(()) };
    let used = Used { prog: session.prog_stats.since_last(), footprint: session.footprint() };
    records.write(&tick, &look, &[], Moved::by, 0, used)
}

/// A look after each interval.
pub fn intervals(session: &Session<SocklsSkel<'static>>, args: &Args) -> Result<()> {
    let mut records = Records::of(args, &session.stop)?;
    let mut counters: MappedCounters<{ words::<counters>() }> =
        MappedCounters::map(&session.skel.maps.counters)?;
    let ends = Ended::of(&session.skel.maps.events)?;
    let walks = Walks::of(&session.links)?;
    let look = || walks.look(|row| args.which.keeps(row));
    let passes =
        |row: &socket_row| args.which.keeps(row) && (!args.common.filters_processes() || row.owner_passes());
    let mut follow = Follow::default();
    let mut first = look()?;
    // What ended before is not of the first interval.
    follow.ended(&mut first, ends.take()?, |_| false);
    records.names.ask(&first, &[], Duration::ZERO);
    follow.next(first);
    counters.since_last();
    let mut ticks = Ticks::new(args.common.interval, args.common.count, args.common.duration);
    while let Some(tick) = ticks.next(&session.stop) {
        let mut now = look()?;
        let ended = follow.ended(&mut now, ends.take()?, passes);
        records.names.ask(&now, &ended, Duration::ZERO);
        let lost = counters.since_last()[Counter::LOST.0 as usize];
        let used = Used { prog: session.prog_stats.since_last(), footprint: session.footprint() };
        records.write(&tick, &now, &ended, |row| follow.moved(row), lost, used)?;
        follow.next(now);
    }
    Ok(())
}

/// What the programs cost and occupy.
struct Used {
    prog: ProgDelta,
    footprint: Option<Footprint>,
}

/// Writes the records of looks.
struct Records<'a> {
    args: &'a Args,
    names: Names,
    writer: Writer,
}

impl<'a> Records<'a> {
    fn of(args: &'a Args, stop: &Stop) -> Result<Self> {
        Ok(Self { args, names: Names::of(args)?, writer: Writer::new(TOOL, &args.common, stop) })
    }

    /// Those of a look, and of the sockets that ended before it: in the order of process and descriptor; those without a
    /// process come last. Each is made when the one before is written: there may be many.
    fn write(
        &mut self,
        tick: &Tick,
        look: &Look,
        ended: &[Told],
        moved: impl Fn(&socket_row) -> Moved,
        lost: u64,
        used: Used,
    ) -> Result<()> {
        let Self { args, names, writer } = self;
        let resolves = names.resolves();
        let places = 0..(look.rows.len() + ended.len());
        let row = |place: usize| match look.rows.get(place) {
            Some(row) => row,
            None => &ended[place - look.rows.len()].row,
        };
        let mut order: Vec<u32> = places.map(|place| place as u32).collect();
        order.sort_by_key(|place| {
            let row = row(*place as usize);
            (!row.is_held(), row.pid, row.fd)
        });
        let records = order.into_iter().filter_map(|place| {
            let place = place as usize;
            match look.rows.get(place) {
                Some(row) => {
                    let told = Told { row: **row, holders: look.holders(place), moved: moved(row) };
                    names.record(&told, args)
                }
                None => names.record(&ended[place - look.rows.len()], args),
            }
        });
        if args.sum.is_empty() {
            let mut records = records.peekable();
            let none = records.peek().is_none().then(|| Socket::none(resolves));
            writer.interval(tick, none.into_iter().chain(records), lost, used.prog, used.footprint)?;
        } else {
            let mut sums = Sums::by(&args.sum);
            records.for_each(|record| sums.add(record));
            writer.interval(tick, sums.records(resolves), lost, used.prog, used.footprint)?;
        }
        names.written();
        Ok(())
    }
}
