//! cachestat: does the page cache serve the reads?

mod prove;
mod row;

use std::process::ExitCode;

use clap::Parser;
use common::banks::Counters;
use common::exit::{Result, report};
use common::hooks::{Hook, Rung};
use common::interval::Ticks;
use common::output::Writer;
use common::{cli, filter, output, session};
use libbpf_rs::num_possible_cpus;

// The module `skel`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/skel.rs"));

/// The tool's name in records and messages.
const TOOL: &str = "cachestat";

/// What the tracepoint of reads cannot see.
const BATCHES: &str = "a read that ends early counts as asked for; reads by splice and io_uring that end at one page count \
     the first only, where they begin nearer to it than the last";

/// What the tracepoints of faults cannot see.
const WINDOWS: &str = "of a fault that finds its page the pages around it count as mapped that the kernel looks through, \
     though some may not be in the cache";

/// What the begin of a read cannot tell.
const BEGINS: &str = "a read that ends early counts as asked for";

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
            Rung::new(&["read_b"]).bound(BATCHES),
            Rung::new(&["read_k", "splice_k"]).bound(BEGINS),
            Rung::new(&["read_k"]).bound(BEGINS),
            Rung::new(&["read_k5"]).bound(BEGINS),
        ],
    ),
    Hook::new(
        "faults",
        &[
            Rung::new(&["fault_f", "map_f", "map_huge_f"]),
            Rung::new(&["fault_f", "map_range_f"]),
            Rung::new(&["fault_f", "map_page_f"]),
            Rung::new(&["fault_b", "around_b"]).bound(WINDOWS),
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
  cachestat 1 | jq -c '[.ts, .hit_ratio, .read_misses, .readahead]'
  cachestat --check              how it sees reads and faults here
";

/// Does the page cache serve the reads?
#[derive(Parser)]
#[command(name = TOOL, version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    common: cli::Common,
}

fn main() -> ExitCode {
    report(TOOL, run())
}

fn run() -> Result<()> {
    let args: Args = cli::parse()?;
    if args.common.schema {
        return output::print_schema::<row::Counts>(TOOL);
    }
    let filter = filter::Filter::new(&args.common.pid, args.common.cgroup.as_deref())?;
    let tool = session::Tool {
        builder: skel::CachestatSkelBuilder::default,
        configure: &configure,
        hooks: HOOKS,
        wanted: &|_| true,
        prove: Some(prove::prove),
    };
    // While there are rights to make it.
    let trial = prove::Trial::new();
    let mut session = session::start(&tool, &args.common, &filter)?;
    if args.common.check {
        return common::print_check(&session.plan, &args.common);
    }
    let mut counters: Counters<{ row::COUNTERS }> = Counters::map(&session.skel.maps.counters)?;
    if let Ok(trial) = &trial {
        trial.read_one_page();
    }
    counters.since_last();
    let mut writer = Writer::new(TOOL, &args.common);
    let mut ticks = Ticks::new(args.common.interval, args.common.count, args.common.duration);
    let mut reckoner = row::Reckoner::default();
    while let Some(tick) = ticks.next(&session.stop) {
        let (counts, lost) = reckoner.record(&counters.since_last());
        let account = session.meter.account();
        writer.interval(&tick, &[counts], lost, account)?;
    }
    Ok(())
}

fn configure(open: &mut skel::OpenCachestatSkel<'_>) -> libbpf_rs::Result<()> {
    open.maps.counters.set_max_entries(num_possible_cpus().unwrap_or(1) as u32)?;
    if let Some(constants) = open.maps.rodata_data.as_deref_mut() {
        constants.page_shift = rustix::param::page_size().trailing_zeros();
    }
    // The memory of the other is not needed; the code that would use it is never reached.
    match common::kernel_names("BPF_MAP_TYPE_TASK_STORAGE") {
        true => open.maps.works_by_thread.set_autocreate(false),
        false => open.maps.works.set_autocreate(false),
    }
}
