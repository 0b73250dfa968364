//! biolat: how long do disks take?

mod disks;
mod row;

use std::mem::MaybeUninit;
use std::process::ExitCode;

use clap::Parser;
use common::banks::Counters;
use common::exit::{Failure, Result, report};
use common::hooks::{Hook, Rung};
use common::interval::Ticks;
use common::output::Writer;
use common::{cli, filter, output, session};
use libbpf_rs::num_possible_cpus;

// The module `skel`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/skel.rs"));

/// The tool's name in records and messages.
const TOOL: &str = "biolat";

const HOOKS: &[Hook] = &[
    Hook { name: "completions", rungs: &[Rung { programs: &["on_complete"], bound: None }], optional: false },
    Hook { name: "requeues", rungs: &[Rung { programs: &["on_requeue"], bound: None }], optional: false },
    Hook { name: "issues", rungs: &[Rung { programs: &["on_issue"], bound: None }], optional: false },
    Hook {
        name: "issues of tasks",
        rungs: &[
            Rung { programs: &["on_start_filtered", "on_issue_filtered"], bound: None },
            Rung {
                programs: &["on_issue_by_current"],
                bound: Some(
                    "the task is the one that issues a request, which for queued ones may be a kernel thread",
                ),
            },
        ],
        optional: false,
    },
    Hook {
        name: "bios",
        rungs: &[Rung { programs: &["on_bio_queue", "on_bio_complete"], bound: None }],
        optional: false,
    },
];

const EXAMPLES: &str = "\
Examples:
  biolat                         each disk and operation, every second
  biolat --buckets 10 1          ten seconds, distributions drawn
  biolat 1 | jq -r 'select(.p99_us > 5000) | [.ts, .disk, .p99_us] | @tsv'
  biolat -o csv 60 > disks.csv   a record a minute, for a spreadsheet
  biolat --cgroup system.slice/postgresql.service 5

Bounds:
  Percentiles, minimum and maximum are at most 3.2 % off; the rest is exact.
  Requests under way at the start are not counted, nor are drivers' own commands
  (passthrough).
  A flush is one that reached the device; /proc/diskstats counts each empty flush
  as a write as well.
  Queue time begins at the kernel's start_time_ns, which a task that plugs takes
  once for several requests: it can be too long by the time that the task went on
  without sleeping.
  With --pid and --cgroup a request belongs to the task that made it; pages that
  are written back belong to a kernel thread.";

/// How long do disks take? Device time, and time in the queue before it, per disk and operation.
#[derive(Parser)]
#[command(name = TOOL, version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    common: cli::Common,

    /// Add the histograms: fields buckets and queue_buckets, or drawn below a table's lines
    #[arg(long)]
    buckets: bool,
}

fn main() -> ExitCode {
    report(TOOL, run())
}

fn run() -> Result<()> {
    let args: Args = cli::parse()?;
    if args.common.schema {
        return output::print_schema::<row::Io>(TOOL);
    }
    output::check_buckets(&args.common, args.buckets)?;
    let filter = filter::Filter::new(&args.common.pid, args.common.cgroup.as_deref())?;
    let mut object = MaybeUninit::uninit();
    let mut open = session::open(skel::BiolatSkelBuilder::default(), &mut object, &args.common)?;
    let banks = configure(&mut open)
        .map_err(|error| Failure::failed(format!("cannot set up the BPF object: {error}")))?;
    let wanted = |hook: &Hook| match hook.name {
        "issues" => !filter.is_set(),
        "issues of tasks" => filter.is_set(),
        _ => true,
    };
    let mut session = session::start(open, HOOKS, wanted, &args.common, &filter)?;
    if args.common.check {
        return common::print_check(&session.plan, &args.common);
    }
    let mut totals = disks::Totals::map(&session.skel.maps.stats, banks)?;
    let mut counters: Counters<{ COUNTERS }> = Counters::map(&session.skel.maps.counters)?;
    let mut writer = Writer::new(TOOL, &args.common);
    let mut ticks = Ticks::new(args.common.interval, args.common.count, args.common.duration);
    while let Some(tick) = ticks.next(&session.stop) {
        let Some(data) = session.skel.maps.bss_data.as_deref() else {
            return Err(Failure::failed("the object has no data"));
        };
        let rows = totals.since_last(&data.disk_name, args.buckets);
        let [lost, ..] = counters.since_last();
        let account = session.meter.account();
        writer.interval(&tick, &rows, lost, account)?;
    }
    Ok(())
}

/// The size of a bank of counters, in words: the C struct is rounded up to whole cache lines.
const COUNTERS: usize = 8;

/// Sets the constants and sizes that depend on the machine; returns the number of banks.
fn configure(open: &mut skel::OpenBiolatSkel<'_>) -> libbpf_rs::Result<u32> {
    let cpus = num_possible_cpus()? as u32;
    let banks = disks::banks(cpus);
    open.maps.counters.set_max_entries(cpus)?;
    let slots = disks::slots(disks::present());
    open.maps.stats.set_max_entries(disks::entries(slots, banks))?;
    if let Some(constants) = open.maps.rodata_data.as_deref_mut() {
        constants.bank_mask = banks - 1;
        constants.disk_mask = slots - 1;
    }
    Ok(banks)
}
