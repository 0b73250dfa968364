//! swapstat: how much is swapped in and out, for whom, and how long do tasks wait for it?

mod hooks;
mod row;
mod run;
mod vmstat;

use std::process::ExitCode;

use clap::Parser;
use cli::exit::{Result, report};
use common::measure::per_key;
use common::owner::By;
use common::{options, output, owner, session};

// The module `skel`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/skel.rs"));

/// The tool's name in records and messages.
const TOOL: &str = "swapstat";

const EXAMPLES: &str = "\
Examples:
  swapstat                       a line every second
  swapstat --by owner --top 5    whose memory it is, by memory cgroup
  swapstat --by process 10       who swaps: in for its fault, out to find memory
  swapstat 1 | jq 'select(.fault_p99_us > 10000) | [.ts, .in_pages, .fault_p99_us]'
  swapstat --buckets 10 1        ten seconds, the waits drawn
  swapstat --check               whether waits and zswap are seen here

Bounds:
  in_pages and out_pages equal pswpin and pswpout of /proc/vmstat, page by page;
  pages read ahead are in_pages, too. A large folio is one request. Before Linux 6.5
  a direct read into memory that the kernel has locked at that moment counts, too.
  The owner with --by process, thread, parent, comm, cgroup and app, and with
  filters (--pid, --comm, …), is the task that runs: of a page swapped in the one that asked for
  it or for one beside it, of a page swapped out the one that needed memory: kswapd,
  or the task at the limit of its cgroup.
  --by owner: the memory cgroup that the page is charged to, whichever task runs;
  fault_*: that of the task that waits. Memory that is charged to none counts for /.
  A kernel that is locked down for confidentiality refuses it.
  fault_*: page faults on a task's own memory that had to get the page from swap, zswap
  included, from begin to end of that part of the fault (do_swap_page), and with all
  that it has to wait for. A fault that waits for a page that another task or an
  earlier read ahead is reading is none of them. Nor are faults on tmpfs and shared
  memory, though their pages count. Null without fentry and kprobes. By kprobes, the
  kernel follows max(10, 2 x CPUs) concurrent faults, an old one (5.10) one per CPU;
  from Linux 6.7 on, lost counts the others.
  zswap_*_pages and zero_*_pages (pages of zeros, of which only that is kept) make no
  requests. For the system they are those of /proc/vmstat: null where it has none
  (zswap before 5.19, zeros before 6.12). With --by or a filter zswap's are seen by
  fentry (Linux 6.7 on), else null; zero_* are null.
  Swap files on network file systems (NFS, CIFS) make no requests of a disk: they
  are not seen. Before Linux 6.3, disks in memory (zram, brd) need fentry or kprobes.
  By kprobes, a page counts twice if such a disk fails to take it.
  Percentiles are at most 3.2 % off; the rest is exact. Before Linux 5.12 so are
  min and max, if two processors end a fault at the same instant.
  --top ranks by pages swapped in and out, in zswap too. Each owner takes one entry
  of --map-size, some 3 KB. 8192 faults can be in progress at once; lost counts
  the others.";

/// How much is swapped in and out, for whom, and how long do tasks wait for it?
#[derive(Parser)]
#[command(name = TOOL, version, after_help = EXAMPLES, mut_arg("by", owner::or_owner))]
struct Args {
    #[command(flatten)]
    common: options::Common,

    #[command(flatten)]
    owner: owner::Options,

    /// Add the histogram of waits: field fault_buckets, or drawn below a table's lines
    #[arg(long)]
    buckets: bool,
}

impl Args {
    /// Whether all of the system is asked for, together: what the kernel counts itself.
    fn whole_system(&self) -> bool {
        self.owner.by == By::System && !self.common.filters()
    }
}

fn main() -> ExitCode {
    report(TOOL, run())
}

fn run() -> Result<()> {
    let args: Args = options::parse()?;
    if args.common.schema {
        return output::print_schema::<row::Swapped>(TOOL);
    }
    output::check_buckets(&args.common, args.buckets)?;
    let banks = per_key::banks();
    let tool = session::Tool {
        configure: &|open| run::configure(open, banks),
        wanted: &|hook| hook.name != hooks::ZSWAP || !args.whole_system(),
        owner: Some(&args.owner),
        ..session::Tool::new(skel::SwapstatSkelBuilder::default, hooks::HOOKS)
    };
    let session = session::start(&tool, &args.common)?;
    run::intervals(&session, &args, banks)
}
