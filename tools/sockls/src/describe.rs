//! From a socket to its record.

use std::time::Duration;

use cli::exit::{Failure, Result};
use common::bpf::bytes::{chars, text};
use common::endpoints::Services;
use common::owner::By;
use common::owner::cgroups::Cgroups;
use common::owner::users::Users;

use crate::Args;
use crate::follow::{Moved, Told};
use crate::look::Look;
use crate::resolve::Resolver;
use crate::row::{Keys, Socket};
use crate::socket::socket_row;
use crate::space::space;
use crate::which::passes;

/// What names things.
pub struct Names {
    users: Users,
    services: Services,
    cgroups: Cgroups,
    resolver: Option<Resolver>,
}

impl Names {
    /// As the options want it.
    ///
    /// # Errors
    /// A usage error for a file of services that cannot be read.
    pub fn of(args: &Args) -> Result<Self> {
        let services = || Services::read(&args.services);
        let services = if args.numeric { Ok(Services::default()) } else { services() };
        Ok(Self {
            users: if args.numeric { Users::default() } else { Users::read() },
            services: services.map_err(|what| Failure::usage(format!("--services {what}")))?,
            cgroups: Cgroups::of(By::Cgroup),
            resolver: args.resolve.then(Resolver::start),
        })
    }

    /// Asks for the names of the other ends, and waits for them no longer than this.
    pub fn ask(&mut self, look: &Look, ended: &[Told], at_most: Duration) {
        self.cgroups.next(std::iter::empty());
        let Some(resolver) = &mut self.resolver else { return };
        let rows = look.rows.iter().map(AsRef::as_ref).chain(ended.iter().map(|told| &told.row));
        rows.filter_map(socket_row::remote_addr).for_each(|address| resolver.ask(address));
        resolver.answers(at_most);
    }

    /// All that was asked for is written.
    pub fn written(&mut self) {
        self.cgroups.drop_removed();
    }

    /// Whether names of other ends are asked for.
    pub fn resolves(&self) -> bool {
        self.resolver.is_some()
    }

    fn remote_name(&self, row: &socket_row) -> Option<String> {
        self.resolver.as_ref()?.name(row.remote_addr()?).map(String::from)
    }

    fn service(&self, row: &socket_row) -> Option<String> {
        let protocol = if row.proto() == "udp" || row.proto() == "udplite" { "udp" } else { "tcp" };
        row.service_ports().find_map(|port| self.services.name(port, protocol)).map(String::from)
    }

    fn keys(&mut self, row: &socket_row) -> Keys {
        let held = row.is_held();
        // Of one that ended between two looks the process is known alone.
        let found = held && row.inode != 0;
        let is_ip = row.is_ip();
        Keys {
            pid: Some(held.then_some(row.pid)),
            comm: Some(comm(row)),
            fd: Some(found.then_some(row.fd)),
            user: Some(Some(self.users.name(row.uid))),
            cgroup: Some((held && row.cgroup != 0).then(|| self.cgroups.path(row.cgroup))),
            netns: Some(Some(row.netns)),
            proto: Some(Some(row.proto())),
            family: Some(is_ip.then(|| row.version())),
            state: Some(Some(row.state())),
            direction: Some(row.direction()),
            local_addr: Some(is_ip.then(|| row.local_addr())),
            local_port: Some(is_ip.then_some(row.ends.local_port)),
            remote_addr: Some(row.remote_addr()),
            remote_port: Some(row.has_peer().then_some(row.ends.remote_port)),
            service: Some(self.service(row)),
            remote_name: self.resolves().then(|| self.remote_name(row)),
            remote_space: Some(row.remote_addr().map(space)),
            ifindex: Some(Some(row.ifindex)),
            inode: Some(found.then_some(row.inode)),
            cookie: Some((row.cookie != 0).then_some(row.cookie)),
        }
    }

    /// The record of a socket, unless it is not asked for.
    pub fn record(&mut self, told: &Told, args: &Args) -> Option<Socket> {
        let Told { row, holders, moved } = told;
        if !args.which.shows(row) || !passes(&args.common.comm, comm(row).as_deref()) {
            return None;
        }
        let keys = self.keys(row);
        let name = keys.remote_name.as_ref().and_then(Option::as_deref);
        args.which.shows_host(name).then(|| measured(row, *holders, *moved, keys))
    }
}

/// The name of the process that holds it.
fn comm(row: &socket_row) -> Option<String> {
    row.is_held().then(|| text(chars(&row.comm)))
}

fn measured(row: &socket_row, holders: u32, moved: Moved, keys: Keys) -> Socket {
    let counted = row.is_counted();
    let of_tcp = |number: u32| counted.then_some(number);
    let us = |number: u32| of_tcp(number).filter(|us| *us != 0 && *us != u32::MAX);
    // Of one that ended they mean nothing, or are as at its begin.
    let live = !row.has_ended();
    let count = |number: u64| counted.then_some(number);
    let listens = row.is_tcp() && row.listens();
    let rate = |rate: &u64| counted && *rate != 0 && *rate < u64::from(u32::MAX) << 8;
    let queue = |bytes: u32| if live { u64::from(bytes) } else { 0 };
    Socket {
        keys,
        sockets: 1,
        holders: Some(holders),
        age_s: (row.opened_ns != 0)
            .then(|| (row.ts_ns.saturating_sub(row.opened_ns) as f64 / 1e3).round() / 1e6),
        rx_queue_bytes: queue(row.rx_queue_bytes),
        tx_queue_bytes: queue(row.tx_queue_bytes),
        tx_bytes: count(moved.tx_bytes),
        rx_bytes: count(moved.rx_bytes),
        retransmits: count(moved.retransmits),
        lost_segments: count(moved.lost_segments),
        srtt_us: us(row.srtt_us),
        // It may be 0, and is what a connection begins with until a time was measured.
        rttvar_us: Some(us(row.srtt_us).map(|_| row.rttvar_us).filter(|_| live)),
        rcv_rtt_us: us(row.rcv_rtt_us),
        min_rtt_us: us(row.min_rtt_us),
        cwnd: Some(of_tcp(row.cwnd).filter(|_| live)),
        mss: Some(of_tcp(row.mss).filter(|_| live)),
        pacing_bytes: Some(Some(row.pacing_bytes).filter(|limit| live && rate(limit))),
        backlog: listens.then_some(row.backlog.into()),
        backlog_max: Some(listens.then_some(row.backlog_max)),
    }
}
