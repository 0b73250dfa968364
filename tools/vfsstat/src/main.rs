//! vfsstat: what does the machine ask of its file systems?

mod prove;
mod row;

use std::process::ExitCode;

use clap::Parser;
use common::banks::Counters;
use common::exit::{Result, report};
use common::hooks::{Hook, Kind, Rung};
use common::interval::Ticks;
use common::output::Writer;
use common::{cli, filter, output, session};
use libbpf_rs::num_possible_cpus;

// The module `skel`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/skel.rs"));

/// The tool's name in records and messages.
const TOOL: &str = "vfsstat";

/// What the last rung of each hook cannot see.
const SYSCALLS: Option<&str> =
    Some("only calls of 64-bit programs, and none by io_uring; bad descriptors count too");

/// What the functions of single system calls cannot see.
const NATIVE: Option<&str> = Some("only calls of 64-bit programs, and none by io_uring");

/// A hook of functions, by trampoline or breakpoint, and of system calls.
const fn hook(name: &'static str, rungs: &'static [Rung]) -> Hook {
    Hook { name, rungs, optional: false }
}

const fn rung(programs: &'static [&'static str], bound: Option<&'static str>) -> Rung {
    Rung { programs, bound }
}

const HOOKS: &[Hook] = &[
    hook(
        "reads",
        &[
            rung(&["read_f", "readv_f"], None),
            rung(&["read_k", "readv_k"], None),
            rung(&["read_t", "pread64_t", "readv_t", "preadv_t", "preadv2_t"], SYSCALLS),
        ],
    ),
    hook(
        "writes",
        &[
            rung(&["write_f", "writev_f"], None),
            rung(&["write_k", "writev_k"], None),
            rung(&["write_t", "pwrite64_t", "writev_t", "pwritev_t", "pwritev2_t"], SYSCALLS),
        ],
    ),
    hook(
        "opens",
        &[
            rung(&["open_f"], None),
            rung(&["open_k"], None),
            rung(&["open_t", "creat_t", "openat_t", "openat2_t"], SYSCALLS),
            // arm64 and riscv have no open and creat.
            rung(&["openat_t", "openat2_t"], SYSCALLS),
        ],
    ),
    hook(
        "unlinks and rmdirs",
        &[
            rung(&["unlink_f", "rmdir_f"], None),
            rung(&["unlink_f7", "rmdir_f7"], None),
            rung(&["unlink_k", "rmdir_k"], None),
            rung(&["unlink_k7", "rmdir_k7"], None),
            // One hook, for unlinkat(2) is both.
            rung(&["unlink_t", "rmdir_t", "unlinkat_enter_t", "unlinkat_t"], SYSCALLS),
            rung(&["unlinkat_enter_t", "unlinkat_t"], SYSCALLS),
        ],
    ),
    hook(
        "mkdirs",
        &[
            rung(&["mkdir_f"], None),
            rung(&["mkdir_f7"], None),
            rung(&["mkdir_k"], None),
            rung(&["mkdir_k7"], None),
            rung(&["mkdir_t", "mkdirat_t"], SYSCALLS),
            rung(&["mkdirat_t"], SYSCALLS),
        ],
    ),
    hook(
        "renames",
        &[
            rung(&["rename_f"], None),
            rung(&["rename_f7"], None),
            rung(&["rename_k"], None),
            rung(&["rename_k7"], None),
            rung(&["rename_t", "renameat_t", "renameat2_t"], SYSCALLS),
            rung(&["renameat2_t"], SYSCALLS),
        ],
    ),
    hook(
        "fsyncs",
        &[
            rung(&["fsync_f"], None),
            rung(&["fsync_fd_f"], None),
            rung(&["fsync_sys_f", "fdatasync_sys_f"], NATIVE),
            rung(&["fsync_fd_k"], None),
            rung(&["fsync_sys_k", "fdatasync_sys_k"], NATIVE),
            rung(&["fsync_t", "fdatasync_t"], SYSCALLS),
        ],
    ),
];

const EXAMPLES: &str = "\
Examples:
  vfsstat                        a line every second
  vfsstat 10 6                   six records of ten seconds
  vfsstat --cgroup system.slice/postgresql.service 5
  vfsstat 1 | jq -c '[.ts, .fsyncs, .open_errors]'
  vfsstat --check                which functions or system calls it watches here

Bounds:
  Reads and writes are those of descriptors of any kind, files, pipes and sockets,
  by read(2), write(2) and their like; not mmap, sendfile, splice, io_uring.
  A call that an overlay file system makes beneath itself is not another request.
  creates: files that an open brought into being. Failed ones (create_errors) are
  told only where functions are watched by fentry.
  Where the kernel lets no function be watched, the system calls are: those of
  64-bit programs only, and failing calls with a bad descriptor count, too.";

/// What does the machine ask of its file systems?
#[derive(Parser)]
#[command(name = TOOL, version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    common: cli::Common,
}

fn main() -> ExitCode {
    report(TOOL, run())
}

fn run() -> Result<()> {
    let args: Args = cli::parse()?;
    if args.common.schema {
        return output::print_schema::<row::Counts>(TOOL);
    }
    let filter = filter::Filter::new(&args.common.pid, args.common.cgroup.as_deref())?;
    let cpus = num_possible_cpus().unwrap_or(1) as u32;
    let tool = session::Tool {
        builder: skel::VfsstatSkelBuilder::default,
        configure: &|open: &mut skel::OpenVfsstatSkel<'_>| open.maps.counters.set_max_entries(cpus),
        hooks: HOOKS,
        wanted: &|_| true,
        prove: Some(prove::prove),
    };
    let mut session = session::start(&tool, &args.common, &filter)?;
    if args.common.check {
        return common::print_check(&session.plan, &args.common);
    }
    let sees_create_errors =
        session.plan.program("open_f").is_some_and(|program| program.kind == Kind::Fentry);
    let mut counters: Counters<{ row::COUNTERS }> = Counters::map(&session.skel.maps.counters)?;
    // What the proof of the hooks did is nobody's request.
    counters.since_last();
    let mut writer = Writer::new(TOOL, &args.common);
    let mut ticks = Ticks::new(args.common.interval, args.common.count, args.common.duration);
    while let Some(tick) = ticks.next(&session.stop) {
        let counts = row::Counts::new(&counters.since_last(), sees_create_errors);
        let account = session.meter.account();
        writer.interval(&tick, &[counts], 0, account)?;
    }
    Ok(())
}
