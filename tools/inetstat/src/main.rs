//! inetstat: what do processes send and receive over TCP and UDP, and what fails?

mod hooks;
mod row;
mod selftest;
mod totals;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use cli::exit::{Result, report};
use common::bpf::mmap::MappedCounters;
use common::endpoints::EndpointFilter;
use common::{options, output, owner, session};
use libbpf_rs::skel::Skel;

use crate::row::{Sees, Sockets};
use crate::skel::types::{counter as Counter, counters};

// The module `skel`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/skel.rs"));

/// The tool's name in records and messages.
const TOOL: &str = "inetstat";

const EXAMPLES: &str = "\
Examples:
  inetstat                       TCP and UDP, every second
  inetstat --by process --top 5  which processes send and receive the most
  inetstat --split family 10     IPv4 and IPv6 apart, every ten seconds
  inetstat --port domain --by comm   who asks for names, or answers
  inetstat --port '1-1024,!22' --cidr '10.0.0.0/8,!10.1.0.0/16'
  inetstat 10 | jq -c 'select(.retransmits > 0) | [.ts, .retransmits, .sends]'
  inetstat --check               which hooks it attaches to here

What is counted:
  proto: tcp, udp, mptcp or udplite; each that was active has a record.
  sends, receives: calls of any kind that sent or received, or failed (send_errors,
  receive_errors). One call may be several datagrams (UDP_SEGMENT, UDP_GRO), one of
  sendmmsg or recvmmsg is as many as it has messages. A receive at the end of a
  connection counts, with 0 bytes. Neither peeks (MSG_PEEK) count, nor receives from
  the error queue. sendfile and splice count each time the kernel hands on data: 16
  pages or fewer from Linux 6.5 on, each page before.
  tx_bytes, rx_bytes: what these calls returned: what was put into the buffer, or
  taken from it.
  would_block: calls that would have had to wait (EAGAIN), also those whose time was
  over (SO_RCVTIMEO), and with TCP Fast Open EINPROGRESS. They are no errors, and
  neither sends nor receives. io_uring tries so before it waits.
  connects: attempts to connect, when they begin; connect_errors: those that were
  refused, timed out or were given up. accepts: those that a program accepted.
  resets_sent, resets_received: RST of sockets. One that answers a packet for which
  there is no socket (a closed port) is not counted where it is sent.
  retransmits: segments sent again, as RetransSegs of `nstat`; retransmit_bytes: their
  data. SYN-ACKs count, too, and belong to the listening socket.
  drops: received datagrams for which the socket's buffer had no room.
  What a protocol does not have is null. MPTCP: an mptcp record has the calls and
  bytes of the program. Each TCP connection beneath (subflow) counts under tcp, with
  connects, resets and retransmits.

Filters:
  --port matches either end, --cidr the remote address. What has a ! in front is left
  out, wherever it stands in the list; a list of nothing else passes all others. A
  UDP socket that is not connected has no remote end: only its own port is known, and
  its address is 0.0.0.0 or ::. An attempt to connect has no local port yet, unless
  the program chose it. All filters are applied in the kernel.
  --split family, --family: 4 or 6, the version of IP that the packets have. An IPv6
  socket that is connected to an IPv4 address (mapped) has 4, one that is not
  connected has 6.

Whose it is:
  Calls belong to the task that makes them. What happens while any task may be
  running (connect_errors, resets, retransmits, drops) belongs to the task that last
  connected, listened, accepted, sent or received on that socket; to none, or with
  --by app to the group other, if that was before the start. With -p, --cgroup,
  --comm or --user only sockets that such a task has used since the start are known.

Bounds:
  --top ranks by sends and receives together.
  In-kernel users of sockets (nfsd, iSCSI) appear as their kernel threads.
  Sockets used are remembered up to --max-sockets: of TCP, lost counts those beyond;
  of the others, those used longest ago are forgotten.
  splice from a TCP socket is seen where fentry or kprobes are available, sendfile
  and splice to one before Linux 6.5, too; to other sockets only from 6.5 on.
  From Linux 6.3 on, tracepoints see sends and receives; before, functions do. Where
  neither is available these fields are null. Return probes follow max(10, 2 x CPUs)
  concurrent calls of a function, and receives wait; from Linux 6.7 on, lost counts
  the calls missed.
  Where neither fentry nor kprobes are available, accepts are seen by the system
  calls accept and accept4: not those by io_uring and 32-bit programs.
  drops over IPv6 are seen from Linux 6.6 on. Retransmissions that the device refused
  are seen by newer kernels only (6.18; not 6.12).
  A packet that an interrupt handles while one of these programs runs on that
  processor is not seen by it, on any kernel; lost counts it.";

/// What do processes send and receive over TCP and UDP, and what fails?
#[derive(Parser)]
#[command(name = TOOL, version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    common: options::Common,

    #[command(flatten)]
    owner: owner::Options,

    #[command(flatten)]
    endpoints: EndpointFilter,

    /// One record for each value of this field: family (4 or 6)
    #[arg(long, value_name = "FIELD", value_enum, hide_possible_values = true)]
    split: Option<Split>,

    /// With --by or a filter of tasks (-p, …), how many sockets' users are remembered; lost counts those beyond
    #[arg(long, value_name = "N", default_value_t = 65536, value_parser = clap::value_parser!(u32).range(1..=1 << 22))]
    max_sockets: u32,
}

/// What records can be split by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Split {
    /// IPv4 and IPv6.
    Family,
}

fn main() -> ExitCode {
    report(TOOL, run())
}

fn run() -> Result<()> {
    let args: Args = options::parse()?;
    if args.common.schema {
        return output::print_schema::<Sockets>(TOOL);
    }
    let endpoints = args.endpoints.constant()?;
    let remembers = totals::remembers_users(&args);
    let tool = session::Tool {
        configure: &|open| totals::configure(open, &args, &endpoints),
        wanted: &|hook| remembers || hook.name != hooks::ENDS,
        owner: Some(&args.owner),
        // Its sockets pass no filter on their ends.
        selftest: (!args.endpoints.is_set()).then_some(selftest::run),
        ..session::Tool::new(skel::InetstatSkelBuilder::default, hooks::HOOKS)
    };
    let session = session::start(&tool, &args.common)?;
    let sees = Sees::of(&session.plan);
    let mut totals = totals::of(session.skel.object(), &session.skel.maps.stats, &args.owner)?;
    if session.selftest_counted {
        totals::since_last(&mut totals, &args.owner)?;
    }
    let mut counters: MappedCounters<{ common::bpf::mmap::words::<counters>() }> =
        MappedCounters::map(&session.skel.maps.counters)?;
    session.intervals(TOOL, &args.common, |_| {
        let added = totals::since_last(&mut totals, &args.owner)?;
        let lost = counters.since_last()[Counter::LOST.0 as usize];
        Ok((Sockets::of(added, args.owner.by, args.split.is_some(), sees), lost))
    })
}
