//! oomwatch: whom did the kernel kill for memory, and why?

mod event;
mod row;
mod run;
mod steady;

use std::process::ExitCode;

use clap::Parser;
use cli::exit::{Result, report};
use common::hooks::{Hook, Rung};
use common::{options, output, owner, session};

// The module `skel`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/skel.rs"));

/// The tool's name in records and messages.
const TOOL: &str = "oomwatch";

/// What can be said where nothing tells what memory was short of.
const DEDUCED: &str =
    "scope and memcg are deduced: that of the trigger's memory cgroups that stands at its limit";

/// Kills can be had in one way on every kernel with types. What they are for is told by a function, or deduced.
const HOOKS: &[Hook] = &[
    Hook::new("kills", &[Rung::new(&["on_signal", "on_mark"])]),
    Hook::new(
        "causes",
        &[
            Rung::new(&["cause_f"]),
            Rung::new(&["cause_k"]),
            Rung::new(&["on_signal", "on_mark"]).bound(DEDUCED),
        ],
    ),
];

const EXAMPLES: &str = "\
Examples:
  oomwatch                       a record for each kill, as it happens
  oomwatch | jq -r '[.ts, .comm, .memcg, .trigger_comm] | @tsv'
  oomwatch --cgroup a.slice      only victims in there
  oomwatch 60                    how many kills each minute
  oomwatch --by cgroup 3600      and in which cgroups
  oomwatch --by parent 3600      and whose children
  oomwatch -o csv >> kills.csv &

Bounds:
  A kill is a SIGKILL that the kernel sends for want of memory: one record for
  each process. Several die at once where memory.oom.group says so: each has a
  record, with the cause they share. A process that was dying already is given
  memory but not killed, and has no record; nor has one that dies with the victim
  because it shares all of its memory (vfork, CLONE_VM without CLONE_THREAD).
  What user space kills (systemd-oomd, earlyoom) is not seen. A kill asked for by
  SysRq-f is global, its trigger a kworker.
  rss_*: to the page where the victim has one thread, or from Linux 6.2 on (and up
  to 512 processors); else up to 64 pages per other thread off.
  limit_bytes, usage_bytes: of memory. With cgroup v1, also where it was the limit
  of memory and swap together that was reached. The usage may be below the limit
  by what processors charge ahead and give back just then: 64 pages each.
  Where the kernel does not let its function be watched (--check: causes), scope,
  memcg, limit and usage are deduced: the memory cgroup above the trigger with the
  least room is taken for the one that was short, if that is less than 8 pages and
  64 per processor; else the machine, or with several memory nodes nothing: null.
  So a global kill looks like a memcg's where the trigger's is full as well. With
  the cgroup v1 memory controller in the kernel only those come into question that
  it has marked.
  Paths: 32 levels, 2 KiB for both; what is longer begins with …/.
  1 MiB of kills (some 3000) may wait to be read, with INTERVAL those of one; lost
  tells the others.
  To tell a kill all signals are watched, which costs each of them some 70 ns.

It stays at work when memory is gone: before it gives up all rights it locks its
memory (mlockall; CAP_IPC_LOCK) and sets its oom_score_adj to -1000
(CAP_SYS_RESOURCE), if it has the right; a note on stderr says what it could not
do. What reads its output needs the same care.";

/// Whom did the kernel kill for memory, and why? A record for each kill; with INTERVAL, how many.
#[derive(Parser)]
#[command(name = TOOL, version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    common: options::Common,

    #[command(flatten)]
    owner: owner::Options,

    /// A record for each kill, which is what there is without INTERVAL and --by
    #[arg(long, conflicts_with_all = ["interval", "count", "by"])]
    events: bool,
}

fn main() -> ExitCode {
    report(TOOL, run())
}

fn run() -> Result<()> {
    let (args, counts): (Args, _) = options::parse_told(&["interval", "by"])?;
    if args.common.schema {
        return match counts {
            true => output::print_schema::<row::Kills>(TOOL),
            false => output::print_schema::<row::Kill>(TOOL),
        };
    }
    steady::keep_heap();
    args.owner.check()?;
    let tool = session::Tool {
        builder: skel::OomwatchSkelBuilder::default,
        configure: &run::configure,
        hooks: HOOKS,
        wanted: &|_| true,
        // Whose they are is told by each kill.
        owner: None,
        prove: None,
    };
    let mut session =
        session::start_with(&tool, &args.common, steady::RIGHTS, || steady::steady(args.common.quiet))?;
    match counts {
        true => run::intervals(&mut session, &args.common, &args.owner),
        false => run::events(&mut session, &args.common),
    }
}
