//! proclife: who starts and ends processes and threads, do any fail, are zombies left?

mod event;
mod row;
mod run;

use std::process::ExitCode;

use clap::Parser;
use common::exit::{Result, report};
use common::hooks::{Hook, Rung};
use common::{cli, filter, output, session};
use libbpf_rs::num_possible_cpus;

// The module `skel`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/skel.rs"));

/// The tool's name in records and messages.
const TOOL: &str = "proclife";

/// Each hook can be had in one way on every kernel with types; failures need the syscalls' own tracepoints.
const HOOKS: &[Hook] = &[
    Hook { name: "forks", rungs: &[Rung { programs: &["on_fork"], bound: None }], optional: false },
    Hook { name: "execs", rungs: &[Rung { programs: &["on_exec"], bound: None }], optional: false },
    Hook { name: "exits", rungs: &[Rung { programs: &["on_exit"], bound: None }], optional: false },
    Hook { name: "reaped", rungs: &[Rung { programs: &["on_free"], bound: None }], optional: false },
    Hook { name: "zombies", rungs: &[Rung { programs: &["count_zombies"], bound: None }], optional: false },
    Hook {
        name: "fork_errors",
        rungs: &[
            Rung { programs: &["clone_failed", "clone3_failed", "fork_failed", "vfork_failed"], bound: None },
            // arm64 and riscv have no fork and vfork.
            Rung { programs: &["clone_failed", "clone3_failed"], bound: None },
        ],
        optional: true,
    },
    Hook {
        name: "exec_errors",
        rungs: &[Rung { programs: &["execve_failed", "execveat_failed"], bound: None }],
        optional: true,
    },
];

const EXAMPLES: &str = "\
Examples:
  proclife                       a line every second
  proclife 10 6                  six records of ten seconds
  proclife --events              every fork, exec and exit as it happens
  proclife --events | jq -r 'select(.event == \"exec_error\") | .comm'
  proclife --cgroup system.slice/nginx.service 5
  proclife -p 4321               what process 4321 starts, and the zombies it leaves

Bounds:
  reaped comes one RCU grace period (some 10 ms) after the wait: it may fall in
  the next interval.
  With --pid, forks and errors are those of the process, reaped and zombies those
  of its children.
  Failing calls of 32-bit programs on a 64-bit kernel are not seen: their
  tracepoints do not fire.
  Threads that the kernel makes for io_uring and vhost are seen when they end, not
  when they start.
  Before Linux 6.16, two threads of a process that end in the same instant may
  both count as its last.
  The zombies are counted by walking all tasks, once per interval.";

/// Who starts and ends processes and threads, do any fail, are zombies left?
#[derive(Parser)]
#[command(name = TOOL, version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    common: cli::Common,

    /// A record for each fork, exec, exit and failure rather than counts per interval
    #[arg(long, conflicts_with_all = ["interval", "count"])]
    events: bool,

    /// With --events, also a record for each thread's start and end
    #[arg(long, requires = "events")]
    threads: bool,
}

fn main() -> ExitCode {
    report(TOOL, run())
}

fn run() -> Result<()> {
    let args: Args = cli::parse()?;
    if args.common.schema {
        return if args.events {
            output::print_schema::<row::Event>(TOOL)
        } else {
            output::print_schema::<row::Counts>(TOOL)
        };
    }
    let filter = filter::Filter::new(&args.common.pid, args.common.cgroup.as_deref())?;
    let cpus = num_possible_cpus().unwrap_or(1) as u32;
    let tool = session::Tool {
        builder: skel::ProclifeSkelBuilder::default,
        configure: &|open| run::configure(open, args.events, args.threads, cpus),
        hooks: HOOKS,
        wanted: &|hook| !args.events || !matches!(hook.name, "reaped" | "zombies"),
        prove: None,
    };
    let mut session = session::start(&tool, &args.common, &filter)?;
    if args.common.check {
        return common::print_check(&session.plan, &args.common);
    }
    match args.events {
        true => run::events(&mut session, &args.common),
        false => run::intervals(&mut session, &args.common),
    }
}
