//! tcplife: which TCP connections lived, how long, how much did they move?

mod ends;
mod event;
mod row;
mod run;

use std::process::ExitCode;

use clap::Parser;
use common::exit::{Result, report};
use common::hooks::{Hook, Rung};
use common::{cli, output, owner, session};

// The module `skel`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/skel.rs"));

/// The tool's name in records and messages.
const TOOL: &str = "tcplife";

/// What the system calls' own tracepoints cannot see.
const SYSCALLS: &str =
    "who accepts by io_uring, or is a 32-bit program, is not seen: such a connection is his who closes it";

/// The states can be had in one way on every kernel with types. By a probe of the function's entry nothing is missed, so
/// it comes before the tracepoints of system calls, which see fewer calls and slow all others.
const HOOKS: &[Hook] = &[
    Hook::new("states", &[Rung::new(&["on_state"])]),
    Hook::new(
        "accepts",
        &[
            Rung::new(&["accept_f"]),
            Rung::new(&["accept_k"]),
            Rung::new(&["accept_t", "accept4_t"]).bound(SYSCALLS),
        ],
    )
    .optional(),
];

const EXAMPLES: &str = "\
Examples:
  tcplife                        each connection when it ends
";

/// Which TCP connections lived, how long, how much did they move? A record for each that ends; with INTERVAL, how many.
#[derive(Parser)]
#[command(name = TOOL, version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    common: cli::Common,

    #[command(flatten)]
    owner: owner::Options,

    #[command(flatten)]
    ends: ends::Ends,

    /// A record for each connection that ends, which is what there is without INTERVAL and --by
    #[arg(long, conflicts_with_all = ["interval", "count", "by"])]
    events: bool,

    /// How many connections that are open at once are remembered; what finds no room is in lost
    #[arg(long, value_name = "N", default_value_t = 65536, value_parser = clap::value_parser!(u32).range(1..=1 << 22))]
    max_open: u32,
}

fn main() -> ExitCode {
    report(TOOL, run())
}

fn run() -> Result<()> {
    let (args, counts): (Args, _) = cli::parse_told(&["interval", "by"])?;
    if args.common.schema {
        return match counts {
            true => output::print_schema::<row::Connections>(TOOL),
            false => output::print_schema::<row::Connection>(TOOL),
        };
    }
    let asked = args.ends.asked()?;
    let tool = session::Tool {
        builder: skel::TcplifeSkelBuilder::default,
        configure: &|open| run::configure(open, &args, &asked, !counts),
        hooks: HOOKS,
        wanted: &|_| true,
        owner: Some(&args.owner),
        prove: None,
    };
    let mut session = session::start(&tool, &args.common)?;
    match counts {
        true => run::intervals(&mut session, &args),
        false => run::events(&mut session, &args.common),
    }
}
