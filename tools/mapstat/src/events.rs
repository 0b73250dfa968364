//! `--events`: a record for each span that programs put into the ring buffers of their configs.

use std::cell::{Cell, RefCell};
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use cli::clock::{WallClock, monotonic_ns};
use cli::exit::{Failure, Result};
use cli::signals::{Stop, Woken};
use cli::stderr::note;
use common::bpf::globals::map;
use common::measure::events::{BACKSTOP, LOSS_CHECK, SETTLED, lost_at_the_end};
use common::measure::held::Held;
use common::options::Common;
use common::output::Writer;
use common::session::prog_stats::ProgStats;
use libbpf_rs::{RingBuffer, RingBufferBuilder};
use rustix::event::PollFlags;
use rustix::rand::{GetRandomFlags, getrandom};

use crate::TOOL;
use crate::config::{self, shown};
use crate::decode::Without;
use crate::feed::Feed;
use crate::id_map::IdMaps;
use crate::object::Loaded;
use crate::row::Columns;
use crate::span::Span;
use crate::span::row::SpanRow;
use crate::system::System;

/// How many records of a ring buffer are taken before the next one has its turn.
const AT_ONCE: usize = 4096;
/// How long what is in the buffers at the end may take.
const LAST: Duration = Duration::from_secs(1);

/// The ring buffer of one kind of spans.
struct Source<'a> {
    config: &'a str,
    /// The config's file.
    file: &'a str,
    span: &'a config::Span,
    ring: RingBuffer<'a>,
    records: Rc<RefCell<Vec<Vec<u8>>>>,
    /// Whether it was said that a record is no span.
    told: Cell<bool>,
}

impl<'a> Source<'a> {
    fn of(loaded: &'a Loaded, span: &'a config::Span) -> Result<Self> {
        let failed = |error: libbpf_rs::Error| {
            Failure::failed(format!("cannot map the ring buffer {}: {error:#}", span.ring))
        };
        let records = Rc::new(RefCell::new(Vec::new()));
        let into = Rc::clone(&records);
        let take = move |record: &[u8]| {
            into.borrow_mut().push(record.to_vec());
            0
        };
        let map = map(&loaded.object, &span.ring)?;
        let mut builder = RingBufferBuilder::new();
        builder.add(&map, take).map_err(failed)?;
        let ring = builder.build().map_err(failed)?;
        Ok(Self {
            config: &loaded.config.name,
            file: &loaded.config.file,
            span,
            ring,
            records,
            told: Cell::new(false),
        })
    }

    /// The next records, and whether there may be more.
    fn take(&self) -> (Vec<Vec<u8>>, bool) {
        // A failure leaves them for the next time.
        let _ = self.ring.consume_raw_n(AT_ONCE);
        let records = self.records.take();
        let more = records.len() >= AT_ONCE;
        (records, more)
    }

    /// Says once that a record is no span.
    fn tell(&self, why: &str, quiet: bool) {
        if !self.told.replace(true) && !quiet {
            note(&format!(
                "{}: {}: a span is left out: {why}; such are in lost",
                shown(self.file, self.span.at),
                self.span.ring
            ));
        }
    }

    fn ready(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor belongs to the ring, which outlives the borrow.
        unsafe { BorrowedFd::borrow_raw(self.ring.epoll_fd()) }
    }
}

/// The spans of configs at work.
pub struct Spans<'a> {
    sources: Vec<Source<'a>>,
    columns: Columns,
    held: Held<SpanRow>,
    lost: u64,
}

impl<'a> Spans<'a> {
    /// Of these configs.
    ///
    /// # Errors
    /// When a ring buffer cannot be mapped.
    pub fn of(loaded: &'a [Loaded], columns: Columns) -> Result<Self> {
        let all = loaded.iter().flat_map(|one| one.config.spans.iter().map(move |span| (one, span)));
        let sources = all.map(|(one, span)| Source::of(one, span)).collect::<Result<_>>()?;
        Ok(Self { sources, columns, held: Held::default(), lost: 0 })
    }

    /// Prints a record for each span in the order of their ends, until asked to end.
    ///
    /// # Errors
    /// When stdout cannot be written to, and when some were lost that no later record reports.
    pub fn print(
        mut self,
        common: &Common,
        stop: &Stop,
        prog_stats: &ProgStats,
        feed: Option<&Feed>,
        id_maps: &mut IdMaps<'_>,
        system: &mut System,
    ) -> Result<()> {
        let mut writer = Writer::new(TOOL, common, stop);
        let end = common.duration.and_then(|duration| Instant::now().checked_add(duration));
        let stdout = std::io::stdout();
        let mut looked = Instant::now();
        let mut over = None;
        loop {
            let passed = monotonic_ns().saturating_sub(SETTLED.as_nanos() as u64);
            feed.iter().for_each(|feed| id_maps.follow(feed, system.cgroups()));
            let more = self.take(system, common.quiet);
            let is_last = over.is_some_and(|since: Instant| !more || since.elapsed() > LAST);
            writer.read_clocks();
            while let Some((ns, row)) = self.held.pop(if is_last { u64::MAX } else { passed }) {
                writer.event(ns, &row, std::mem::take(&mut self.lost))?;
            }
            writer.flush()?;
            if is_last {
                break;
            }
            if looked.elapsed() >= LOSS_CHECK {
                looked = Instant::now();
                self.lost += prog_stats.since_last().missed;
                system.next();
            }
            if over.is_some() {
                continue;
            }
            // What comes while others are held is taken with these.
            let waits = more || !self.held.is_empty();
            let deadline = Instant::now() + if waits { SETTLED } else { BACKSTOP };
            let deadline = end.map_or(deadline, |end| end.min(deadline));
            let mut fds = vec![(stdout.as_fd(), PollFlags::empty())];
            if !waits {
                let ready = self.sources.iter().map(Source::ready).chain(feed.map(Feed::ready));
                fds.extend(ready.map(|fd| (fd, PollFlags::IN)));
            }
            match stop.wait(Some(deadline), &fds) {
                Woken::Stop => over = Some(Instant::now()),
                Woken::Ready(0) => return Ok(()),
                Woken::Ready(_) | Woken::Deadline => over = end.filter(|end| Instant::now() >= *end),
            }
        }
        match self.lost + prog_stats.since_last().missed {
            0 => Ok(()),
            lost => Err(lost_at_the_end(lost)),
        }
    }

    /// Takes what is in the ring buffers. Returns whether there may be more.
    fn take(&mut self, system: &mut System, quiet: bool) -> bool {
        let Self { sources, columns, held, lost } = self;
        let mut any = false;
        for source in sources {
            let (records, more) = source.take();
            any |= more;
            let (clock, now) = (WallClock::now(), monotonic_ns());
            for record in records {
                match Span::of(source.span, &record, system) {
                    Ok(mut span) => {
                        span.identify(random);
                        // A program may say that a span ends later; it is printed in its turn all the same.
                        let end = span.end_ns(now).min(now);
                        held.add(end, SpanRow::of(columns, source.config, source.span, span, clock, now));
                    }
                    Err(Without::LeftOut) => {}
                    Err(Without::Undecodable(why)) => {
                        *lost += 1;
                        source.tell(&why, quiet);
                    }
                }
            }
        }
        any
    }
}

/// A number of the kernel's generator, which has eight bytes at any time.
fn random() -> u64 {
    let mut bytes = [0; 8];
    let _ = getrandom(&mut bytes, GetRandomFlags::empty());
    u64::from_ne_bytes(bytes)
}
