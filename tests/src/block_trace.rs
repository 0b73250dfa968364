//! Each request of a disk as the kernel's tracer records it.

use std::collections::HashMap;
use std::fs;
use std::ops::Range;

use crate::tracer::{self, Event, Tracer};

/// Bytes of a sector in the kernel's block layer, independent of the disk's sector size.
const SECTOR: u64 = 512;

/// A request and its times, in microseconds of CLOCK_BOOTTIME.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// read, write, flush or discard.
    pub op: &'static str,
    /// Bytes transferred.
    pub bytes: u64,
    /// When it was created, and by which thread. The kernel creates flushes at issue.
    pub made: Option<(u64, u32)>,
    /// When it was issued to the driver.
    pub issued: u64,
    /// When it completed.
    pub completed: u64,
    /// Whether it was issued or completed where some kernels run no BPF program: see
    /// [`tracer::threads_of_init`].
    pub unobserved: bool,
}

impl Request {
    /// Whether this thread made it.
    pub fn is_made_by(&self, thread: u32) -> bool {
        self.made.is_some_and(|(_, by)| by == thread)
    }
}

/// The device number in tracepoints: include/linux/kdev_t.h.
fn device(disk: &str) -> u32 {
    let dev = fs::read_to_string(format!("/sys/block/{disk}/dev")).expect("the disk is there");
    let (major, minor) = dev.trim().split_once(':').expect("MAJOR:MINOR");
    major.parse::<u32>().expect("a number") << 20 | minor.parse::<u32>().expect("a number")
}

/// A block event's own fields: `MAJOR,MINOR KIND … SECTOR + SECTORS …`
fn fields<'a>(event: &Event<'a>) -> Option<(&'a str, &'a str, u64)> {
    let kind = event.fields.split(' ').nth(1)?;
    let (before, after) = event.fields.split_once(" + ")?;
    let sectors: u64 = after.split(' ').next()?.parse().ok()?;
    Some((kind, before.rsplit(' ').next()?, sectors * SECTOR))
}

/// The operation of a block trace's RWBS field: `R`, `WS`, `FWS` (a write after a flush), `FF`,
/// `D`, …
fn op(kind: &str) -> &'static str {
    match kind.as_bytes() {
        [b'F', b'F', ..] => "flush",
        [b'F', b'W', ..] | [b'W', ..] => "write",
        [b'R', ..] => "read",
        [b'D', ..] => "discard",
        _ => "other",
    }
}

const MADE: &str = "block/block_io_start";
const ASKED_FOR: &str = "block/block_getrq";

/// Collects the requests of a disk. It cannot distinguish two concurrent requests of the same kind
/// at the same sector.
pub struct Collector(Tracer);

impl Collector {
    /// Starts it.
    pub fn start(disk: &str) -> Self {
        // Since Linux 6.5 a tracepoint shows when a request is created; before, only when one is
        // asked for.
        let made = if tracer::exists(MADE) { MADE } else { ASKED_FOR };
        let events = [made, "block/block_rq_issue", "block/block_rq_requeue", "block/block_rq_complete"];
        Self(Tracer::start(&events, &format!("dev == {}", device(disk))))
    }

    /// Stops it; returns the requests that were issued and completed.
    pub fn end(self) -> Vec<Request> {
        let init = tracer::threads_of_init();
        let text = self.0.text();
        let mut made = HashMap::new();
        let mut issued: HashMap<_, Vec<Event<'_>>> = HashMap::new();
        let mut requests = Vec::new();
        for event in text.lines().filter_map(tracer::event) {
            let Some((kind, sector, bytes)) = fields(&event) else { continue };
            let key = (op(kind), sector);
            match event.name {
                "block_io_start" | "block_getrq" => drop(made.insert(key, (event.at, event.thread))),
                "block_rq_issue" => issued.entry(key).or_default().push(event),
                "block_rq_requeue" => drop(issued.get_mut(&key).and_then(Vec::pop)),
                // A completion without an issue: the end of a flush sequence, traced a second time.
                _ => requests.extend(first(issued.get_mut(&key)).map(|issue| Request {
                    op: key.0,
                    bytes,
                    made: made.remove(&key),
                    issued: issue.at,
                    completed: event.at,
                    unobserved: issue.is_unobserved(&init) || event.is_unobserved(&init),
                })),
            }
        }
        requests
    }
}

fn first<T>(all: Option<&mut Vec<T>>) -> Option<T> {
    all.filter(|all| !all.is_empty()).map(|all| all.remove(0))
}

/// Counts the empty flushes that file systems and programs request; diskstats counts each as a
/// write.
pub struct EmptyFlushes(Tracer);

impl EmptyFlushes {
    /// Starts counting those of a disk.
    pub fn start(disk: &str) -> Self {
        let filter = format!("dev == {} && nr_sector == 0", device(disk));
        Self(Tracer::start(&["block/block_bio_queue"], &filter))
    }

    /// Stops it; returns the number requested between two times of CLOCK_BOOTTIME, in nanoseconds.
    pub fn end(self, span: &Range<u64>) -> u64 {
        let text = self.0.text();
        let asked = text.lines().filter_map(tracer::event).filter(|event| span.contains(&(event.at * 1_000)));
        asked.filter(|event| fields(event).is_some_and(|(kind, ..)| kind.starts_with('F'))).count() as u64
    }
}
