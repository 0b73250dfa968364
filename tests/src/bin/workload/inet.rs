//! `inet --parts PART,…`: known work with sockets, each part in a process of its own, one after the other, in a network
//! namespace of their own. PART is one of the names in `PARTS`; `loss` needs `tc` and the kernel's netem. With `--here`
//! this process does them itself. `--port N` is the port where connections and datagrams go, by default a free one.
//!
//! It prints what the calls returned, a line for each part, protocol and family:
//! `{"part":…,"pid":…,"proto":"tcp","family":4,"sends":…,…}` with the fields that are not 0, `spliced` and
//! `spliced_bytes` for receives by splice(2); `{"part":…,"skipped":true}` where the kernel has no such protocol; and at
//! the end of each part what the kernel's own counters (`/proc/net/snmp`, `netstat`) say of it:
//! `{"part":…,"ledger":{"ActiveOpens":…,…}}`; and in the end of all: `{"part":"all","ledger":…}`.

mod connections;
mod ledger;
mod sockets;
mod tally;
mod tcp;
mod udp;

use crate::args::Args;
use crate::{network, sys};
use ledger::Ledger;

/// The parts, by their names.
const PARTS: [(&str, fn()); 32] = [
    ("tcp4", || tcp::stream(libc::AF_INET, 401)),
    ("tcp6", || tcp::stream(libc::AF_INET6, 401)),
    ("tcp_mapped", tcp::mapped),
    ("vectors", tcp::vectors),
    ("messages", tcp::messages),
    ("sendfile", tcp::sendfile),
    ("splice_out", tcp::splice_out),
    ("splice_in", tcp::splice_in),
    ("zerocopy", tcp::zerocopy),
    ("uring", tcp::uring),
    ("partial", tcp::partial),
    ("pipe", tcp::broken_pipe),
    ("peek", tcp::peek),
    ("mptcp", tcp::mptcp),
    ("connect4", || connections::accepted(libc::AF_INET)),
    ("connect6", || connections::accepted(libc::AF_INET6)),
    ("connect_later", connections::non_blocking),
    ("refused", connections::refused),
    ("reset", connections::reset),
    ("unread", connections::unread),
    ("unanswered", connections::unanswered),
    ("loss", tcp::loss),
    ("udp4", || udp::datagrams(libc::AF_INET)),
    ("udp6", || udp::datagrams(libc::AF_INET6)),
    ("udp_connected", udp::connected),
    ("udp_mapped", udp::mapped),
    ("udp_truncated", udp::truncated),
    ("udp_drop", || udp::dropped(libc::AF_INET)),
    ("udp_drop6", || udp::dropped(libc::AF_INET6)),
    ("udp_cork", udp::corked),
    ("udp_gso", udp::segmented),
    ("udp_errors", udp::errors),
];

/// Also a part, but not on kernels without it.
const UDPLITE: &str = "udplite";

/// Does the work.
pub fn run(args: &Args) {
    network::of_our_own();
    sockets::use_port(args.count("port") as u16);
    let before = Ledger::now();
    for name in args.text("parts").expect("--parts PART,…").split(',') {
        let part = PARTS.iter().find(|(known, _)| *known == name).map(|(_, part)| *part);
        let part = part.or((name == UDPLITE).then_some(udp::lite as fn()));
        let part = part.unwrap_or_else(|| panic!("--parts {name}: unknown"));
        let before = Ledger::now();
        sys::part(name, args.has("here"), || {
            part();
            tally::print(name);
        });
        Ledger::now().print_since(&before, name);
    }
    Ledger::now().print_since(&before, "all");
    args.hold();
}
