//! syncsnoop: which processes force data to disk and wait for it?

mod event;
mod row;

use cli::notes::{self, Note};
use std::process::ExitCode;

use clap::Parser;
use clap::builder::ArgPredicate;
use cli::exit::{Result, report};
use common::bpf::mmap::words;
use common::hooks::{Hook, Rung};
use common::measure::events;
use common::measure::latency::{self, CallLatencies, Room};
use common::{options, output, owner, session};
use libbpf_rs::skel::{OpenSkel, Skel};

// The module `skel`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/skel.rs"));

/// The tool's name in records and messages.
const TOOL: &str = "syncsnoop";

/// The limitation of the calls' functions without those of 32-bit programs. Other architectures
/// have one function for both.
const NATIVE: &Note = &notes::NATIVE_X86;

/// The same of a call that has a function of its own for them everywhere, for its 64-bit arguments.
const NATIVE_RANGES: &Note = if cfg!(target_arch = "x86_64") { NATIVE } else { &notes::NATIVE };

/// What the system calls' own tracepoints cannot see.
const SYSCALLS: &Note = &notes::SYSCALLS;

/// The limitation of return probes: see vfsstat. These calls wait, and so use up the room. Kernels
/// that are not preemptible had less of it until commit 3b7ddab8a19a ("kprobes: kretprobe events
/// missing on 2-core KVM guest"), which is in 6.2 and was backported.
const PROBED: &Note = &notes::PROBED;

/// The same for calls with other functions for 32-bit programs.
const NATIVE_PROBED: &Note = if cfg!(target_arch = "x86_64") { &notes::NATIVE_X86_PROBED } else { PROBED };

/// The same for the call that has other functions for them everywhere.
const NATIVE_RANGES_PROBED: &Note =
    if cfg!(target_arch = "x86_64") { NATIVE_PROBED } else { &notes::NATIVE_PROBED };

/// First what sees all calls, then what sees 64-bit programs only, and last the return probes,
/// which have little room. No self-test is needed: the functions' addresses are in tables, so no
/// compiler can inline them.
const HOOKS: &[Hook] = &[
    Hook::new(
        "sync",
        &[
            Rung::new(&["sync_enter_f", "sync_exit_f"]),
            Rung::new(&["sync_enter_t", "sync_exit_t"]).limitation(SYSCALLS),
            Rung::new(&["sync_enter_k", "sync_exit_k"]).limitation(PROBED),
        ],
    ),
    Hook::new(
        "syncfs",
        &[
            Rung::new(&["syncfs_enter_f", "syncfs_exit_f", "syncfs_enter_32f", "syncfs_exit_32f"]),
            Rung::new(&["syncfs_enter_f", "syncfs_exit_f"]).limitation_on_x86(NATIVE),
            Rung::new(&["syncfs_enter_t", "syncfs_exit_t"]).limitation(SYSCALLS),
            Rung::new(&["syncfs_enter_k", "syncfs_exit_k"]).limitation(NATIVE_PROBED),
        ],
    ),
    Hook::new(
        "fsync",
        &[
            Rung::new(&["fsync_enter_f", "fsync_exit_f", "fsync_enter_32f", "fsync_exit_32f"]),
            Rung::new(&["fsync_enter_f", "fsync_exit_f"]).limitation_on_x86(NATIVE),
            Rung::new(&["fsync_enter_t", "fsync_exit_t"]).limitation(SYSCALLS),
            Rung::new(&["fsync_enter_k", "fsync_exit_k"]).limitation(NATIVE_PROBED),
        ],
    ),
    Hook::new(
        "fdatasync",
        &[
            Rung::new(&[
                "fdatasync_enter_f",
                "fdatasync_exit_f",
                "fdatasync_enter_32f",
                "fdatasync_exit_32f",
            ]),
            Rung::new(&["fdatasync_enter_f", "fdatasync_exit_f"]).limitation_on_x86(NATIVE),
            Rung::new(&["fdatasync_enter_t", "fdatasync_exit_t"]).limitation(SYSCALLS),
            Rung::new(&["fdatasync_enter_k", "fdatasync_exit_k"]).limitation(NATIVE_PROBED),
        ],
    ),
    Hook::new(
        "msync",
        &[
            Rung::new(&["msync_enter_f", "msync_exit_f", "msync_enter_32f", "msync_exit_32f"]),
            Rung::new(&["msync_enter_f", "msync_exit_f"]).limitation_on_x86(NATIVE),
            Rung::new(&["msync_enter_t", "msync_exit_t"]).limitation(SYSCALLS),
            Rung::new(&["msync_enter_k", "msync_exit_k"]).limitation(NATIVE_PROBED),
        ],
    ),
    Hook::new(
        "sync_file_range",
        &[
            Rung::new(&[
                "sync_file_range_enter_f",
                "sync_file_range_exit_f",
                "sync_file_range_enter_32f",
                "sync_file_range_exit_32f",
            ]),
            Rung::new(&["sync_file_range_enter_f", "sync_file_range_exit_f"]).limitation(NATIVE_RANGES),
            Rung::new(&["sync_file_range_enter_t", "sync_file_range_exit_t"]).limitation(SYSCALLS),
            Rung::new(&["sync_file_range_enter_k", "sync_file_range_exit_k"])
                .limitation(NATIVE_RANGES_PROBED),
        ],
    ),
];

const EXAMPLES: &str = "\
Examples:
  syncsnoop                      each call, every second
  syncsnoop --by process 10      and which process makes them
  syncsnoop --by app --apps groups.conf   and which of these groups of processes
  syncsnoop --events             each call as it returns: process, file, duration
  syncsnoop --min-us 10000 | jq -r '[.comm, .call, .path] | @tsv'
  syncsnoop --buckets 10 1       ten seconds, distributions drawn
  syncsnoop --cgroup system.slice/postgresql.service 5

Bounds:
  --top ranks by all calls together.
  Percentiles are at most 3.2 % off; the rest is exact. Before Linux 5.12 so are
  min and max, if two processors end a call of one kind at the same instant.
  Times are those in the kernel, from a call's entry to its exit.
  System calls only: not the requests of io_uring, nor writes with O_SYNC, O_DSYNC
  or RWF_DSYNC. Calls in progress at the start are not counted. Failed calls
  count, in the latencies too.
  Where the kernel has no fentry, only calls of 64-bit programs are seen. Without
  tracefs, or with --attach kprobe, return probes are used: the kernel follows
  max(10, 2 x CPUs) concurrent calls, an old one (5.10) one per CPU, and these
  calls wait. From Linux 6.7 on, lost counts the calls missed.
  --min-us filters in the kernel: shorter calls cost no record.
  path: as /proc/PID/fd shows it when the call returns, from the root of the
  process's mount namespace. With more than 1 KiB or 64 directories and mounts it
  begins with …/, and without a slash where the file is in no directory (memfd).
  Null if the call has no descriptor (sync, msync), if the descriptor is not open,
  or if it was closed while the call was in progress.
  All concurrent calls are tracked, before Linux 5.13 up to 8192; lost counts the
  others. Of the programs that a preemptible kernel skips, each is an entry or an
  exit. If the exit of one call and the entry of the next are both skipped, one
  call is reported, from the start of the first to the end of the second.";

/// Which processes force data to disk and wait for it? sync, syncfs, fsync, fdatasync, msync and sync_file_range, and
/// how long each takes.
#[derive(Parser)]
#[command(name = TOOL, version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    common: options::Common,

    #[command(flatten)]
    owner: owner::Options,

    /// Add the histogram: field buckets, or drawn below a table's lines
    #[arg(long)]
    buckets: bool,

    /// One record per call, instead of latencies per interval
    #[arg(long, conflicts_with_all = ["interval", "count", "buckets", "by"],
          default_value_if("min_us", ArgPredicate::IsPresent, "true"))]
    events: bool,

    /// --events, but only calls that took at least so many microseconds
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with_all = ["interval", "count", "buckets", "by"])]
    min_us: u32,
}

fn main() -> ExitCode {
    report(TOOL, run())
}

fn run() -> Result<()> {
    let args: Args = options::parse()?;
    if args.common.schema {
        return output::print_schema_of::<row::Event, row::Calls>(TOOL, args.events);
    }
    output::check_buckets(&args.common, args.buckets)?;
    let room = Room::of(row::CALLS.len());
    let ring = args.events.then_some(events::RING_BYTES);
    let tool = session::Tool {
        configure: &|open: &mut skel::OpenSyncsnoopSkel<'_>| {
            if let Some(constants) = open.maps.rodata_data.as_deref_mut() {
                constants.min_ns = u64::from(args.min_us) * 1_000;
            }
            latency::configure(open.open_object_mut(), room, ring)
        },
        owner: Some(&args.owner),
        ..session::Tool::new(skel::SyncsnoopSkelBuilder::default, HOOKS)
    };
    let session = session::start(&tool, &args.common)?;
    if args.events {
        return session.events::<COUNTERS, _>(TOOL, &args.common, LOST, event::decode, |_| true);
    }
    let latencies = CallLatencies::of(session.skel.object(), room, &args.owner)?;
    session.latencies::<COUNTERS, _>(TOOL, &args.common, latencies, LOST, |deltas| {
        row::Calls::of(deltas, args.owner.by, args.buckets)
    })
}

/// How many counters there are in a bank, and which of them counts losses.
const COUNTERS: usize = words::<skel::types::counters>();
const LOST: usize = skel::types::counter::LOST.0 as usize;
