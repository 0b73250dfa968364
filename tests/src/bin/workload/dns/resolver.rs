//! A resolver between the askers and the work's own server: dnsmasq, which keeps what it was answered.

use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::time::Instant;

use super::asker::{SERVER, Tcp, Udp, server};
use super::message::{A, AAAA, labels, query};
use super::tally;
use crate::sys;

/// Where the work's own server is then.
pub const UPSTREAM: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));

/// A resolver at work.
pub struct Resolver(Child);

/// Starts it, and waits until it listens.
pub fn start() -> Resolver {
    let (listen, upstream) = (format!("--listen-address={SERVER}"), format!("--server={UPSTREAM}"));
    let mut command = Command::new("dnsmasq");
    command.args([
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--no-resolv",
        "--no-hosts",
        "--user=root",
    ]);
    command.args(["--pid-file=", "--log-facility=/dev/null", "--bind-interfaces", &listen, &upstream]);
    // What it was answered it keeps for an hour, however slow the machine is.
    command.arg("--min-cache-ttl=3600");
    // SAFETY: one system call, between fork and exec.
    unsafe {
        command.pre_exec(|| {
            sys::end_with_parent();
            Ok(())
        });
    }
    let mut resolver = command.spawn().expect("dnsmasq: see scripts/setup");
    while TcpStream::connect((SERVER, 53)).is_err() {
        assert!(resolver.try_wait().expect("a child").is_none(), "dnsmasq has ended");
        std::thread::yield_now();
    }
    Resolver(resolver)
}

impl Resolver {
    /// Ends it.
    pub fn end(mut self) {
        self.0.kill().and_then(|()| self.0.wait()).expect("a child");
    }
}

/// What the resolver asks in turn, counted beside what is asked of it.
fn upstream(transport: &'static str, fields: &[&'static str]) {
    fields.iter().for_each(|field| tally::add((UPSTREAM, transport), field, 1));
}

/// Names that it is asked for twice and asks for once; that are not there; that are never answered; whose answers are cut;
/// and some over TCP.
pub fn part() {
    let asker = Udp::to(server(4), 4);
    for number in 0..41 {
        let qtype = if number % 3 == 0 { AAAA } else { A };
        let query = query(number, &labels(&format!("ok-{number}.known.test")), qtype);
        (0..2).for_each(|_| asker.ask(&query));
        upstream("udp", &["queries", "answers"]);
    }
    for number in 0..7 {
        asker.ask(&query(number, &labels(&format!("nx-{number}.none.test")), A));
        upstream("udp", &["queries", "answers", "nxdomain"]);
    }
    for number in 0..3 {
        asker.send(&query(number, &labels(&format!("silent-{number}.never.test")), A));
        asker.gives_up();
        upstream("udp", &["queries", "timeouts"]);
    }
    for number in 0..5 {
        asker.ask(&query(number, &labels(&format!("trunc-{number}.long.test")), A));
        upstream("udp", &["queries", "answers", "truncated"]);
    }
    for number in 0..11 {
        let mut connection = Tcp::to(server(4));
        let query = query(number, &labels(&format!("ok-{number}.stream.test")), A);
        let asked = Instant::now();
        connection.send(&[&query], number.into());
        connection.receive(asked, number.into());
        upstream("tcp", &["queries", "answers"]);
    }
}
