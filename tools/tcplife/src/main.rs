//! tcplife: which TCP connections ended, how long did they live, how much did they move?

mod event;
mod row;
mod run;

use cli::notes::{self, Note};
use std::process::ExitCode;

use clap::Parser;
use cli::exit::{Result, report};
use common::endpoints::EndpointFilter;
use common::hooks::{Hook, Rung};
use common::{options, output, owner, session};

// The module `skel`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/skel.rs"));

/// The tool's name in records and messages.
const TOOL: &str = "tcplife";

/// What the system calls' own tracepoints cannot see.
const SYSCALLS: &Note = &notes::ACCEPTERS;

/// State changes are watched in one way on every kernel with BTF. A kprobe on the function's entry
/// misses nothing, so it comes before the tracepoints of system calls, which see fewer calls and
/// slow down all others.
const HOOKS: &[Hook] = &[
    Hook::new("states", &[Rung::new(&["on_state"])]),
    Hook::new(
        "accepts",
        &[
            Rung::new(&["accept_f"]),
            Rung::new(&["accept_k"]),
            Rung::new(&["accept_t", "accept4_t"]).limitation(SYSCALLS),
        ],
    )
    .optional(),
];

const EXAMPLES: &str = "\
Examples:
  tcplife                        each connection when it ends
  tcplife --port 443,8443        those of these ports, local or remote
  tcplife --port '1-1024,!domain'  those of low ports, but DNS
  tcplife --cidr '10.0.0.0/8,!10.1.0.0/16' --cidr 2001:db8::/32
  tcplife 10                     how many were opened and closed, every ten seconds
  tcplife --by process 10        and by which processes
  tcplife | jq -r 'select(.direction == \"out\") | [.comm, .remote_addr, .remote_port] | @tsv'
  tcplife -o csv -d 60 > minute.csv

What is reported:
  An end of a connection, when this machine's socket is finished with it. If both
  ends are here, there are two records. It is finished when its data and its FIN
  are acknowledged and the other end's FIN has come, or after a reset or a timeout.
  tcplife does not wait for the end of TIME_WAIT. A socket that was closed, and
  whose FIN is acknowledged, is finished even if the other end has not closed yet.
  pid, comm: the process (the thread that called connect) that connected, or the
  one that accepted. It stays the same if the socket is passed on. Null if the
  connection was never accepted.
  tx_bytes: what the other end has acknowledged. What was written and not yet
  acknowledged at a reset or a timeout is not included, though it may have arrived.
  rx_bytes: what was received without gaps, whether it was read or not. Neither
  counts SYN, FIN or retransmissions.
  family: IPv4-mapped addresses of IPv6 sockets (::ffff:192.0.2.1) are IPv4.
  netns: the network namespace of this end: of a container, or of the machine. Its
  number is that of `readlink /proc/PID/ns/net` and `lsns -t net`. The same addresses
  and ports may be in several at once.
  With INTERVAL: accepted and connected count when a connection opens, closed and
  all else when it ends, bytes and retransmits for its whole life. failed are
  attempts to connect that were refused, timed out or were given up. They have no
  record of their own. What never got further than a SYN (a SYN flood, a full
  queue) is not reported at all.

Filters:
  --port matches either end, --cidr the remote address. What has a ! in front is left
  out, wherever it stands in the list; a list of nothing else passes all others.
  -p, --cgroup, --comm and --user match the task that connected or accepted, as it was
  then; connections of no process are left out. All of them are applied in the kernel.

Bounds:
  Open before the start: age_s is null. The connection is attributed to the process
  that accepts it or closes it (close, shutdown, exit), to none if a reset comes
  first. Its direction is in if it has its listener's backlog limit, so of
  listen(fd, 0) it reads as out, and tx_bytes one too few. With -p and the like, a
  connection that another task opened and one of these closes looks like that, too.
  Where neither fentry nor kprobes are available, accepts are seen by the system
  calls accept and accept4: not those by io_uring and 32-bit programs. These are
  attributed to the process that closes them. So are all, if these system calls
  cannot be seen either (--check: accepts).
  With --by app, connections of no process belong to the group other.
  MPTCP: each of its TCP connections (subflows) counts separately; incoming ones
  belong to no process (before Linux 5.11 to the kernel's worker, which closes them).
  srtt_us: null without a measurement. retransmits include unnecessary ones.
  Connections open at once are remembered up to --max-open, and as many that wait to
  be accepted. lost counts those beyond, which are treated like those that were open
  before the start.
  1 MiB of connections (some 9000) may wait to be read; lost counts the others.
  A packet that an interrupt handles while one of these programs runs on that
  processor is not seen by it, on any kernel; lost counts it.";

/// Which TCP connections ended, how long did they live, how much did they move? One record for each; with INTERVAL, how
/// many.
#[derive(Parser)]
#[command(name = TOOL, version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    common: options::Common,

    #[command(flatten)]
    owner: owner::Options,

    #[command(flatten)]
    endpoints: EndpointFilter,

    /// One record per connection that ends: the default without INTERVAL and --by
    #[arg(long, conflicts_with_all = ["interval", "count", "by"])]
    events: bool,

    /// How many open connections are remembered; lost counts those beyond
    #[arg(long, value_name = "N", default_value_t = 65536, value_parser = clap::value_parser!(u32).range(1..=1 << 22))]
    max_open: u32,
}

fn main() -> ExitCode {
    report(TOOL, run())
}

fn run() -> Result<()> {
    let (args, counts): (Args, _) = options::parse_with_explicit(&["interval", "by"])?;
    if args.common.schema {
        return output::print_schema_of::<row::Connection, row::Connections>(TOOL, !counts);
    }
    let endpoints = args.endpoints.constant()?;
    let tool = session::Tool {
        configure: &|open| run::configure(open, &args, &endpoints, !counts),
        owner: Some(&args.owner),
        ..session::Tool::new(skel::TcplifeSkelBuilder::default, HOOKS)
    };
    let session = session::start(&tool, &args.common)?;
    match counts {
        true => run::intervals(&session, &args),
        false => run::events(&session, &args.common),
    }
}
