//! Events from the ring buffer: in the order of time, in batches, with all losses counted.

use std::cell::{Cell, RefCell};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{self, AtomicU32};
use std::time::{Duration, Instant};

use cli::clock::monotonic_ns;
use cli::exit::{Failure, Result};
use cli::signals::{Stop, Woken};
use libbpf_rs::{AsRawLibbpf, Object, OpenObject, RingBuffer, RingBufferBuilder};
use rustix::event::PollFlags;

use super::held::Held;
use crate::bpf::globals::{map, shared_u32};
use crate::options::Common;
use crate::output::{Row, Writer};

/// Bytes of the ring buffer: some 5 000 process events, 100 ms of the highest fork rate measured.
pub const RING_BYTES: u32 = 1 << 20;
/// Two processors may read the clock in one order and reserve records in the other; after this time
/// the order is settled.
pub const SETTLED: Duration = Duration::from_millis(5);
/// A wake-up just as the reader falls asleep may be missed: it checks again after this time.
pub const BACKSTOP: Duration = Duration::from_millis(100);
/// How often losses are checked while events arrive.
pub const LOSS_CHECK: Duration = Duration::from_secs(1);

/// The source of a tool's events.
pub struct Source<'a> {
    /// The loaded object, with the ring buffer `events` of `bpf/include/event.h`.
    pub object: &'a Object,
    /// What was lost since the last call.
    pub lost: &'a mut dyn FnMut() -> u64,
}

/// Turns the records of the ring buffer into events. A function is one that returns the event of a record and its time
/// (CLOCK_MONOTONIC, nanoseconds), or none if it does not know the record.
pub trait Decode<E> {
    /// Passes on the events that a record completes, each with its time.
    fn record(&mut self, bytes: &[u8], add: &mut dyn FnMut(u64, E));

    /// Passes on what is an event because no record has come until this time.
    fn passed(&mut self, _ns: u64, _add: &mut dyn FnMut(u64, E)) {}
}

impl<E, F: FnMut(&[u8]) -> Option<(u64, E)>> Decode<E> for F {
    fn record(&mut self, bytes: &[u8], add: &mut dyn FnMut(u64, E)) {
        if let Some((ns, event)) = self(bytes) {
            add(ns, event);
        }
    }
}

/// The ring buffer `events` of `bpf/include/event.h`, and its one reader.
pub struct Ring<'a> {
    ring: RingBuffer<'a>,
    sleeps: &'a AtomicU32,
}

impl<'a> Ring<'a> {
    /// That of a loaded object, with what takes its records.
    ///
    /// # Errors
    /// When the kernel refuses to let it be read.
    pub fn of(object: &'a Object, mut take: impl FnMut(&[u8]) + 'a) -> Result<Self> {
        let mut builder = RingBufferBuilder::new();
        let events = map(object, "events")?;
        builder
            .add(&events, move |record| {
                take(record);
                0
            })
            .map(|_| ())
            .map_err(|error| failed(&error))?;
        let ring = builder.build().map_err(|error| failed(&error))?;
        Ok(Self { ring, sleeps: shared_u32(object, "reader_sleeps")? })
    }

    /// Takes all records that are there.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn consume(&self) -> Result<()> {
        self.ring.consume().map_err(|error| failed(&error))
    }

    /// Sleeps until the deadline, until a record comes, the reader of stdout has gone (0 is ready) or the process is asked
    /// to end; not at all if there are records. A wake-up may be missed just as the reader falls asleep: it is not to
    /// sleep for longer than `BACKSTOP`.
    pub fn sleep(&self, stop: &Stop, deadline: Instant) -> Woken {
        self.sleeps.store(1, atomic::Ordering::SeqCst);
        atomic::fence(atomic::Ordering::SeqCst);
        if available(&self.ring) > 0 {
            return if stop.requested() { Woken::Stop } else { Woken::Ready(1) };
        }
        // SAFETY: the descriptor belongs to the ring, which outlives the borrow.
        let ready = unsafe { BorrowedFd::borrow_raw(self.ring.epoll_fd()) };
        let stdout = std::io::stdout();
        stop.wait(Some(deadline), &[(stdout.as_fd(), PollFlags::empty()), (ready, PollFlags::IN)])
    }
}

/// Sizes the ring buffer before an object is loaded: this many bytes, a power of two, or none
/// without `--events`.
pub fn configure(object: &mut OpenObject, bytes: Option<u32>) -> libbpf_rs::Result<()> {
    let map = object.maps_mut().find(|map| map.name() == "events");
    map.map_or(Ok(()), |mut map| match bytes {
        Some(bytes) => map.set_max_entries(bytes),
        // Saves its memory; the code that would use it is never reached.
        None => map.set_autocreate(false),
    })
}

/// Writes a record for each event that is `wanted`, until asked to end, with what was lost before
/// it. `decode` as for `read`.
///
/// # Errors
/// When stdout cannot be written to, and when events were lost that no later record reports.
pub fn write<E: Row>(
    tool: &'static str,
    common: &Common,
    stop: &Stop,
    source: Source<'_>,
    decode: impl Decode<E>,
    wanted: impl Fn(&E) -> bool,
) -> Result<()> {
    let writer = RefCell::new(Writer::new(tool, common, stop));
    // The clocks are read for each batch: one that was set, or that went on while the machine slept, counts at once.
    let batch_begins = Cell::new(true);
    let lost = Cell::new(0u64);
    let emit = |ns, event: E| match wanted(&event) {
        true => {
            let mut writer = writer.borrow_mut();
            if batch_begins.take() {
                writer.read_clocks();
            }
            writer.event(ns, &event, lost.take())
        }
        false => Ok(()),
    };
    let mut looked = Instant::now();
    let more = RefCell::new(source.lost);
    let look = || lost.set(lost.get() + (more.borrow_mut())());
    let flush = || {
        if looked.elapsed() >= LOSS_CHECK {
            looked = Instant::now();
            look();
        }
        batch_begins.set(true);
        writer.borrow_mut().flush()
    };
    read(source.object, stop, common.duration, decode, emit, flush)?;
    look();
    match lost.get() {
        0 => Ok(()),
        lost => Err(lost_at_the_end(lost)),
    }
}

/// The failure of a tool that has lost events which no later record reports.
pub fn lost_at_the_end(lost: u64) -> Failure {
    Failure::failed(format!(
        "{lost} events were lost since the last record: the reader was too slow, or the kernel skipped a program"
    ))
}

/// Reads a ring buffer until asked to end, passing on each event in the order of time.
///
/// `emit` takes the events; `flush` is called when there are no more for now.
///
/// # Errors
/// Whatever `emit` and `flush` return ends the reading.
fn read<E>(
    object: &Object,
    stop: &Stop,
    duration: Option<Duration>,
    decode: impl Decode<E>,
    mut emit: impl FnMut(u64, E) -> Result<()>,
    mut flush: impl FnMut() -> Result<()>,
) -> Result<()> {
    let end = duration.and_then(|duration| Instant::now().checked_add(duration));
    let state = RefCell::new((decode, Held::default()));
    let ring = Ring::of(object, |record: &[u8]| {
        let (decode, held) = &mut *state.borrow_mut();
        decode.record(record, &mut |ns, event| held.add(ns, event));
    })?;
    let stdout = std::io::stdout();
    let mut over = false;
    loop {
        let passed = monotonic_ns().saturating_sub(SETTLED.as_nanos() as u64);
        ring.consume()?;
        let (decode, held) = &mut *state.borrow_mut();
        decode.passed(passed, &mut |ns, event| held.add(ns, event));
        let settled = if over { u64::MAX } else { passed };
        while let Some((ns, event)) = held.pop(settled) {
            emit(ns, event)?;
        }
        flush()?;
        if over {
            return Ok(());
        }
        let waits = !held.is_empty();
        let pause = if waits { SETTLED } else { BACKSTOP };
        let now = Instant::now();
        let deadline = end.map_or(now + pause, |end| end.min(now + pause));
        // Events that arrive while others are held are fetched with those: the reader is woken only
        // if it holds none.
        let woken = match waits {
            true => stop.wait(Some(deadline), &[(stdout.as_fd(), PollFlags::empty())]),
            false => ring.sleep(stop, deadline),
        };
        match woken {
            Woken::Stop => over = true,
            Woken::Ready(0) => return Ok(()),
            Woken::Ready(_) | Woken::Deadline => over = end.is_some_and(|end| Instant::now() >= end),
        }
    }
}

/// Bytes that are in the ring buffer, or being written to it.
fn available(ring: &RingBuffer<'_>) -> u64 {
    // SAFETY: the ring buffer is alive, and has the one ring that it was built with.
    unsafe {
        let first = libbpf_sys::ring_buffer__ring(ring.as_libbpf_object().as_ptr(), 0);
        if first.is_null() { 0 } else { libbpf_sys::ring__avail_data_size(first) as u64 }
    }
}

fn failed(error: &libbpf_rs::Error) -> Failure {
    Failure::failed(format!("cannot read the ring buffer: {error}"))
}
