//! vfsstat: which calls does the machine make to its file systems?

mod row;
mod selftest;

use cli::notes::{self, Note};
use std::process::ExitCode;

use clap::Parser;
use cli::exit::{Result, report};
use common::hooks::{Hook, Rung};
use common::measure::counters::Counters;
use common::{options, output, owner, session};
use libbpf_rs::skel::Skel;

// The module `skel`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/skel.rs"));

/// The tool's name in records and messages.
const TOOL: &str = "vfsstat";

/// What the system calls' own tracepoints cannot see.
const SYSCALLS: &Note = &notes::SYSCALLS_TRIED;

/// What the functions of single system calls cannot see if those of 32-bit programs are not there,
/// too. Other architectures have one function for both.
const NATIVE: &Note = &notes::NATIVE_X86;

/// The limitation of return probes: the kernel keeps room for max(10, 2 × CPUs) concurrent calls of
/// a function (`register_kretprobe` of kernel/kprobes.c), and a call that waits, for example on a
/// pipe, holds its room until it returns. Kernels that are not preemptible had room for one per CPU
/// until commit 3b7ddab8a19a ("kprobes: kretprobe events missing on 2-core KVM guest"), which is in
/// 6.2 and was backported.
const PROBED: &Note = &notes::PROBED;

/// The same, of calls that have other functions for 32-bit programs on x86.
const NATIVE_PROBED: &Note = if cfg!(target_arch = "x86_64") { &notes::NATIVE_X86_PROBED } else { PROBED };

const HOOKS: &[Hook] = &[
    Hook::new(
        "reads",
        &[
            Rung::new(&["read_f", "readv_f"]),
            Rung::new(&["read_t", "pread64_t", "readv_t", "preadv_t", "preadv2_t"]).limitation(SYSCALLS),
            Rung::new(&["read_k", "readv_k"]).limitation(PROBED),
        ],
    ),
    Hook::new(
        "writes",
        &[
            Rung::new(&["write_f", "writev_f"]),
            Rung::new(&["write_t", "pwrite64_t", "writev_t", "pwritev_t", "pwritev2_t"]).limitation(SYSCALLS),
            Rung::new(&["write_k", "writev_k"]).limitation(PROBED),
        ],
    ),
    Hook::new(
        "opens",
        &[
            Rung::new(&["open_f"]),
            Rung::new(&["open_t", "creat_t", "openat_t", "openat2_t"]).limitation(SYSCALLS),
            // arm64 and riscv have no open and creat.
            Rung::new(&["openat_t", "openat2_t"]).limitation(SYSCALLS),
            Rung::new(&["open_k"]).limitation(PROBED),
        ],
    ),
    Hook::new(
        "unlinks and rmdirs",
        &[
            Rung::new(&["unlink_f", "rmdir_f"]),
            Rung::new(&["unlink_f7", "rmdir_f7"]),
            // One hook, because unlinkat(2) is both.
            Rung::new(&["unlink_t", "rmdir_t", "unlinkat_enter_t", "unlinkat_t"]).limitation(SYSCALLS),
            Rung::new(&["unlinkat_enter_t", "unlinkat_t"]).limitation(SYSCALLS),
            Rung::new(&["unlink_k", "rmdir_k"]).limitation(PROBED),
            Rung::new(&["unlink_k7", "rmdir_k7"]).limitation(PROBED),
        ],
    ),
    Hook::new(
        "mkdirs",
        &[
            Rung::new(&["mkdir_f"]),
            Rung::new(&["mkdir_f7"]),
            Rung::new(&["mkdir_t", "mkdirat_t"]).limitation(SYSCALLS),
            Rung::new(&["mkdirat_t"]).limitation(SYSCALLS),
            Rung::new(&["mkdir_k"]).limitation(PROBED),
            Rung::new(&["mkdir_k7"]).limitation(PROBED),
        ],
    ),
    Hook::new(
        "renames",
        &[
            Rung::new(&["rename_f"]),
            Rung::new(&["rename_f7"]),
            Rung::new(&["rename_t", "renameat_t", "renameat2_t"]).limitation(SYSCALLS),
            // arm64 has no rename, riscv neither that nor renameat.
            Rung::new(&["renameat_t", "renameat2_t"]).limitation(SYSCALLS),
            Rung::new(&["renameat2_t"]).limitation(SYSCALLS),
            Rung::new(&["rename_k"]).limitation(PROBED),
            Rung::new(&["rename_k7"]).limitation(PROBED),
        ],
    ),
    Hook::new(
        "fsyncs",
        &[
            // On each kernel the same, and exact: see the functions' comment.
            Rung::new(&["fsync_sys_f", "fdatasync_sys_f", "fsync_sys_32f", "fdatasync_sys_32f"]),
            Rung::new(&["fsync_sys_f", "fdatasync_sys_f"]).limitation_on_x86(NATIVE),
            Rung::new(&["fsync_t", "fdatasync_t"]).limitation(SYSCALLS),
            Rung::new(&["fsync_sys_k", "fdatasync_sys_k", "fsync_sys_32k", "fdatasync_sys_32k"])
                .limitation(PROBED),
            Rung::new(&["fsync_sys_k", "fdatasync_sys_k"]).limitation(NATIVE_PROBED),
        ],
    ),
];

const EXAMPLES: &str = "\
Examples:
  vfsstat                        a line every second
  vfsstat 10 6                   six records of ten seconds
  vfsstat --by process --top 5   which processes make the most calls
  vfsstat --cgroup system.slice/postgresql.service 5
  vfsstat 1 | jq -c '[.ts, .fsyncs, .open_errors]'
  vfsstat --check                which functions or system calls it attaches to here

Bounds:
  Each count includes the calls that failed, which its _errors field counts.
  At the start the tool makes a few calls itself, to see that each hook is called:
  a function that the compiler inlined can be attached to, and is never called.
  --top ranks by the calls of all kinds together.
  Calls are those of programs. Reads and writes are those of descriptors of any
  kind (files, pipes, sockets) by read(2), write(2) and their variants; not mmap,
  sendfile or splice.
  io_uring: its reads, writes, opens and fsyncs do not count. Its unlinks, renames
  and new directories count by fentry and return probes.
  Calls that an overlay file system makes to its layers are not counted again.
  creates: files that an open created, with a name or without (O_TMPFILE). Failed
  ones (create_errors) are known only by fentry.
  fsyncs: fsync(2) and fdatasync(2); syncsnoop shows sync, syncfs, msync and
  sync_file_range as well. synced_writes: writes that also sync their own data
  (O_SYNC, O_DSYNC, RWF_SYNC, RWF_DSYNC, a synchronous file or mount). They are no
  fsyncs, and are known only by fentry.
  Where the kernel has no fentry, tracepoints of system calls are used: calls of
  64-bit programs only, and failing calls with a bad descriptor count, too.
  Without tracefs, or with --attach kprobe, return probes are used. The kernel
  follows max(10, 2 x CPUs) concurrent calls of a function, an old one (5.10) one
  per CPU, and readers that wait on pipes use these up. From Linux 6.7 on, lost
  counts the calls missed.";

/// Which calls does the machine make to its file systems?
#[derive(Parser)]
#[command(name = TOOL, version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    common: options::Common,

    #[command(flatten)]
    owner: owner::Options,
}

fn main() -> ExitCode {
    report(TOOL, run())
}

fn run() -> Result<()> {
    let args: Args = options::parse()?;
    if args.common.schema {
        return output::print_schema::<row::OperationCounts>(TOOL);
    }
    let tool = session::Tool {
        owner: Some(&args.owner),
        selftest: Some(selftest::run),
        ..session::Tool::new(skel::VfsstatSkelBuilder::default, HOOKS)
    };
    let session = session::start(&tool, &args.common)?;
    let sees = row::Sees {
        create_errors: session.plan.loads("open_f"),
        synced_writes: session.plan.loads("write_f"),
    };
    let mut counters: Counters<'_, { row::COUNTERS }> =
        Counters::after_selftest(session.skel.object(), &args.owner, row::LOST, session.selftest_counted)?;
    session.intervals(TOOL, &args.common, |_| {
        let (added, lost) = counters.since_last()?;
        Ok((row::OperationCounts::of(added, &args.owner, sees), lost))
    })
}
