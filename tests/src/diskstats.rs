//! `/proc/diskstats`: the kernel's own account of each disk.

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

/// Bytes that a sector of diskstats stands for, whatever the disk's own.
const SECTOR: u64 = 512;

/// What a disk has done since it is there, or between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskStats {
    /// Completed reads and their bytes.
    pub reads: [u64; 2],
    /// Completed writes and their bytes. Each empty flush that a file system or program asks for counts as a
    /// write too.
    pub writes: [u64; 2],
    /// Completed discards and their bytes.
    pub discards: [u64; 2],
    /// Flushes that went to the device.
    pub flushes: u64,
    in_flight: u64,
}

impl DiskStats {
    /// The disk's account now.
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

    /// What came since an earlier look.
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

    /// The same of biolat's records. Its flushes are requests, its writes do not hold them.
    pub fn of_records(records: &[Value], disk: &str) -> Self {
        let of = |op: &str| {
            let found = of_disk(records, disk, op);
            ["count", "bytes"].map(|field| found.iter().map(|record| count(record, field)).sum())
        };
        let flushes = of("flush")[0];
        Self { reads: of("read"), writes: of("write"), discards: of("discard"), flushes, in_flight: 0 }
    }

    /// Adds the requests that no BPF program could observe, where there were any: where with them, and only with
    /// them, there are as many as the tracer saw.
    pub fn with_unobserved<'a>(mut self, seen: impl Iterator<Item = &'a Request>) -> Self {
        let (unobserved, shown): (Vec<&Request>, Vec<&Request>) =
            seen.partition(|request| request.unobserved);
        let told = self.reads[0] + self.writes[0] + self.discards[0] + self.flushes;
        if told != shown.len() as u64 {
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

/// biolat at work, and the disk's account from the same moment on.
pub struct Watched {
    tool: Tool,
    disk: String,
    /// Of what no BPF program can observe; in a guest there is nothing of the kind.
    collector: Option<Collector>,
    before: Moment,
}

/// A moment at which the disk was idle.
struct Moment {
    diskstats: DiskStats,
    /// How many records tell of what was before.
    records: usize,
    /// Nanoseconds of CLOCK_BOOTTIME.
    at: u64,
}

impl Watched {
    /// Starts biolat; returns when the disk was quiet for so long that both begin with the same request.
    pub fn start(disk: &str) -> Self {
        let collector = collector(disk);
        let tool = Tool::start("biolat", &["0.1"]);
        let before = quiet(&tool, disk);
        Self { tool, disk: disk.to_string(), collector, before }
    }

    /// What was measured until a quiet moment again; what comes then is another part.
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
        let told = DiskStats::of_records(&records, &self.disk).with_unobserved(seen.into_iter());
        DiskPart { diskstats, told, lost: sum(&records, "lost"), unobserved, records, span }
    }

    /// Does work and measures it until nothing of this disk's was lost, which a slow machine may need some tries for; what
    /// is lost of other disks' requests is no matter. After the last try whoever compares finds out what is missing.
    pub fn without_losses<W>(&mut self, work: impl Fn() -> W) -> (W, DiskPart) {
        let mut measure = || {
            self.go_on();
            let done = work();
            (done, self.part())
        };
        for _ in 1..5 {
            let (done, measured) = measure();
            if measured.lost == 0 || measured.told == measured.diskstats {
                return (done, measured);
            }
        }
        measure()
    }

    /// Ends biolat.
    pub fn end(self) {
        self.tool.interrupt();
    }

    /// Goes on after a part, if there was one, from a quiet moment.
    pub fn go_on(&mut self) {
        if self.collector.is_none() {
            self.collector = collector(&self.disk);
            // What came before is not in this one's account.
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

/// What was measured between two quiet moments.
pub struct DiskPart {
    /// What the disk did by its own account.
    pub diskstats: DiskStats,
    /// The same by biolat's.
    pub told: DiskStats,
    /// What biolat says that it could not see: a kernel leaves a program out that it would interrupt itself.
    pub lost: u64,
    /// How many requests no BPF program could observe.
    pub unobserved: usize,
    /// biolat's records.
    pub records: Vec<Value>,
    /// From when to when, in nanoseconds of CLOCK_BOOTTIME.
    pub span: Range<u64>,
}

impl DiskPart {
    /// Asserts that biolat told all that the disk did: equal but for what it says is lost, which no operation can have
    /// more of.
    pub fn agrees(&self, what: &str) {
        let Self { diskstats, told, lost, unobserved, .. } = self;
        let what = format!("{what}, {unobserved} unobserved");
        let pairs = [
            ("reads", told.reads, diskstats.reads),
            ("writes", told.writes, diskstats.writes),
            ("discards", told.discards, diskstats.discards),
            ("flushes", [told.flushes, 0], [diskstats.flushes, 0]),
        ];
        let of = || Comparison::of("biolat", &[]).part(&what);
        let counts = of().lost(*lost);
        pairs.iter().fold(counts, |all, (op, told, done)| all.field(op, told[0], done[0])).equal_minus_lost();
        // All bytes of all requests, and never more than there were.
        let bytes = |all: Comparison, (op, told, done): &(&str, [u64; 2], [u64; 2])| {
            let least = if told[0] == done[0] { done[1] } else { 0 };
            all.between(format!("bytes of {op}"), told[1], least, done[1])
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
