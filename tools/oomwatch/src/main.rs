//! oomwatch: which processes did the OOM killer kill, and why?

mod event;
mod row;
mod run;
mod self_protect;

use cli::notes::{self, Note};
use std::process::ExitCode;

use clap::Parser;
use cli::exit::{Result, report};
use cli::stderr::note;
use common::hooks::{Hook, Rung};
use common::{options, output, owner, session};

// The module `skel`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/skel.rs"));

/// The tool's name in records and messages.
const TOOL: &str = "oomwatch";

/// The limitation if the memory that was short must be deduced.
const DEDUCED: &Note = &notes::DEDUCED;

/// Kills are watched in one way on every kernel with BTF. Their cause is passed to a function, or
/// deduced.
const HOOKS: &[Hook] = &[
    Hook::new("kills", &[Rung::new(&["on_signal", "on_mark"])]),
    Hook::new(
        "causes",
        &[
            Rung::new(&["cause_f"]),
            Rung::new(&["cause_k"]),
            Rung::new(&["on_signal", "on_mark"]).limitation(DEDUCED),
        ],
    ),
];

const EXAMPLES: &str = "\
Examples:
  oomwatch                       one record per kill, as it happens
  oomwatch | jq -r '[.ts, .comm, .memcg, .trigger_comm] | @tsv'
  oomwatch --cgroup a.slice      only victims in this cgroup
  oomwatch 60                    how many kills each minute
  oomwatch --by cgroup 3600      how many in each cgroup, per hour
  oomwatch --by parent 3600      the same by the victims' parents
  oomwatch -o csv >> kills.csv &

Bounds:
  A kill is a SIGKILL that the kernel sends because memory ran out: one record per
  process. Several die at once where memory.oom.group says so: each has a record,
  with their common cause. A process that was dying already is given memory but
  not killed, and has no record; nor has a process that dies with the victim
  because it shares all of its memory (vfork, CLONE_VM without CLONE_THREAD).
  Kills by user space (systemd-oomd, earlyoom) are not seen. A kill requested by
  SysRq-f has the scope sysrq (where that is deduced: global); its trigger is a
  kworker.
  -p, --cgroup, --comm, --user and --by are about the victims, by the name of their
  first thread.
  The kernel's own message may have other sizes: it is printed later, and leaves out
  up to max(32, 2 x CPUs) pages of each kind.
  rss_*: exact to the page if the victim has one thread, or from Linux 6.2 on (and
  up to 512 processors); else up to 64 pages per other thread off.
  limit_bytes, usage_bytes: of memory. With cgroup v1, also if the limit of memory
  and swap together was reached. The usage may be below the limit by what
  processors charge ahead and give back at that moment: 64 pages each.
  Where neither fentry nor kprobes are available (--check: causes), scope, memcg,
  limit and usage are deduced. The memory cgroup above the trigger with the least
  room is taken as the cause, if it has less than 8 pages and 64 per processor of
  room; else the machine, or with several memory nodes nothing: null. So a global
  kill looks like a memcg's if the trigger's memcg is full as well. If the kernel
  has the cgroup v1 memory controller, only memcgs that it has marked are
  considered.
  Paths: 32 levels, 2 KiB for both; longer ones begin with …/.
  1 MiB of kills (some 3000) may wait to be read, with INTERVAL those of one; lost
  counts the others.
  All signals are watched, which costs some 70 ns per signal.

oomwatch keeps working when memory is exhausted. Before it drops its capabilities
it locks its memory (mlockall; CAP_IPC_LOCK) and sets its oom_score_adj to -1000
(CAP_SYS_RESOURCE), if permitted; a note on stderr says what it could not do.
Programs that read its output need the same protection.";

/// Which processes did the OOM killer kill, and why? One record per kill; with INTERVAL, how many.
#[derive(Parser)]
#[command(name = TOOL, version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    common: options::Common,

    #[command(flatten)]
    owner: owner::Options,

    /// One record per kill: the default without INTERVAL and --by
    #[arg(long, conflicts_with_all = ["interval", "count", "by"])]
    events: bool,
}

fn main() -> ExitCode {
    report(TOOL, run())
}

fn run() -> Result<()> {
    let (args, counts): (Args, _) = options::parse_with_explicit(&["interval", "by"])?;
    if args.common.schema {
        return output::print_schema_of::<row::Kill, row::Kills>(TOOL, !counts);
    }
    self_protect::keep_heap();
    args.owner.check()?;
    let tool = session::Tool {
        configure: &run::configure,
        // The owner is derived from each kill.
        owner: None,
        ..session::Tool::new(skel::OomwatchSkelBuilder::default, HOOKS)
    };
    let session = session::start_with(&tool, &args.common, self_protect::CAPABILITIES, || {
        args.owner.notes().iter().filter(|_| !args.common.quiet).for_each(|text| note(text));
        self_protect::protect(args.common.quiet)
    })?;
    match counts {
        true => run::intervals(&session, &args.common, &args.owner),
        false => run::events(&session, &args.common),
    }
}
