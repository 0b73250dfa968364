//! `/proc/diskstats`: the kernel's counters of each disk.

use std::fs;
use std::ops::Range;

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;

use crate::block_trace::{Collector, Request};
use crate::comparison::Comparison;
use crate::kernel;
use crate::records::{count, of_disk, sum};
use crate::tool::Tool;
use crate::wait::{For, until};

/// Bytes of a sector in diskstats, independent of the disk's sector size.
const SECTOR: u64 = 512;

/// The counters of a disk, in total or between two readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskStats {
    /// Completed reads and their bytes.
    pub reads: [u64; 2],
    /// Completed writes and their bytes. Each empty flush that a file system or program requests
    /// counts as a write, too.
    pub writes: [u64; 2],
    /// Completed discards and their bytes.
    pub discards: [u64; 2],
    /// Flushes sent to the device.
    pub flushes: u64,
    in_flight: u64,
}

impl DiskStats {
    /// Reads the disk's counters.
    pub fn of(disk: &str) -> Self {
        let all = fs::read_to_string("/proc/diskstats").expect("/proc/diskstats");
        let mut lines = all.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let fields = lines.find(|fields| fields[2] == disk).expect("the disk is in /proc/diskstats");
        let at = |index: usize| fields.get(index).map_or(0, |text| text.parse().expect("a number"));
        Self {
            reads: [at(3), at(5) * SECTOR],
            writes: [at(7), at(9) * SECTOR],
            discards: [at(14), at(16) * SECTOR],
            flushes: at(18),
            in_flight: at(11),
        }
    }

    /// The difference to an earlier reading.
    pub fn since(&self, before: &Self) -> Self {
        let less = |now: [u64; 2], before: [u64; 2]| [now[0] - before[0], now[1] - before[1]];
        Self {
            reads: less(self.reads, before.reads),
            writes: less(self.writes, before.writes),
            discards: less(self.discards, before.discards),
            flushes: self.flushes - before.flushes,
            in_flight: 0,
        }
    }

    /// The same counters from biolat's records. biolat counts flushes as requests of their own, not
    /// among writes.
    pub fn of_records(records: &[Value], disk: &str) -> Self {
        let of = |op: &str| {
            let found = of_disk(records, disk, op);
            ["count", "bytes"].map(|field| found.iter().map(|record| count(record, field)).sum())
        };
        let flushes = of("flush")[0];
        Self { reads: of("read"), writes: of("write"), discards: of("discard"), flushes, in_flight: 0 }
    }

    /// Adds the requests that no BPF program could observe, if their number is exactly what is
    /// missing compared to the trace.
    pub fn with_unobserved<'a>(mut self, seen: impl Iterator<Item = &'a Request>) -> Self {
        let (unobserved, shown): (Vec<&Request>, Vec<&Request>) =
            seen.partition(|request| request.unobserved);
        let reported = self.reads[0] + self.writes[0] + self.discards[0] + self.flushes;
        if reported != shown.len() as u64 {
            return self;
        }
        for request in unobserved {
            let add = |to: &mut [u64; 2]| *to = [to[0] + 1, to[1] + request.bytes];
            match request.op {
                "read" => add(&mut self.reads),
                "write" => add(&mut self.writes),
                "discard" => add(&mut self.discards),
                _ => self.flushes += 1,
            }
        }
        self
    }
}

/// A running biolat, and the disk's counters from the same time on.
pub struct Watched {
    tool: Tool,
    disk: String,
    /// Of what no BPF program can observe; in a guest there is nothing of the kind.
    collector: Option<Collector>,
    before: Moment,
}

/// A time at which the disk was idle.
struct Moment {
    diskstats: DiskStats,
    /// The number of records before it.
    records: usize,
    /// Nanoseconds of CLOCK_BOOTTIME.
    at: u64,
}

impl Watched {
    /// Starts biolat; returns after the disk was idle long enough that both begin with the same
    /// request.
    pub fn start(disk: &str) -> Self {
        let collector = collector(disk);
        let tool = Tool::start("biolat", &["0.1"]);
        let before = quiet(&tool, disk);
        Self { tool, disk: disk.to_string(), collector, before }
    }

    /// The measurements until the disk is idle again. Later requests belong to the next part.
    pub fn part(&mut self) -> DiskPart {
        let after = quiet(&self.tool, &self.disk);
        let span = self.before.at..after.at;
        let records = self.tool.seen(|records| records[self.before.records..after.records].to_vec());
        assert_eq!(sum(&records, "errors"), 0);
        let diskstats = after.diskstats.since(&self.before.diskstats);
        self.before = after;
        let requests: Vec<Request> = self.collector.take().map_or_else(Vec::new, Collector::end);
        let seen: Vec<&Request> =
            requests.iter().filter(|request| span.contains(&(request.completed * 1_000))).collect();
        let unobserved = seen.iter().filter(|request| request.unobserved).count();
        let reported = DiskStats::of_records(&records, &self.disk).with_unobserved(seen.into_iter());
        DiskPart { diskstats, reported, lost: sum(&records, "lost"), unobserved, records, span }
    }

    /// Does work and measures it until no request of this disk was lost, which may need several
    /// tries on a slow machine. Lost requests of other disks do not matter. After the last try the
    /// comparison shows what is missing.
    pub fn without_losses<W>(&mut self, work: impl Fn() -> W) -> (W, DiskPart) {
        let mut measure = || {
            self.go_on();
            let done = work();
            (done, self.part())
        };
        for _ in 1..5 {
            let (done, measured) = measure();
            if measured.lost == 0 || measured.reported == measured.diskstats {
                return (done, measured);
            }
        }
        measure()
    }

    /// Stops biolat.
    pub fn end(self) {
        self.tool.interrupt();
    }

    /// Begins the next part when the disk is idle.
    pub fn go_on(&mut self) {
        if self.collector.is_none() {
            self.collector = collector(&self.disk);
            // Earlier requests are not in this part.
            if self.collector.is_some() {
                self.before = quiet(&self.tool, &self.disk);
            }
        }
    }
}

/// Of what no BPF program can observe; in a guest there is nothing of the kind.
fn collector(disk: &str) -> Option<Collector> {
    kernel::of_guest().is_none().then(|| Collector::start(disk))
}

/// The measurements between two idle times.
pub struct DiskPart {
    /// The disk's own counters.
    pub diskstats: DiskStats,
    /// The same from biolat's records.
    pub reported: DiskStats,
    /// Events that biolat counted as lost: a kernel skips a program that would interrupt itself.
    pub lost: u64,
    /// The number of requests that no BPF program could observe.
    pub unobserved: usize,
    /// biolat's records.
    pub records: Vec<Value>,
    /// Begin and end, in nanoseconds of CLOCK_BOOTTIME.
    pub span: Range<u64>,
}

impl DiskPart {
    /// Asserts that biolat reported all requests of the disk: equal except for what it lost, and no
    /// operation may have more.
    pub fn agrees(&self, what: &str) {
        let Self { diskstats, reported, lost, unobserved, .. } = self;
        let what = format!("{what}, {unobserved} unobserved");
        let pairs = [
            ("reads", reported.reads, diskstats.reads),
            ("writes", reported.writes, diskstats.writes),
            ("discards", reported.discards, diskstats.discards),
            ("flushes", [reported.flushes, 0], [diskstats.flushes, 0]),
        ];
        let of = || Comparison::of("biolat", &[]).part(&what);
        let counts = of().lost(*lost);
        pairs
            .iter()
            .fold(counts, |all, (op, reported, done)| all.field(op, reported[0], done[0]))
            .equal_minus_lost();
        // All bytes if all requests are reported, and never more.
        let bytes = |all: Comparison, (op, reported, done): &(&str, [u64; 2], [u64; 2])| {
            let least = if reported[0] == done[0] { done[1] } else { 0 };
            all.between(format!("bytes of {op}"), reported[1], least, done[1])
        };
        pairs.iter().fold(of(), bytes).equal_minus_lost();
    }
}

/// Waits until the disk was idle over a whole interval.
fn quiet(tool: &Tool, disk: &str) -> Moment {
    until(For::Quiet, format!("no request of {disk} in an interval"), || {
        let (diskstats, at, now) = (DiskStats::of(disk), boottime_ns(), Timestamp::now());
        let records = tool.until_interval_after(now);
        let idle = diskstats.in_flight == 0 && diskstats == DiskStats::of(disk);
        idle.then_some(Moment { diskstats, records, at })
    })
}

fn boottime_ns() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
