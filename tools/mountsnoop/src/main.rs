//! mountsnoop: which processes mount and unmount?

mod event;
mod flags;
mod hooks;
mod row;

use std::process::ExitCode;

use clap::Parser;
use cli::exit::{Result, report};
use common::bpf::mmap::words;
use common::measure::events;
use common::measure::latency::{self, CallLatencies, Room};
use common::{options, output, owner, session};
use hooks::HOOKS;
use libbpf_rs::skel::{OpenSkel, Skel};

// The module `skel`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/skel.rs"));

/// The tool's name in records and messages.
const TOOL: &str = "mountsnoop";

const EXAMPLES: &str = "\
Examples:
  mountsnoop                     each call, every second
  mountsnoop --by process 10     and which process makes them
  mountsnoop --events            each call as it returns: what, where, duration, result
  mountsnoop --events | jq -c 'select(.errno) | [.comm, .call, .source, .target, .errno]'
  mountsnoop --buckets 10 1      ten seconds, distributions drawn
  mountsnoop --cgroup system.slice/docker.service 5
  mountsnoop --check             which functions or system calls it attaches to here

Output of mountsnoop --events | jq -c '[.call, .source, .target, .fs, .flags, .options, .mounts]':
  [\"mount\",\"none\",\"/mnt\",\"tmpfs\",\"MS_NOSUID|MS_NODEV\",\"size=64k\",15]
  [\"umount\",null,\"/mnt\",null,\"MNT_DETACH\",null,14]
  [\"fsopen\",null,null,\"tmpfs\",\"0\",null,14]
  [\"fsconfig\",\"made\",null,\"tmpfs\",null,\"FSCONFIG_CMD_CREATE\",14]
  [\"fsmount\",null,null,\"tmpfs\",\"0\",\"MOUNT_ATTR_NOSUID\",14]
  [\"move_mount\",\"\",\"/mnt\",null,\"MOVE_MOUNT_F_EMPTY_PATH\",null,15]

Bounds:
  --top ranks by all calls together.
  Percentiles are at most 3.2 % off; the rest is exact. Before Linux 5.12 so are
  min and max, if two processors end a call of one kind at the same instant.
  Times are those in the kernel, from a call's entry to its exit; of ns_end, how long
  the unmounting took. Failed calls count, in the latencies too. Calls in progress at
  the start are not counted.
  mount(2) is mount, bind, remount, move or propagation, by its flags. move is also
  a move_mount(2) of a tree that was visible. open_tree_attr(2) counts as open_tree.
  Of fsconfig(2) only FSCONFIG_CMD_CREATE and FSCONFIG_CMD_CREATE_EXCL count: it is
  called once for each option beside. fspick(2) does not count.
  attached and detached count trees, also where a tree has several mounts or is
  propagated to other namespaces: one for each mount, bind or move_mount, and one for
  each umount, that succeeded. A move is neither. So the old and the new interface
  add up. What a new namespace copies from the old is not attached by a call.
  ns_end: a namespace that ended with mounts in it, as the last process that was in
  it exits or leaves, or as the last descriptor of it is closed. count is the
  namespaces, detached their mounts, also one that lies below the root of all
  processes (7.x). It belongs to the process that gave the namespace up last.
  Texts of --events are what the caller wrote, not resolved, read when the call
  returns; cut at 255 bytes (fs: 63), then they end with …. Null if the kernel had
  not to read them, or if they are gone. Options that are no text (nfs, smb) are cut
  at their first zero. mounts is of the whole namespace: what others mount meanwhile
  is in it.
  Where the kernel has neither fentry nor kprobes, tracepoints of system calls are
  used: only calls of 64-bit programs, and no ns_end. With --attach kprobe, return
  probes are used: the kernel follows max(10, 2 x CPUs) concurrent calls, an old one
  (5.10) one per CPU. From Linux 6.7 on, lost counts the calls missed.
  All concurrent calls are tracked, before Linux 5.13 up to 8192; lost counts the
  others. Of the programs that a preemptible kernel skips, each is an entry or an
  exit. If the exit of one call and the entry of the next are both skipped, one
  call is reported, from the start of the first to the end of the second.";

/// Which processes mount and unmount, what fails, and how long does it take? The calls of the old and the new interface, and
/// the namespaces that end with mounts in them.
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
    #[arg(long, conflicts_with_all = ["interval", "count", "buckets", "by"])]
    events: bool,
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
        configure: &|open: &mut skel::OpenMountsnoopSkel<'_>| {
            latency::configure(open.open_object_mut(), room, ring)
        },
        owner: Some(&args.owner),
        ..session::Tool::new(skel::MountsnoopSkelBuilder::default, HOOKS)
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
