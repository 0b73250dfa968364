//! `dns --parts PART,…`: queries with known answers, each part in a process of its own, one after the other, in a network
//! namespace of their own, where another process answers at 127.0.0.53 and ::1, over UDP and TCP (`server`). PART is one
//! of the names in `PARTS`. With `--here` this process asks itself. With `--netns FILE` it enters that namespace instead,
//! and with `--server ADDRESS` asks that one, which answers somewhere else: `dns --serve ADDRESS --netns FILE`, which
//! prints `ready` and answers until it is sent a line. `--server-cgroup PATH`: where the process that answers belongs. With
//! `--resolver` dnsmasq answers at 127.0.0.53, which asks the server, at 127.0.0.9 then (`resolver`).
//!
//! It prints a line for each part and transport: `{"part":…,"pid":…,"server_addr":…,"transport":"udp","queries":…,…}`
//! with the fields that are not 0; an answer that took longer than the time-out of `dnslat` counts as one that never came.

mod asker;
mod message;
mod parts;
mod resolver;
mod server;
mod tally;

use std::net::IpAddr;

use crate::args::Args;
use crate::{network, sys};

/// Does the work.
pub fn run(args: &Args) {
    match args.text("netns") {
        Some(file) => sys::enter_network(file),
        None => network::of_our_own(),
    }
    let address = |option: &str| {
        args.text(option)
            .map(|text| text.parse::<IpAddr>().unwrap_or_else(|_| panic!("--{option} {text}: no address")))
    };
    if let Some(address) = address("serve") {
        let server = server::Server::at(&[address]);
        server.start();
        args.say_and_wait("ready");
        return;
    }
    let (mut answers, mut resolver) = (None, None);
    match address("server") {
        Some(address) => asker::ask_at(address),
        None => {
            let resolves = args.has("resolver");
            let own = if resolves { vec![resolver::UPSTREAM] } else { vec![asker::SERVER, asker::SERVER6] };
            let server = server::Server::at(&own);
            answers = Some(sys::child_that(|| {
                sys::end_with_parent();
                args.join("server-cgroup");
                server.start();
                loop {
                    std::thread::park();
                }
            }));
            resolver = resolves.then(resolver::start);
        }
    }
    for name in args.text("parts").expect("--parts PART,…").split(',') {
        let part = parts::PARTS.iter().find(|(known, _)| *known == name).map(|(_, part)| *part);
        let part = part.unwrap_or_else(|| panic!("--parts {name}: unknown"));
        sys::part(name, args.has("here"), || {
            part();
            tally::print(name);
        });
    }
    args.hold();
    resolver.into_iter().for_each(resolver::Resolver::end);
    if let Some(server) = answers {
        sys::kill(server);
    }
}
