//! cachestat: does the page cache serve the reads?

mod attribution;
mod row;
mod selftest;
mod unread;

use cli::notes::{self, Note};
use std::process::ExitCode;

use clap::Parser;
use cli::exit::{Result, report};
use common::hooks::{Hook, Rung};
use common::measure::counters::Counters;
use common::{options, output, owner, session};
use libbpf_rs::skel::Skel;

use crate::attribution::Attributions;

// The module `skel`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/skel.rs"));

/// The tool's name in records and messages.
const TOOL: &str = "cachestat";

/// What the tracepoint of reads cannot see.
const BATCHES: &Note = &notes::READ_BATCHES;

/// What the tracepoints of faults cannot see.
const WINDOWS: &Note = &notes::FAULT_WINDOWS;

/// The limitation of watching only the begin of a read.
const BEGINS: &Note = &notes::READ_BEGINS;

const HOOKS: &[Hook] = &[
    Hook::new("fetched", &[Rung::new(&["fetched_b"])]),
    Hook::new("dirtied", &[Rung::new(&["dirtied_b"]), Rung::new(&["dirtied_b5"])]),
    Hook::new(
        "reads",
        &[
            Rung::new(&["read_f", "splice_f"]),
            // Before 6.5 there is one function for both.
            Rung::new(&["read_f"]),
            Rung::new(&["read_f5"]),
            Rung::new(&["read_b"]).limitation(BATCHES),
            Rung::new(&["read_k", "splice_k"]).limitation(BEGINS),
            Rung::new(&["read_k"]).limitation(BEGINS),
            Rung::new(&["read_k5"]).limitation(BEGINS),
        ],
    ),
    Hook::new(
        "faults",
        &[
            Rung::new(&["fault_f", "map_f", "map_huge_f"]),
            Rung::new(&["fault_f", "map_range_f"]),
            Rung::new(&["fault_f", "map_page_f"]),
            Rung::new(&["fault_b", "around_b"]).limitation(WINDOWS),
            Rung::new(&["fault_k", "map_k", "map_huge_k"]),
            Rung::new(&["fault_k", "map_range_k"]),
            Rung::new(&["fault_k", "map_page_k"]),
        ],
    ),
];

const EXAMPLES: &str = "\
Examples:
  cachestat                      a line every second
  cachestat 10 6                 six records of ten seconds
  cachestat --cgroup system.slice/postgresql.service 5
  cachestat --by comm --top 5    which programs make the accesses
  cachestat 1 | jq -c '[.ts, .hit_ratio, .read_misses, .readahead]'
  cachestat --check              how it sees reads and faults here

All numbers are pages:
  accesses = reads + faults         pages given to tasks
  misses = read_misses + fault_misses   pages fetched for them, or ahead of them
  hits = max(0, reads - read_misses) + max(0, faults - fault_misses)
         less the first use of pages that were fetched in an earlier interval
  hit_ratio = hits / accesses
A page that is read ahead is a miss when it is fetched, and its first use is not
counted as a hit: a cold file read once is all misses, read again all hits.
readahead counts the misses that no task had requested yet. In a short interval,
pages may be fetched that are read in the next; sums are right.

Bounds:
  Regular files that a file system keeps in the page cache; not tmpfs and
  hugetlbfs, raw block devices, direct I/O, DAX, a file system's own blocks.
  --pid, --cgroup, --comm and --user are about the running task: what it reads,
  fetches, dirties.
  What the kernel's khugepaged fetches to make a mapped file's pages a huge one
  (Linux 7.x, suitably aligned mappings) are misses of khugepaged.
  reads: a page counts once for each call that touches it. faults: the pages that
  a page fault maps, including those around the page touched. What a program does
  with a mapped page is not visible to any tool.
  A fetch by a task that has the file open for writing belongs to the write:
  write_adds, no miss.
  Pages fetched by readahead(2), fadvise and madvise are misses, of the kind of the
  task's last access. They are reported four seconds or eight intervals later,
  whichever is longer, because they might be for a read that has not ended. What
  a read that lasts longer fetches is reported as read ahead, and subtracted from
  later records. By fentry, readahead is too low where one read fetches more than
  32 ranges of a file whose other pages were already cached.
  Pages fetched and not used within 30 to 60 seconds, or by the end of the next
  interval if that is later, are no longer subtracted from hits. With --by they are
  forgotten earlier for idle owners, if there are more than --map-size of them.
  dirtied counts a large folio whole, as the kernel does (nr_dirtied).
  By tracepoints (no fentry and no kprobes): a read that ends early counts as
  requested. Of the pages around a fault, those that the kernel looks through
  count, present or not; pages that large folios map beyond them do not. Where the
  kernel does not report the end of a fault, what a task's next read of the same
  file fetches counts as the fault's. By kprobes: a read that ends early counts
  as requested. By both, a read under way when an interval ends counts in full
  before all of it is fetched: its hits are too high, and those of later records
  too low.";

/// Does the page cache serve the reads?
#[derive(Parser)]
#[command(name = TOOL, version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    common: options::Common,

    #[command(flatten)]
    owner: owner::Options,
}

fn main() -> ExitCode {
    report(TOOL, run())
}

fn run() -> Result<()> {
    let args: Args = options::parse()?;
    if args.common.schema {
        return output::print_schema::<row::Accesses>(TOOL);
    }
    let tool = session::Tool {
        configure: &configure,
        owner: Some(&args.owner),
        selftest: Some(selftest::run),
        ..session::Tool::new(skel::CachestatSkelBuilder::default, HOOKS)
    };
    // While the capabilities to create it are still held.
    let trial = selftest::Trial::new();
    let session = session::start(&tool, &args.common)?;
    let mut counters: Counters<'_, { row::COUNTERS }> =
        Counters::of(session.skel.object(), &args.owner, row::LOST)?;
    if let Ok(trial) = &trial {
        trial.read_one_page();
    }
    counters.since_last()?;
    let mut attributions = Attributions::new(&args.owner, args.common.interval);
    session.intervals(TOOL, &args.common, |last| {
        let (added, lost) = counters.since_last()?;
        Ok((attributions.records(added, last), lost))
    })
}

fn configure(open: &mut skel::OpenCachestatSkel<'_>) -> libbpf_rs::Result<()> {
    if let Some(constants) = open.maps.rodata_data.as_deref_mut() {
        constants.page_shift = rustix::param::page_size().trailing_zeros();
    }
    // Saves the memory of the unused map; the code that would use it is never reached.
    match common::kernel::running::kernel_names("BPF_MAP_TYPE_TASK_STORAGE") {
        true => open.maps.works_by_thread.set_autocreate(false),
        false => open.maps.works.set_autocreate(false),
    }
}
