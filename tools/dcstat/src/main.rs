//! dcstat: are path look-ups served from the directory cache?

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
const TOOL: &str = "dcstat";

/// The limitation of the entry of `d_alloc_parallel`.
const ENTRIES: &Note = &notes::DENTRIES;

const HOOKS: &[Hook] = &[
    Hook::new("walks", &[Rung::new(&["walk_f"]), Rung::new(&["walk_k"])]),
    Hook::new("opens", &[Rung::new(&["open_f"]), Rung::new(&["open_k"])]),
    Hook::new(
        "misses",
        &[
            // The rung with more arguments first: a kernel whose function has fewer refuses it,
            // while the other program would take an argument for the return value.
            Rung::new(&["search_f"]).variant("three arguments"),
            Rung::new(&["search_f7"]).variant("two arguments"),
            Rung::new(&["search_k"]).limitation(ENTRIES),
        ],
    ),
    Hook::new(
        "changes",
        &[
            Rung::new(&["change_f", "alloc_f"]),
            Rung::new(&["change_f5", "alloc_f"]),
            Rung::new(&["change_k", "alloc_k"]),
            Rung::new(&["change_k5", "alloc_k"]),
        ],
    ),
];

const EXAMPLES: &str = "\
Examples:
  dcstat                         a line every second
  dcstat 10 6                    six records of ten seconds
  dcstat --cgroup system.slice/postgresql.service 5
  dcstat --by process --top 5    which processes make the look-ups
  dcstat 1 | jq -c '[.ts, .misses, .hit_ratio]'
  dcstat --check                 which functions it attaches to here

What is counted:
  references  names in paths: stat(\"/usr/lib/x\") looks up three. A symbolic link
              adds those of its target. Not . and .., and not what a file system
              looks up itself, such as an overlay in its layers.
  slow        look-ups that took the directory's lock: the name was not found, or
              is to be made, removed or renamed (mkdir, unlink, rename, open with
              O_CREAT | O_EXCL; before Linux 6.12 any O_CREAT).
  misses      look-ups that reached the file system. A name that is known not to
              exist is a hit, if the file system keeps that: tmpfs does not.
  hit_ratio   (references - misses) / references.
So misses <= slow <= references, except for look-ups in progress when an
interval ends.

Bounds:
  /proc, like tmpfs, keeps no names that do not exist. The names that it looks up
  while a directory of it is listed are no references.
  If a directory changed under a path walk, the kernel restarts the walk, and its
  names count again. So do those of an open by io_uring that could not be done at
  once.
  By kprobes, tasks that look up the same new name at once count a miss each,
  although only one of them reaches the file system and the others wait for it.
  A look-up in progress when an interval ends counts as a reference before and as a
  miss after.
  There are no tracepoints of look-ups. A kernel with neither fentry nor kprobes is
  refused with status 3, or 4 if it has them and does not permit them.";

/// Are path look-ups served from the directory cache?
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
        return output::print_schema::<row::Lookups>(TOOL);
    }
    let tool = session::Tool {
        configure: &|open| {
            selftest::teach(open);
            Ok(())
        },
        owner: Some(&args.owner),
        selftest: Some(selftest::run),
        ..session::Tool::new(skel::DcstatSkelBuilder::default, HOOKS)
    };
    let session = session::start(&tool, &args.common)?;
    let mut counters: Counters<'_, { row::COUNTERS }> =
        Counters::after_selftest(session.skel.object(), &args.owner, row::LOST, session.selftest_counted)?;
    session.intervals(TOOL, &args.common, |_| {
        let (added, lost) = counters.since_last()?;
        Ok((row::Lookups::of(added, &args.owner), lost))
    })
}
