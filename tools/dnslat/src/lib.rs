//! dnslat: which names are asked for, by whom, of which server, and how long does the answer take?
//!
//! A library, so that the parser of messages can be fuzzed; the program is [`main`].

pub mod fuzz;
mod hooks;
mod message;
mod name;
mod names_filter;
mod numbers;
mod pending;
mod query;
mod rcode;
mod reader;
mod row;
mod run;
mod stream;
mod totals;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap::builder::ArgPredicate;
use cli::exit::{Result, report};
use common::endpoints::EndpointFilter;
use common::{options, output, owner, session};

use crate::names_filter::NamePattern;
use crate::rcode::Rcode;

// The module `skel`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/skel.rs"));

/// The tool's name in records and messages.
const TOOL: &str = "dnslat";

/// The ports of DNS and multicast DNS.
const PORTS: [u16; 2] = [53, 5353];

/// What the filters on sockets are here.
const PORT: &str = "Only servers at this port: a number, a range (1-1024) or a service of /etc/services; with ! in front, \
     none at it; repeatable, or a list: 53,!5353 [default: 53,5353]";
const CIDR: &str = "Only servers in this network, or with this address; with ! in front, none of these; repeatable, or a list";

const EXAMPLES: &str = "\
Examples:
  dnslat                         each server, every second
  dnslat --by process --top 5 10 which processes ask the most, every ten seconds
  dnslat --events                each query as it is answered: who, what, result, how long
  dnslat --rcode NXDOMAIN,timeout
  dnslat --min-us 100000 --name '*.example.com'
  dnslat --events | jq -r '[.comm, .query_type, .name, .rcode, .duration_us] | @tsv'
  dnslat --buckets 10 1          ten seconds, distributions drawn
  dnslat --cidr '!127.0.0.0/8'   not those to a resolver on this machine

Output of dnslat --events | jq -c '[.query_type, .name, .rcode, .addresses, .duration_us]':
  [\"A\",\"ok-2.addresses.test\",\"NOERROR\",\"192.0.2.7,192.0.2.8\",2258.199]
  [\"AAAA\",\"ok-3.addresses.test\",\"NOERROR\",\"2001:db8::7\",2227.544]
  [\"A\",\"nx-5.example.test\",\"NXDOMAIN\",\"\",2181.515]
  [\"A\",\"silent-7.example.test\",null,null,null]
  [\"A\",\"\\\\010{\\\"a\\\":1}\\\\013\\\\027[31m,;.ok\",\"NOERROR\",\"192.0.2.7,192.0.2.8\",2221.365]

What is reported:
  Messages as the asker sees them: what a process here sends to a port of DNS, and the
  answer it reads. What is asked of a server on this machine is not reported as the
  server's, but as its asker's. An application that asks 127.0.0.53, and the resolver
  there that asks another server, are two queries, told apart by server_addr. A query
  of a container counts once, as the container sends it.
  An answer belongs to a query between the same ends with the same id and, unless it
  has none, the same question; of several alike to the oldest. Others (sent by
  strangers, come too late, to queries before the start) are not counted.
  timeouts: no answer within --timeout. It is counted, and an event, when that is over;
  what still waits when dnslat ends is neither.
  retries: queries for a name and type that the same process had asked for in the last
  two time-outs, without an answer yet, of whichever server.
  duration_us and the latencies: from just before the query is sent until the program
  reads the answer, in the kernel. So a program that reads late adds to them.
  Multicast DNS (port 5353): answers come from others than were asked, and have no id.
  The first with the name answers the query; more count in answers only, and each that
  reads one counts. Answers that nobody asked for are not counted.

Filters:
  --port is the server's port: 53 and 5353 if no other is asked for. --cidr is the
  server's address. What has a ! in front is left out, wherever it stands in the list;
  a list of nothing else passes all others. -p, --cgroup, --comm and --user match
  who asks. All of them are applied in the kernel to queries; --name, --rcode and --min-us after it.
  --name: * is anything, case does not matter; names are written as in --events.

Bounds:
  --top ranks by queries.
  Percentiles are at most 3.2 % off; the rest is exact.
  Standard queries only (opcode 0), the first question of each. No DNS over TLS, HTTPS
  or QUIC, nor TCP-based ones of MPTCP sockets. Raw and packet sockets are not seen.
  UDP_SEGMENT: the first datagram of a call. A query counts also if it is not sent
  after all: a firewall's rule, no buffer.
  TCP: what programs pass to the kernel or take from it, put together from any number
  of calls; not by splice, nor a send of which the kernel takes a part only. Of
  connections that were open at the start, messages that begin with a call are seen.
  A query that opens its connection (TCP Fast Open) is seen if the call waits for that;
  one that does not wait is seen when it is sent again, not within the SYN.
  Where neither fentry nor kprobes are available, TCP is not seen, and tracepoints of
  devices show datagrams: at their arrival, and with addresses after NAT.
  Some drivers (virtio_net) leave all but the headers of a long packet in other pages.
  With fentry such an answer is read from the program's memory, if it reads it into
  one buffer. With kprobes lost counts it, and it is a time-out. With tracepoints it
  is so, too; if the driver leaves also the header of UDP there, lost does not count
  it. A query is in one piece, unless it is sent by several calls (MSG_MORE).
  addresses: those in the first 1280 bytes of an answer, 64 at most.
  At most --max-pending queries wait at once, of which 64 have all but their names in
  common; twice as many names are remembered for retries. Messages of 4096 connections
  may be incomplete at once. --map-size is of servers, transports and owners together:
  4096 also without --by. lost counts what is beyond any of these. A query beyond
  --max-pending counts, but what becomes of it does not.
  2 MiB of messages (some 9000 short ones) may wait to be read; lost counts the
  others. A lost answer is a time-out.
  A packet that an interrupt handles while one of these programs runs on that
  processor is not seen by it, on any kernel; lost counts it.";

/// Which names are asked for, by whom, of which server, and how long does the answer take? Queries over UDP and TCP, their
/// answers, and those that get none.
#[derive(Parser)]
#[command(name = TOOL, version, after_help = EXAMPLES)]
#[command(mut_arg("port", |port| port.help(PORT)))]
#[command(mut_arg("cidr", |cidr| cidr.help(CIDR)))]
struct Args {
    #[command(flatten)]
    common: options::Common,

    #[command(flatten)]
    owner: owner::Options,

    #[command(flatten)]
    endpoints: EndpointFilter,

    /// Only queries for names like this one; with ! in front, none of these; repeatable, or a list
    #[arg(long, value_name = "PATTERN", value_delimiter = ',', value_parser = NamePattern::parse)]
    name: Vec<NamePattern>,

    /// How long to wait for an answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = timeout)]
    timeout: Duration,

    /// How many queries may wait for their answers at once; lost counts those beyond
    #[arg(long, value_name = "N", default_value_t = 16384, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    max_pending: u32,

    /// Add the histogram: field buckets, or drawn below a table's lines
    #[arg(long)]
    buckets: bool,

    /// One record per query when it is answered or its time is over, instead of counts per interval
    #[arg(long, conflicts_with_all = ["interval", "count", "buckets", "by"],
          default_value_ifs([("min_us", ArgPredicate::IsPresent, "true"), ("rcode", ArgPredicate::IsPresent, "true")]))]
    events: bool,

    /// --events, but only these response codes: names or numbers, timeout for no answer; repeatable, or a list
    #[arg(long, value_name = "RCODE", value_delimiter = ',', value_parser = Rcode::parse,
          conflicts_with_all = ["interval", "count", "buckets", "by"])]
    rcode: Vec<Rcode>,

    /// --events, but only queries that took at least so many microseconds
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with_all = ["interval", "count", "buckets", "by"])]
    min_us: u32,
}

/// A length of time in seconds, 10 ms to an hour.
fn timeout(text: &str) -> std::result::Result<Duration, String> {
    let length = cli::duration::parse(text)?;
    if !(0.01..=3600.0).contains(&length.as_secs_f64()) {
        return Err("must be from 0.01 seconds to an hour".to_string());
    }
    Ok(length)
}

/// Runs the program.
pub fn main() -> ExitCode {
    report(TOOL, run())
}

fn run() -> Result<()> {
    let args: Args = options::parse()?;
    if args.common.schema {
        return output::print_schema_of::<row::Event, row::Queries>(TOOL, args.events);
    }
    output::check_buckets(&args.common, args.buckets)?;
    let endpoints = args.endpoints.of_ports(&PORTS).constant()?;
    let tool = session::Tool {
        configure: &|open| run::configure(open, &args, &endpoints),
        owner: Some(&args.owner),
        ..session::Tool::new(skel::DnslatSkelBuilder::default, hooks::HOOKS)
    };
    let session = session::start(&tool, &args.common)?;
    match args.events {
        true => run::events(&session, &args),
        false => run::intervals(&session, &args),
    }
}
