//! fslat: how long do file systems take?

mod event;
mod hook_names;
mod hooks;
mod row;
mod run;

use std::process::ExitCode;

use clap::Parser;
use clap::builder::{ArgPredicate, PossibleValuesParser};
use cli::exit::{Result, report};
use common::measure::latency::Room;
use common::{options, output, owner, session};

// The module `skel`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/skel.rs"));

/// The tool's name in records and messages.
const TOOL: &str = "fslat";

const EXAMPLES: &str = "\
Examples:
  fslat                          each file system and operation, every second
  fslat --fs ext4,xfs --op sync  what fsync costs on disks
  fslat --by process --top 3     which processes make the most calls
  fslat --min-us 10000 | jq -r '[.comm, .op, .path, .duration_us] | @tsv'
  fslat --buckets 10 1           ten seconds, distributions drawn
  fslat --cgroup system.slice/postgresql.service 5
  fslat --check                  which hooks are used for each file system here

Bounds:
  --top ranks by all operations together.
  Percentiles are at most 3.2 % off; the rest is exact. Before Linux 5.12 so are
  min and max, if two processors end an operation of one kind at the same instant.
  Times are those of the file system's own function, from its entry to its return.
  They include waiting for pages, locks and disks, and not the rest of the system
  call.
  All callers count: programs, the kernel's NFS server, loop devices, io_uring.
  A file system on another is two, with a record each: a read of an overlay is one
  of overlay and one of the file system beneath. A write with O_SYNC is a write and
  mostly makes a sync. msync(2) makes a sync. Calls in progress at the start do
  not count.
  Reads and writes are those of files, by calls; not page faults of mmap, not
  write-back, nor, from Linux 6.5 on, sendfile, splice and copy_file_range.
  An asynchronous direct request (libaio, io_uring) ends for the file system when
  it is passed to the disk: such a call's time does not include the disk's.
  io_uring first tries without waiting. A request counts once, when an attempt ends
  it, with that attempt's time: of a buffered read the wait for its pages is mostly
  before. With RWF_NOWAIT, those of io_uring and libaio that end in EAGAIN do not
  count. A direct request that found no room in the disk's queue counts again.
  Before Linux 5.12 what io_uring's own threads do belongs to no process: --by
  and filters of tasks do not attribute it.
  open: of files, not directories, and after the look-up found the file: an open of
  a missing file never reaches the file system's open. For nfs (NFSv4) the look-up
  is a part of it. sync: fsync and fdatasync, of files and directories (for nfs only
  of files: for a directory it does nothing). getattr: stat, of nfs only.
  tmpfs: memfds and shared memory as well. ext4: ext2 and ext3 as well, where its
  code serves them.
  File systems that are not in the kernel are no error. One whose module is loaded
  after the start is not seen: start fslat after the mount.
  Where functions have no fentry (modules before Linux 6.1), or a file system lacks
  the function (tmpfs open before 6.6), system calls are timed instead: read, write,
  fsync, fdatasync, open and their variants, of 64-bit programs, on files of that
  file system; none by io_uring or the kernel. Their times are those of the whole
  call, of an open with the look-up of the path. File systems beneath an overlay
  are not seen then, nor opens that fail.
  Without tracefs, or with --attach kprobe, return probes are used: the kernel
  follows max(10, 2 x CPUs) concurrent calls of a function, an old one (5.10) one
  per CPU, and these calls wait. From Linux 6.7 on, lost counts the calls missed.
  Events: path is as /proc/PID/fd shows it when the call returns, beneath an overlay
  from the root of its layer; see syncsnoop --help. offset of an append is where it
  began. fslat's own calls make no events; those of other programs in its pipe do.
  bytes and offset of an io_uring request are those of its last attempt.
  Of the programs that a preemptible kernel skips, each is an entry or an exit. If
  the exit of one call and the entry of the next are both skipped, one call is
  reported, from the start of the first to the end of the second.
  zfs: its hooks have not been tested on a kernel with zfs.";

/// How long do file systems take? Reads, writes, opens and syncs, each from the entry of the file system's own function
/// to its return.
#[derive(Parser)]
#[command(name = TOOL, version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    common: options::Common,

    #[command(flatten)]
    owner: owner::Options,

    /// Only these file systems: ext4, xfs, btrfs, nfs, overlay, tmpfs, zfs
    #[arg(long, value_name = "NAME,..", value_delimiter = ',', hide_possible_values = true,
        value_parser = PossibleValuesParser::new(row::FILE_SYSTEMS))]
    fs: Vec<String>,

    /// Only these operations: read, write, open, sync, getattr
    #[arg(long, value_name = "NAME,..", value_delimiter = ',', hide_possible_values = true,
        value_parser = PossibleValuesParser::new(row::OPS))]
    op: Vec<String>,

    /// Add the histogram: field buckets, or drawn below a table's lines
    #[arg(long)]
    buckets: bool,

    /// One record per operation, instead of latencies per interval
    #[arg(long, conflicts_with_all = ["interval", "count", "buckets", "by"],
          default_value_if("min_us", ArgPredicate::IsPresent, "true"))]
    events: bool,

    /// --events, but only operations that took at least so many microseconds
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with_all = ["interval", "count", "buckets", "by"])]
    min_us: u32,
}

fn main() -> ExitCode {
    report(TOOL, run())
}

fn run() -> Result<()> {
    let args: Args = options::parse()?;
    if args.common.schema {
        return output::print_schema_of::<row::Event, row::Ops>(TOOL, args.events);
    }
    output::check_buckets(&args.common, args.buckets)?;
    let room = Room::of(run::KEYS);
    let selection = hook_names::Selection::new(&args.fs, &args.op, args.common.kernel.is_some());
    let tool = session::Tool {
        configure: &|open| run::configure(open, &args, room),
        wanted: &|hook| selection.wants(hook.name),
        owner: Some(&args.owner),
        ..session::Tool::new(skel::FslatSkelBuilder::default, hooks::HOOKS)
    };
    let mut session = session::start(&tool, &args.common)?;
    run::by_syscall(&mut session);
    match args.events {
        true => run::events(&session, &args.common),
        false => run::intervals(&session, &args, room),
    }
}
