//! tcplife: which TCP connections lived, how long, how much did they move?

mod ends;
mod event;
mod row;
mod run;

use std::process::ExitCode;

use clap::Parser;
use cli::exit::{Result, report};
use common::hooks::{Hook, Rung};
use common::{options, output, owner, session};

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
  tcplife --port 443,8443        those of these ports, local or remote
  tcplife --cidr 10.0.0.0/8 --cidr 2001:db8::/32
  tcplife 10                     how many were opened and closed, every ten seconds
  tcplife --by process 10        and by whom
  tcplife | jq -r 'select(.direction == \"out\") | [.comm, .remote_addr, .remote_port] | @tsv'
  tcplife -o csv -d 60 > minute.csv

What is told:
  An end of a connection, when this machine's socket is through with it: where both
  ends are here there are two records. It is through when its data and its FIN are
  acknowledged and the other end's FIN has come, or a reset, or a timeout; what waits
  in TIME_WAIT after that is not waited for. A socket that was closed, and has had its
  FIN acknowledged, is through even if the other end has not closed yet.
  pid, comm: who connected (the thread that called connect), or accepted. It remains
  his when he hands the socket over. Null where nobody accepted it.
  tx_bytes: what the other end has acknowledged. What was written and not yet
  acknowledged when a reset or a timeout came is not in it, though it may have
  arrived. rx_bytes: what came without gaps, whether it was read or not. Neither
  counts SYN, FIN or what was sent again.
  family: IPv4-mapped addresses of IPv6 sockets (::ffff:192.0.2.1) are IPv4.
  With INTERVAL: accepted and connected count when a connection opens, closed and all
  else when it ends, bytes and retransmits for its whole life. failed are attempts to
  connect that were refused, timed out or were given up: they have no record of their
  own, nor has what never got further than a SYN (a SYN flood, a full queue).

Filters:
  --port matches either end, --cidr the remote address. -p and --cgroup match who
  connected or accepted; what is nobody's is not told with them.

Bounds:
  Open before the start: age_s is null; it is his who accepts it or closes it (close,
  shutdown, exit), nobody's if a reset comes first; its direction is in if it has its
  listener's limit of waiting connections, so of listen(fd, 0) it reads as out, and
  tx_bytes one too few. With -p or --cgroup, what another task opened and one of
  these closes looks like that, too.
  Where neither fentry nor kprobes can be had, the accepts are seen by the system
  calls accept and accept4: not those by io_uring and 32-bit programs, which then
  are his who closes them. The same where these cannot be had (--check: accepts).
  With --by app, what is nobody's is of the group other.
  MPTCP: each of its TCP connections (subflows) counts by itself; incoming ones are
  nobody's (before Linux 5.11 the kernel's worker's, which closes them).
  srtt_us: null without a measurement; retransmits do not tell which were in vain.
  Connections open at once are remembered up to --max-open, and as many that wait to
  be accepted: lost tells those without room, which are treated like those that were
  open before the start.
  1 MiB of connections (some 9000) may wait to be read; lost tells the others.
  A packet that an interrupt handles while one of these programs runs on that
  processor is not seen by it, on any kernel; nor is a task's change of state where
  programs can be preempted (Debian from 6.18 on). Both are in lost.";

/// Which TCP connections lived, how long, how much did they move? A record for each that ends; with INTERVAL, how many.
#[derive(Parser)]
#[command(name = TOOL, version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    common: options::Common,

    #[command(flatten)]
    owner: owner::Options,

    #[command(flatten)]
    ends: ends::Ends,

    /// A record for each connection that ends, which is what there is without INTERVAL and --by
    #[arg(long, conflicts_with_all = ["interval", "count", "by"])]
    events: bool,

    /// How many connections that are open at once are remembered; lost tells those that find no room
    #[arg(long, value_name = "N", default_value_t = 65536, value_parser = clap::value_parser!(u32).range(1..=1 << 22))]
    max_open: u32,
}

fn main() -> ExitCode {
    report(TOOL, run())
}

fn run() -> Result<()> {
    let (args, counts): (Args, _) = options::parse_told(&["interval", "by"])?;
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
