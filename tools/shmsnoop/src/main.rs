//! shmsnoop: which processes use System V shared memory?

mod event;
mod row;
mod run;
mod segments;

use cli::notes::{self, Note};
use std::process::ExitCode;

use clap::Parser;
use cli::exit::{Result, report};
use common::hooks::{Hook, Rung};
use common::{options, output, owner, session};

// The module `skel`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/skel.rs"));

/// The tool's name in records and messages.
const TOOL: &str = "shmsnoop";

/// What the system calls' own tracepoints cannot see.
const SYSCALLS: &Note = &notes::SYSCALLS;

/// The limitation of the functions of shmctl without that of 32-bit programs.
const NATIVE: &Note = &notes::NATIVE;

/// The limitation of return probes: see vfsstat.
const PROBED: &Note = &notes::PROBED;

/// The same, of the functions of shmctl.
const NATIVE_PROBED: &Note = &notes::NATIVE_PROBED;

/// First the functions that every way into the kernel ends in, then the tracepoints of system calls. No self-test is needed:
/// measured on all kernels, each is called for each call, and newseg, shm_destroy and shm_close for each segment.
const HOOKS: &[Hook] = &[
    Hook::new(
        "get",
        &[
            Rung::new(&["get_f", "get_fx"]),
            Rung::new(&["get_k", "get_kx"]).limitation(PROBED),
            Rung::new(&["get_t", "get_tx"]).limitation(SYSCALLS),
        ],
    ),
    Hook::new(
        "attach",
        &[
            Rung::new(&["attach_f", "attach_fx"]),
            Rung::new(&["attach_k", "attach_kx"]).limitation(PROBED),
            Rung::new(&["attach_t", "attach_tx"]).limitation(SYSCALLS),
        ],
    ),
    Hook::new(
        "detach",
        &[
            Rung::new(&["detach_f", "detach_fx"]),
            Rung::new(&["detach_k", "detach_kx"]).limitation(PROBED),
            Rung::new(&["detach_t", "detach_tx"]).limitation(SYSCALLS),
        ],
    ),
    Hook::new(
        "control",
        &[
            Rung::new(&["control_f", "control_fx", "control_32f", "control_32fx"]),
            Rung::new(&["control_f", "control_fx"]).limitation(NATIVE),
            Rung::new(&["control_k", "control_kx", "control_32k", "control_32kx"]).limitation(PROBED),
            Rung::new(&["control_k", "control_kx"]).limitation(NATIVE_PROBED),
            Rung::new(&["control_t", "control_tx"]).limitation(SYSCALLS),
        ],
    ),
    Hook::new(
        "created",
        &[Rung::new(&["created_f"]), Rung::new(&["created_k", "created_kx"]).limitation(PROBED)],
    )
    .optional(),
    Hook::new("destroyed", &[Rung::new(&["destroyed_f"]), Rung::new(&["destroyed_k"])]).optional(),
    Hook::new("exit_detaches", &[Rung::new(&["exit_detached_f"]), Rung::new(&["exit_detached_k"])])
        .optional(),
];

const EXAMPLES: &str = "\
Examples:
  shmsnoop                       calls and segments, every second
  shmsnoop --by process 10       and which process makes them
  shmsnoop --events              each call as it returns: process, segment, result
  shmsnoop --events | jq -c 'select(.errno) | [.comm, .call, .key, .errno]'
  shmsnoop --cgroup system.slice/postgresql.service 5
  shmsnoop --check               which functions or system calls it attaches to here

Output of shmsnoop --events -o json | jq -c '[.call, .shmid, .size_bytes, .addr, .flags, .cmd, .ret, .errno]':
  [\"get\",1736758,4096,null,\"IPC_CREAT|IPC_EXCL|0600\",null,1736758,null]
  [\"attach\",1736758,null,\"0x7f3349087000\",\"0\",null,139858245349376,null]
  [\"detach\",null,null,\"0x7f3349087000\",null,null,0,null]
  [\"control\",1736758,null,null,null,\"IPC_RMID\",0,null]
  [\"get\",null,4096,null,\"0000\",null,null,2]

Bounds:
  System V shared memory only (shmget and its like). POSIX shared memory (shm_open)
  and memfd_create are files: vfsstat.
  Each count of calls includes the failed ones, which its _errors field counts. Those
  of 32-bit programs count, direct and by ipc(2), but not by tracepoints of system
  calls.
  --top ranks by all calls together.
  created and destroyed are segments, by whichever call: a segment is destroyed when
  it has been removed (IPC_RMID) and its last attachment ends, by the process that
  causes it; those of an IPC namespace that ends, by a kernel thread.
  exit_detaches: attachments that ended with the memory of their process, by its exit
  or an exec; children inherit attachments, so there can be more than calls. What
  munmap(2) unmaps is neither that nor a call. If another process reads that memory
  in /proc at that moment, it may be the one that the end is attributed to.
  segments, segment_bytes: what exists in the tool's own IPC namespace, whatever the
  filter; null with --by.
  Where the kernel has neither fentry nor kprobes, tracepoints of system calls are
  used: calls of 64-bit programs only; created, created_bytes, destroyed,
  destroyed_bytes and exit_detaches are null.
  With --attach kprobe, return probes are used: the kernel follows max(10, 2 x CPUs)
  concurrent calls, an old one (5.10) one per CPU. From Linux 6.7 on, lost counts the
  calls missed. Up to 1024 segments can be in creation at once; lost counts the others.
  With --events all concurrent calls are tracked, before Linux 5.13 up to 8192; lost
  counts the others. Calls in progress at the start are not reported.";

/// Which processes use System V shared memory, and what fails? shmget, shmat, shmdt and shmctl, and the segments that come
/// and go.
#[derive(Parser)]
#[command(name = TOOL, version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    common: options::Common,

    #[command(flatten)]
    owner: owner::Options,

    /// One record per call, instead of counts per interval
    #[arg(long, conflicts_with_all = ["interval", "count", "by"])]
    events: bool,
}

fn main() -> ExitCode {
    report(TOOL, run())
}

fn run() -> Result<()> {
    let args: Args = options::parse()?;
    if args.common.schema {
        return output::print_schema_of::<row::Event, row::Counts>(TOOL, args.events);
    }
    let tool = session::Tool {
        configure: &|open| run::configure(open, args.events),
        wanted: &|hook| !args.events || !matches!(hook.name, "created" | "destroyed" | "exit_detaches"),
        owner: Some(&args.owner),
        ..session::Tool::new(skel::ShmsnoopSkelBuilder::default, HOOKS)
    };
    let session = session::start(&tool, &args.common)?;
    match args.events {
        true => run::events(&session, &args.common),
        false => run::intervals(&session, &args),
    }
}
