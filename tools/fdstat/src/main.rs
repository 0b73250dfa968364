//! fdstat: who opens and closes files, does it fail, and whose descriptors grow in number?

mod event;
mod flags;
mod hooks;
mod row;
mod run;
mod selftest;
mod table;

use std::cell::Cell;
use std::process::ExitCode;

use clap::Parser;
use cli::exit::{Result, report};
use common::kernel::pid_namespace;
use common::{options, output, owner, session};

// The module `skel`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/skel.rs"));

/// The tool's name in records and messages.
const TOOL: &str = "fdstat";

const EXAMPLES: &str = "\
Examples:
  fdstat                         a line every second
  fdstat --by process --top 5    the five busiest processes, and what they hold
  fdstat --by process 60 | jq -c 'select(.fds > 1000) | [.pid, .comm, .fds]'
  fdstat --by app --apps groups.conf 10   by group of processes
  fdstat --events                each open, and each close that fails
  fdstat --events --errors | jq -r '[.comm, .errno, .path] | @tsv'
  fdstat --cgroup system.slice/nginx.service 5
  fdstat --check                 which functions or system calls it attaches to here

Output:
  $ fdstat --by process --top 3
                                           open                 close
  time         pid comm            opens errors created closes errors dropped fds lost
  23:20:50   25494 cargo             810      3       -    807      0       -   9    0
  23:20:50   25476 cpio               74      0       -     76      0       -   0    0
  23:20:50   24594 python3            50      0       -      0      0       - 165    0
  23:20:50       - (other)             6      0       -      9      1       - 377    0
  The python3 opened 50 files in this second and closed none: its descriptors grow,
  to 165 by now. The cargo closes what it opens. The kernel lets no function be
  watched here: created and dropped are not known (-).

Bounds:
  opens and closes include those that failed.
  What dup2 and dup3 make is not in created, nor the copies that a fork makes of all
  descriptors: they are in fds, and in dropped when they are given up.
  fds is exact when the interval ends: all tasks are walked, once per interval. The
  walk itself needs a descriptor, which the tool creates and closes. Processes that
  share their descriptors without being threads of one (CLONE_FILES) count once, for
  the first of them. In a PID namespace, fds is of the namespace. With --by parent
  the descriptors of a process count for its parent, with --by thread for its first
  thread; a thread that has unshared them counts for itself.
  --top ranks by opens, created, closes and dropped together. With --by there is a
  record for each owner that was active or has open descriptors.
  Opens that a process makes through io_uring count, but those that io_uring puts
  into its own table are no descriptors. Before Linux 5.15, failed ones count as
  opens alone.
  The kernel's own use of files counts for the task that runs, where it passes the
  same functions: the end of a core dump, swapoff and loop devices are in dropped,
  though no descriptor was given up.
  The descriptors of a process that exits are dropped by itself, unless another
  task was just looking at them.
  close_errors by another error than EBADF are those that the file reports for
  earlier writes, of files on NFS and FUSE above all.
  Where the kernel has no fentry, tracepoints of system calls are used: opens and
  closes of 64-bit programs only, and dropped is null. Without kprobes created is
  null, too, and nothing of io_uring is seen. fds is as exact as everywhere. With
  --attach kprobe, or without tracefs, return probes are used: the kernel follows
  max(10, 2 x CPUs) concurrent calls of a function, an old one (5.10) one per CPU.
  From Linux 6.7 on, lost counts the calls missed.
  At the start the tool makes a few calls itself, to see that each hook is called:
  a function that the compiler inlined can be attached to, and is never called.
  Of an event, path is the one that the program wrote, read when the call returns. A
  relative one has the directory before it, as /proc shows it: with more than 1 KiB
  or 64 directories and mounts that begins with …/. A name of 4 KiB is cut. There is
  no path for opens by handle, nor for those by io_uring from Linux 7.0 on. Before
  Linux 5.19 the error's number of opens by io_uring is not known, nor the
  descriptor. The file of a failing close is known where functions are attached to.
  Opens of the tool itself are not reported.
  All concurrent calls are tracked, before Linux 5.13 up to 8192; lost counts the
  others.";

/// Who opens and closes files, does it fail, and whose descriptors grow in number?
#[derive(Parser)]
#[command(name = TOOL, version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    common: options::Common,

    #[command(flatten)]
    owner: owner::Options,

    /// One record per open and per close that fails, instead of counts per interval
    #[arg(long, conflicts_with_all = ["interval", "count", "by"])]
    events: bool,

    /// With --events, only opens and closes that fail
    #[arg(long, requires = "events")]
    errors: bool,
}

fn main() -> ExitCode {
    report(TOOL, run())
}

fn run() -> Result<()> {
    let args: Args = options::parse()?;
    if args.common.schema {
        return output::print_schema_of::<row::Event, row::DescriptorCounts>(TOOL, args.events);
    }
    let tool = session::Tool {
        configure: &|open| run::configure(open, &args),
        wanted: &|hook| hooks::wanted(hook, args.events),
        owner: Some(&args.owner),
        selftest: Some(selftest::run),
        ..session::Tool::new(skel::FdstatSkelBuilder::default, hooks::HOOKS)
    };
    let own = Cell::new(0);
    let session = session::start_with(&tool, &args.common, &[], || own.set(pid_namespace::own_id()))?;
    match args.events {
        true => run::events(&session, &args.common, own.get()),
        false => run::intervals(&session, &args),
    }
}
