//! sockls: which sockets are open, whose are they, with whom do they talk, and how much?

mod describe;
mod ended;
mod follow;
mod look;
mod resolve;
mod row;
mod run;
mod socket;
mod space;
mod sum;
mod which;

use std::process::ExitCode;

use clap::Parser;
use cli::exit::{Result, report};
use common::endpoints::EndpointFilter;
use common::hooks::{Hook, Rung};
use common::{options, output, session};

// The module `skel`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/skel.rs"));

/// The tool's name in records and messages.
const TOOL: &str = "sockls";

/// The hook of sockets that no process holds, in the tool's own network namespace: TCP's own tables
/// (`bpf_iter_init_seq_net` of kernel/bpf/net_namespace.c).
const TCP: &str = "tcp";
/// The hook of the begins and ends of connections.
const ENDS: &str = "ends";

/// The walks over files: by pointers to sockets that the kernel trusts, or by reading memory.
const FOLLOWED: &str = "list_files";
const READ: &str = "list_files_by_reading";

const HOOKS: &[Hook] = &[
    Hook::new(
        "sockets",
        &[Rung::new(&[FOLLOWED]), Rung::new(&[READ]).variant("read, as no pointer to a socket is trusted")],
    ),
    Hook::new(TCP, &[Rung::new(&["list_tcp"])]).optional(),
    Hook::new(ENDS, &[Rung::new(&["on_state", "on_end"])]),
];

const EXAMPLES: &str = "\
Examples:
  sockls                         all sockets, once
  sockls --listen --proto tcp,udp    what waits for connections, and who
  sockls | jq -c 'select(.rx_queue_bytes > 100000) | [.comm, .local_port, .rx_queue_bytes]'
  sockls --proto tcp --cidr '!127.0.0.0/8,!10.0.0.0/8,::/0' --resolve    who talks to outside
  sockls --port 1-1023,!ssh --state established,close_wait
  sockls --sum comm,remote_addr,service 10   every ten seconds, what moved by whom to where
  sockls -p 4321 1               a process's sockets every second, and those that end
  sockls --netns blue            those of a network namespace of `ip netns`
  sockls --check                 which iterators it uses here

Output:
  $ sockls --proto tcp --port 8080 --sum comm,state,service 2
                                                  rx queue tx queue        rx        tx
  time     comm        state       service  sockets    bytes    bytes     bytes     bytes
  03:00:32 curl        closed      http-alt       8        0        0  25167464       632
  03:00:32 python3     closed      http-alt       8        0        0       632  25167464
  03:00:32 -           time_wait   http-alt       9        0        0         -         -
  03:00:32 python3     listen      http-alt       1        0        0         -         -
  In these two seconds eight connections came and went, each of which lived some
  milliseconds, with all that they moved. (The last columns are left out.)

With INTERVAL, or -d:
  There is a record for each socket that is open when an interval ends, and one more
  in state closed for each that ended in it. tx_bytes, rx_bytes, retransmits and
  lost_segments are those of the interval: their sums over all records are what the
  sockets moved. Of TCP the kernel tells each end, so a connection that lived between
  two looks is told, too, with the process that opened or else closed it, but without
  fd and inode. Of others, a socket that no process holds any more has ended.
  Without INTERVAL there is one look, and these fields are of the life of a
  connection. interval_s is then the time that the look took.

Which sockets:
  --port, --cidr and --family as in tcplife: an exclusion counts wherever it stands in
  a list; a list of nothing else passes all others. A socket without another end has
  the remote port 0 and the address 0.0.0.0 or ::. Sockets that are not of IP pass none
  of these. They, -p, --cgroup and --user are applied in the kernel. With -p or
  --cgroup, sockets without a process are left out, and holders counts those processes
  alone. --user is about who made the socket, as the field user has it.

Bounds:
  A socket has one record, for the process with the lowest id that holds it. A thread
  that has unshared its descriptors counts as its process.
  Sockets of all network namespaces are told that a process of this PID namespace
  holds. Those that none holds, of TCP alone, are of this network namespace: they wait
  to be accepted, for the last packets of a connection that was closed, in time_wait,
  or in syn_recv; and those of the kernel itself (NFS). Of other network namespaces
  such a connection is told when it ends. A socket that is being passed to another
  process, and one that only io_uring holds, belongs to none; unless it is of TCP it
  is missing, and with INTERVAL told as closed.
  UDP, unix and raw sockets keep no count of bytes: tx_bytes and rx_bytes are null;
  inetstat has them by process. So do MPTCP's; the TCP connections beneath are told,
  without a process.
  tx_bytes counts a byte when it is sent first, with what is not acknowledged yet.
  rx_bytes and tx_bytes are of data: without SYN and FIN, which bytes_acked and
  bytes_received of ss count.
  direction is in for connections that were accepted from a listener with a backlog;
  with none, 0, they read as out. Of time_wait it is null.
  cookie is null before Linux 5.12, and where --check says that sockets are read, if
  nobody has asked the kernel for that socket's cookie before (ss -e does).
  A look is no instant: sockets that come or go while it lasts may be missing in it.
  age_s, and the process of a connection that lived between two looks, are known of
  connections that began after the start, up to --max-open; lost counts those beyond.
  A process that connects again with a socket that it has disconnected (AF_UNSPEC)
  begins a new count: what the first connection moved since the last look is missing.
  A packet that an interrupt handles while one of these programs runs on that
  processor is not seen by it, on any kernel; lost counts it.
  remote_name comes beside the looks, which never wait for it; it is null until an
  answer has come. A single look waits for all together two seconds at most. 65536
  addresses are looked up, in /etc/hosts and then by the servers of /etc/resolv.conf;
  answers are kept as long as the tool runs.
  cgroup of a socket whose cgroup was made and removed since the last look is an id.
  A hundred thousand sockets take less than 64 MiB with INTERVAL, 30 MiB without, and
  a look some 0.5 s.";

/// Of a socket there are a process and a maker, which are not those of a task that does something.
const COMM: &str = "Only sockets whose holder's name matches, * for any text; with ! in front, none of these; \
    repeatable, or a list";
const USER: &str = "Only sockets that this user made, by number or by name in /etc/passwd; with ! in front, none of \
    these; repeatable, or a list";

/// Which sockets are open, whose are they, with whom do they talk, and how much?
#[derive(Parser)]
#[command(
    name = TOOL, version, after_help = EXAMPLES,
    mut_arg("comm", |arg| arg.help(COMM)), mut_arg("user", |arg| arg.help(USER)),
)]
struct Args {
    #[command(flatten)]
    common: options::Common,

    #[command(flatten)]
    endpoints: EndpointFilter,

    #[command(flatten)]
    which: which::Which,

    /// One record for all sockets that have these fields in common: pid, comm, user, cgroup, netns, proto, family, state,
    /// direction, local_addr, local_port, remote_addr, remote_port, service, remote_name, remote_space; repeatable, or a
    /// list
    #[arg(long, value_name = "FIELDS", value_delimiter = ',', value_enum, hide_possible_values = true)]
    sum: Vec<sum::Field>,

    /// Look up the names of remote addresses, in /etc/hosts and DNS
    #[arg(long)]
    resolve: bool,

    /// No names of services and users
    #[arg(short, long, conflicts_with = "services")]
    numeric: bool,

    /// Names of services beside those of /etc/services: lines of `name port/protocol` or `port = name`; repeatable
    #[arg(long, value_name = "FILE")]
    services: Vec<String>,

    /// With INTERVAL, how many open connections are remembered; lost counts those beyond
    #[arg(long, value_name = "N", default_value_t = 65536, value_parser = clap::value_parser!(u32).range(1..=1 << 22))]
    max_open: u32,

    /// With INTERVAL, how many TCP sockets that ended in an interval there is room for, at least; lost counts those
    /// beyond
    #[arg(long, value_name = "N", default_value_t = 16384, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    max_closed: u32,
}

fn main() -> ExitCode {
    report(TOOL, run())
}

fn run() -> Result<()> {
    let (args, follows): (Args, bool) = options::parse_with_explicit(&["interval", "duration"])?;
    if args.common.schema {
        return output::print_schema::<row::Socket>(TOOL);
    }
    args.which.check(follows)?;
    let endpoints = args.endpoints.constant()?;
    // Those belong to none.
    let ownerless = !args.common.filters_processes();
    let tool = session::Tool {
        configure: &|open| run::configure(open, &args, &endpoints, follows),
        wanted: &|hook| match hook.name {
            TCP => ownerless,
            ENDS => follows,
            _ => true,
        },
        decides_by_comm: true,
        ..session::Tool::new(skel::SocklsSkelBuilder::default, HOOKS)
    };
    let session = session::start(&tool, &args.common)?;
    if follows { run::intervals(&session, &args) } else { run::once(&session, &args) }
}
