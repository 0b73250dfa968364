//! proclife: which processes and threads start and end, do any fail, are zombies left?

mod event;
mod row;
mod run;
mod selftest;
mod zombies;

use cli::notes::{self, Note};
use std::cell::Cell;
use std::process::ExitCode;

use clap::Parser;
use cli::exit::{Result, report};
use common::hooks::{Hook, Rung};
use common::kernel::pid_namespace;
use common::{options, output, owner, session};

// The module `skel`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/skel.rs"));

/// The tool's name in records and messages.
const TOOL: &str = "proclife";

/// The limitation of the function that creates a task.
const REFUSED_EARLY: &Note = &notes::CLONES_REFUSED_EARLY;
/// A return probe follows only a limited number of waiting calls at once: see vfsstat.
const PROBED: &Note = &notes::CLONES_PROBED;

/// Starts and ends are watched in one way on every kernel with BTF. The rest is watched by
/// functions, or, if the kernel allows none to be watched, by hooks that come later or see less.
const HOOKS: &[Hook] = &[
    Hook::new("forks", &[Rung::new(&["on_fork"])]),
    Hook::new("execs", &[Rung::new(&["on_exec"])]),
    Hook::new("exits", &[Rung::new(&["on_exit"])]),
    Hook::new(
        "reaped",
        &[
            Rung::new(&["release_f"]),
            Rung::new(&["task_release_f"]),
            Rung::new(&["release_k"]),
            Rung::new(&["task_release_k"]),
            Rung::new(&["on_free"]),
        ],
    ),
    Hook::new("zombies", &[Rung::new(&["count_zombies"])]),
    Hook::new(
        "fork_errors",
        &[
            Rung::new(&["clone_failed", "clone3_failed", "fork_failed", "vfork_failed"]),
            // arm64 and riscv have no fork and vfork.
            Rung::new(&["clone_failed", "clone3_failed"]),
            // Without tracefs.
            Rung::new(&["clone_f"]).limitation(REFUSED_EARLY),
            Rung::new(&["clone_k"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new("exec_errors", &[Rung::new(&["execve_failed", "execveat_failed"])]).optional(),
];

const EXAMPLES: &str = "\
Examples:
  proclife                       a line every second
  proclife 10 6                  six records of ten seconds
  proclife --by parent --top 5   by the process whose children start and end
  proclife --by app --apps /etc/netdata/apps_groups.conf 10
  proclife --events              every fork, exec and exit as it happens
  proclife --events | jq -r 'select(.event == \"exec_error\") | .comm'
  proclife --cgroup system.slice/nginx.service 5
  proclife -p 4321               what process 4321 starts, and the zombies it leaves
  proclife --events --comm 'make,cc*' --user alice

Bounds:
  A new thread is no fork: threads counts it.
  In a PID namespace, zombies are those of the namespace.
  Where failures cannot be seen, fork_errors or exec_errors are null, and one line
  on stderr says so.
  Where functions cannot be attached to (--check: the rung of reaped is
  sched_process_free), reaped comes one RCU grace period (some 10 ms) after the
  wait, and may fall in the next interval.
  With --pid, --comm and --user, forks, errors, execs and exits are those of the tasks
  that these name, reaped and zombies those of their children. An exec is of the new
  name.
  With --by, forks and failures are attributed to the caller. Execs, exits, reaped
  processes and zombies are attributed to the process itself, an exec by its new
  name. --top ranks by forks, threads, execs, and exits of processes and threads.
  Failing calls of 32-bit programs on a 64-bit kernel are not seen: the
  tracepoints of system calls do not fire for them. Where fork_errors come from
  the function kernel_clone instead (no tracefs, or --attach), a clone3 that is
  refused for its arguments, or by seccomp, is not seen.
  Threads that the kernel makes for io_uring and vhost are seen when they end, not
  when they start.
  A preemptible kernel skips some in a thousand events at the highest rates of forks
  (measured on Linux 7.x).
  The zombies are counted by walking all tasks, once per interval.";

/// Which processes and threads start and end, do any fail, are zombies left?
#[derive(Parser)]
#[command(name = TOOL, version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    common: options::Common,

    #[command(flatten)]
    owner: owner::Options,

    /// One record per fork, exec, exit and failure, instead of counts per interval
    #[arg(long, conflicts_with_all = ["interval", "count", "by"])]
    events: bool,

    /// With --events, also one record per start and end of a thread
    #[arg(long, requires = "events")]
    threads: bool,
}

fn main() -> ExitCode {
    report(TOOL, run())
}

fn run() -> Result<()> {
    let args: Args = options::parse()?;
    if args.common.schema {
        return output::print_schema_of::<row::Event, row::ProcessCounts>(TOOL, args.events);
    }
    let tool = session::Tool {
        configure: &|open| run::configure(open, args.events, args.threads),
        wanted: &|hook| !args.events || !matches!(hook.name, "reaped" | "zombies"),
        owner: Some(&args.owner),
        selftest: Some(selftest::run),
        ..session::Tool::new(skel::ProclifeSkelBuilder::default, HOOKS)
    };
    let own = Cell::new(0);
    let session = session::start_with(&tool, &args.common, &[], || own.set(pid_namespace::own_id()))?;
    match args.events {
        true => run::events(&session, &args.common, own.get()),
        false => run::intervals(&session, &args),
    }
}
