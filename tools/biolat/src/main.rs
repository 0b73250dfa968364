//! biolat: how long do disks take?

mod asked;
mod disk_table;
mod event;
mod row;

use std::process::ExitCode;

use clap::Parser;
use clap::builder::ArgPredicate;
use clap_complete::ArgValueCompleter;
use cli::exit::{Failure, Result, report};
use common::bpf::globals::map;
use common::bpf::mmap::{MappedCounters, words};
use common::hooks::{Hook, Rung};
use common::measure::events;
use common::measure::per_key::{self, PerKey};
use common::owner::By;
use common::{options, output, owner, session};
use libbpf_rs::skel::{OpenSkel, Skel};
use skel::types::{counter as Counter, counters, disk_filter};

// The module `skel`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/skel.rs"));

/// The tool's name in records and messages.
const TOOL: &str = "biolat";

/// How the rungs without compare-and-exchange differ.
const HASH: &str = "requests in flight in a hash map";

/// Requests in flight are kept in a table of our own, or in a hash map if the kernel has no
/// compare-and-exchange (before Linux 5.12). All of a request's programs must agree, so they are on
/// one rung.
const HOOKS: &[Hook] = &[
    Hook::new(
        "requests",
        &[
            Rung::new(&["on_issue", "on_requeue", "on_complete", "on_bio_queue", "on_bio_complete"]),
            Rung::new(&[
                "on_issue_hash",
                "on_requeue_hash",
                "on_complete_hash",
                "on_bio_queue_hash",
                "on_bio_complete_hash",
            ])
            .variant(HASH),
        ],
    ),
    Hook::new(
        "requests of tasks",
        &[
            Rung::new(&[
                "on_start_filtered",
                "on_issue_filtered",
                "on_requeue_filtered",
                "on_complete",
                "on_bio_queue",
                "on_bio_complete",
            ]),
            // Before Linux 6.5 the kernel has no event for the making of a request.
            Rung::new(&[
                "on_issue_by_bio",
                "on_requeue",
                "on_complete",
                "on_bio_queue_marked",
                "on_bio_complete",
            ]),
            Rung::new(&[
                "on_issue_by_bio_hash",
                "on_requeue_hash",
                "on_complete_hash",
                "on_bio_queue_marked_hash",
                "on_bio_complete_hash",
            ])
            .variant(HASH),
        ],
    ),
];

const EXAMPLES: &str = "\
Examples:
  biolat                         each disk and operation, every second
  biolat --buckets 10 1          ten seconds, distributions drawn
  biolat --disk sda,nvme0n1 5    two of the disks
  biolat --by process --top 5    and which processes make the requests
  biolat 1 | jq -r 'select(.p99_us > 5000) | [.ts, .disk, .p99_us] | @tsv'
  biolat -o csv 60 > disks.csv   a record a minute, for a spreadsheet
  biolat --min-us 10000          each request that took 10 ms or longer, and who made it
  biolat --events --disk sda | jq -r '[.comm, .op, .sector, .bytes, .duration_us] | @tsv'
  biolat --cgroup system.slice/postgresql.service 5
  biolat --by comm -o json | jq -c 'select(.flushes + .fua > 0) | [.disk, .comm, .flushes, .fua]'

Bounds:
  Percentiles are at most 3.2 % off; the rest is exact. Before Linux 5.12 so are
  min and max, if two processors complete a request of one disk at the same instant.
  Counts and bytes of reads, writes and discards equal those of /proc/diskstats.
  Disks made of bios (dm, md, zram) have no queue: their queue_* are null. Before
  Linux 5.14 md arrays without redundancy are not reported, only their disks.
  A disk with several NVMe paths (nvme0n1) is the sum of its paths' requests, as in
  /proc/diskstats from Linux 6.5 on. The paths are reported as well, as hidden disks
  (nvme0c0n1).
  --disk is decided in the kernel, by the disk's number at the start. A partition counts
  for its disk, and a path for the disk that it leads to: neither can be asked for.
  Requests in flight at the start are not counted, nor are drivers' own commands
  (passthrough).
  Only flushes that reach the device count; /proc/diskstats counts each empty
  flush as a write as well.
  flushes and fua count what was asked for, when it is queued, also by disks made of
  bios of those below them; count of the op flush is what reached the device. A disk
  without a write cache is asked for neither: the kernel drops it before. Flushes of a
  disk with several NVMe paths are its own, not its paths'. With --by they belong to
  the task that queues them: those of a journal to its kernel thread (jbd2).
  Queue time begins at the kernel's start_time_ns. A task that plugs takes it once
  for several requests, so it can be too long by the time that the task went on
  without sleeping.
  With --pid, --cgroup, --comm, --user and --by a request is attributed to the task
  that made it.
  Pages that are written back belong to a kernel thread. With --by, requests that
  the kernel creates are attributed to the task that issues them: flushes, and all
  requests of disks that keep no statistics.
  --events: ts is the end of the request. sector is where it began on the whole disk. A
  request of several merged parts belongs to who made the first. A request may end in
  parts, which are one event; parts of a bio that was split are one each. pid and cgroup
  are those of --by: of write-back a kernel thread's. The path of a cgroup that was made
  and removed since the start may be an id. --min-us is decided in the kernel.
  A completion by an interrupt while one of these programs runs on that processor is
  not seen by it, on any kernel; lost counts it.
  --top ranks by the requests of all disks and operations together. Each disk and
  operation of an owner takes one entry of --map-size, some 5 KB.
  Buckets: 16 in each power of two. They add up over intervals, disks and hosts.";

/// How long do disks take? Device time, and time in the queue before it, per disk and operation.
#[derive(Parser)]
#[command(name = TOOL, version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    common: options::Common,

    #[command(flatten)]
    owner: owner::Options,

    /// Only this disk, by its name as in /sys/block or its device in /dev; repeatable, or a list
    #[arg(long, value_name = "DISK", value_delimiter = ',', add = ArgValueCompleter::new(asked::complete))]
    disk: Vec<String>,

    /// Add the histograms: fields buckets and queue_buckets, or drawn below a table's lines
    #[arg(long)]
    buckets: bool,

    /// One record per request, instead of latencies per interval
    #[arg(long, conflicts_with_all = ["interval", "count", "buckets", "by"],
          default_value_if("min_us", ArgPredicate::IsPresent, "true"))]
    events: bool,

    /// --events, but only requests whose device time was at least so many microseconds
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with_all = ["interval", "count", "buckets", "by"])]
    min_us: u32,
}

fn main() -> ExitCode {
    report(TOOL, run())
}

fn run() -> Result<()> {
    let args: Args = options::parse()?;
    if args.common.schema {
        return output::print_schema_of::<row::Event, row::Io>(TOOL, args.events);
    }
    output::check_buckets(&args.common, args.buckets)?;
    let disks = asked::filter(&args.disk)?;
    let (banks, slots) = (per_key::banks(), disk_table::slot_count(disk_table::present()));
    // Otherwise it does not matter which task makes a request.
    let by_task = args.common.filters() || args.owner.by != By::System || args.events;
    let tool = session::Tool {
        configure: &|open| configure(open, &args, banks, slots, disks),
        wanted: &|hook| match hook.name {
            "requests" => !by_task,
            _ => by_task,
        },
        owner: Some(&args.owner),
        ..session::Tool::new(skel::BiolatSkelBuilder::default, HOOKS)
    };
    let session = session::start(&tool, &args.common)?;
    if args.events {
        let mut decoder = event::Decoder::new();
        let data = session.skel.maps.bss_data.as_deref();
        let names = data.map(|data| &data.disk_name[..]).unwrap_or_default();
        let decode = |bytes: &[u8]| decoder.decode(bytes, names);
        return session.events::<COUNTERS, _>(TOOL, &args.common, Counter::LOST.0 as usize, decode, |_| true);
    }
    let stats = map(session.skel.object(), "stats")?;
    let mut totals: PerKey<'_, skel::types::stats> =
        PerKey::of(session.skel.object(), &stats, banks, &args.owner)?;
    let mut counters: MappedCounters<{ COUNTERS }> = MappedCounters::map(&session.skel.maps.counters)?;
    session.intervals(TOOL, &args.common, |_| {
        let Some(data) = session.skel.maps.bss_data.as_deref() else {
            return Err(Failure::failed("the object has no data"));
        };
        let rows = disk_table::since_last(&mut totals, &data.disk_name, &args.owner, args.buckets)?;
        let lost = counters.since_last()[Counter::LOST.0 as usize];
        Ok((rows, lost))
    })
}

/// How many counters there are in a bank.
const COUNTERS: usize = words::<counters>();

/// Sets the constants and sizes that depend on the machine.
fn configure(
    open: &mut skel::OpenBiolatSkel<'_>,
    args: &Args,
    banks: u32,
    slots: u32,
    disks: disk_filter,
) -> libbpf_rs::Result<()> {
    // An unused map is not created; the code that would use it is never reached.
    open.maps.issuers.set_autocreate(args.owner.by != By::System)?;
    open.maps.makers.set_autocreate(args.events)?;
    open.maps.stats.set_max_entries(disk_table::entries(slots, banks))?;
    if let Some(constants) = open.maps.rodata_data.as_deref_mut() {
        constants.bank_mask = banks - 1;
        constants.disk_mask = slots - 1;
        constants.disk_filter = disks;
        constants.send_events = args.events;
        constants.min_ns = u64::from(args.min_us) * 1_000;
    }
    events::configure(open.open_object_mut(), args.events.then_some(events::RING_BYTES))
}
