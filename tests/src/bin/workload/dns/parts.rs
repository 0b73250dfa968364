//! The parts of the work.

use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Instant;

use super::asker::{Tcp, Udp, server};
use super::message::{A, AAAA, labels, query};
use super::server::MDNS;

/// By their names.
pub const PARTS: &[(&str, fn())] = &[
    ("udp4", || udp(4, 401)),
    ("udp6", || udp(6, 101)),
    ("mapped", mapped),
    ("messages", messages),
    ("codes", codes),
    ("retries", retries),
    ("same_id", same_id),
    ("twice", twice),
    ("names", names),
    ("addresses", addresses),
    ("late", late),
    ("pages", pages),
    ("tcp4", || tcp(4, 101)),
    ("tcp6", || tcp(6, 53)),
    ("falls_back", falls_back),
    ("many", many),
    ("ok", ok),
    ("waiting", waiting),
    ("resolver", super::resolver::part),
];

/// One query after the other: each seventh is never answered, each fifth of the others for a name that is not there.
fn udp(family: u8, queries: u16) {
    let asker = Udp::to(server(family), family);
    for number in 1..=queries {
        let (silent, nx) = (number % 7 == 0, number % 5 == 0);
        let kind = if silent {
            "silent"
        } else if nx {
            "nx"
        } else {
            "ok"
        };
        let name = format!("{kind}-{number}.example.test");
        let query = query(number, &labels(&name), A);
        match silent {
            true => {
                asker.send(&query);
                asker.gives_up();
            }
            false => asker.ask(&query),
        }
    }
}

/// From an IPv6 socket to an IPv4 address, connected.
fn mapped() {
    let asker = Udp::to(server(4), 6).connected();
    (0..53).for_each(|number| asker.ask(&query(number, &labels(&format!("ok-{number}.mapped.test")), A)));
}

/// Two queries with one call, as the C library asks for addresses of both versions.
fn messages() {
    let asker = Udp::to(server(4), 4).connected();
    for number in 0..37 {
        let name = format!("ok-{number}.messages.test");
        let mut queries =
            [(A, 0), (AAAA, 1)].map(|(qtype, more)| query(2 * number + more, &labels(&name), qtype));
        // SAFETY: zeroed structs, which point to the queries above, of which both outlive the call.
        let sent = unsafe {
            let mut parts = queries
                .each_mut()
                .map(|query| libc::iovec { iov_base: query.as_mut_ptr().cast(), iov_len: query.len() });
            let mut both: [libc::mmsghdr; 2] = std::mem::zeroed();
            for (header, part) in both.iter_mut().zip(&mut parts) {
                header.msg_hdr.msg_iov = part;
                header.msg_hdr.msg_iovlen = 1;
            }
            libc::sendmmsg(asker.socket().as_raw_fd(), both.as_mut_ptr(), 2, 0)
        };
        assert_eq!(sent, 2, "sendmmsg: {}", io::Error::last_os_error());
        asker.sent(2);
        let ids = [asker.receive(), asker.receive()];
        assert_eq!(ids, [2 * number, 2 * number + 1]);
    }
}

/// Answers with all kinds of response codes.
fn codes() {
    let asker = Udp::to(server(4), 4);
    for (kind, times) in
        [("servfail", 11), ("refused", 7), ("notimp", 5), ("nx", 3), ("formerr", 2), ("trunc", 13)]
    {
        (0..times)
            .for_each(|number| asker.ask(&query(number, &labels(&format!("{kind}-{number}.codes.test")), A)));
    }
}

/// Names that are asked for again, because there is no answer; and again when there is one.
fn retries() {
    let asker = Udp::to(server(4), 4);
    for number in 0..13 {
        let silent = format!("silent-{number}.retries.test");
        for (id, name) in [(1, silent.clone()), (2, silent.to_uppercase().replace("SILENT", "silent"))] {
            asker.send(&query(2 * number + id, &labels(&name), A));
            asker.gives_up();
        }
        asker.again();
        let name = format!("ok-{number}.retries.test");
        (0..3).for_each(|id| asker.ask(&query(100 + id, &labels(&name), A)));
        // Of another type.
        asker.send(&query(99, &labels(&silent), AAAA));
        asker.gives_up();
    }
}

/// Two names with one id at once, answered in the other order.
fn same_id() {
    let asker = Udp::to(server(4), 4);
    for number in 0..17 {
        ["a", "b"]
            .iter()
            .for_each(|name| asker.send(&query(7, &labels(&format!("swap-{number}{name}.id.test")), A)));
        (0..2).for_each(|_| assert_eq!(asker.receive(), 7));
    }
}

/// Answers that come two times: the second answers nothing.
fn twice() {
    let asker = Udp::to(server(4), 4);
    for number in 0..5 {
        asker.ask(&query(number, &labels(&format!("twice-{number}.example.test")), A));
        asker.read();
    }
}

/// Names of all bytes, and the longest.
fn names() {
    let asker = Udp::to(server(4), 4);
    for first in (0..=255u8).step_by(16) {
        let bytes: Vec<u8> = (first..=first | 15).collect();
        asker.ask(&query(first.into(), &[b"ok", &bytes, b"names"], A));
    }
    let (long, last) = ([b'x'; 63], [b'y'; 58]);
    asker.ask(&query(1, &[b"ok", &long, &long, &long, &last], A));
    asker.ask(&query(2, &[b"\n{\"a\":1}\r\x1b[31m,;", b"ok"], A));
    // A type without a name.
    asker.ask(&query(3, &[b"ok"], 65_280));
}

/// More addresses than most have.
fn addresses() {
    let asker = Udp::to(server(4), 4);
    asker.ask(&query(1, &labels("big-1.addresses.test"), A));
    asker.ask(&query(2, &labels("ok-2.addresses.test"), A));
    asker.ask(&query(3, &labels("ok-3.addresses.test"), AAAA));
    asker.ask(&query(4, &labels("ok-4.addresses.test"), 16));
}

/// Answers that come after half a second.
fn late() {
    let asker = Udp::to(server(4), 4);
    (0..3).for_each(|number| asker.ask(&query(number, &labels(&format!("late-{number}.example.test")), A)));
}

/// Answers whose bytes are not beside their headers, read in both ways that there are for one buffer: it is as long as the
/// answer, or longer.
fn pages() {
    let asker = Udp::to(server(4), 4);
    for number in 0..29 {
        let query = query(number, &labels(&format!("pages-{number}.example.test")), A);
        asker.send(&query);
        assert_eq!(asker.receive(), number);
    }
    let asker = asker.connected();
    for number in 0..13 {
        let query = query(number, &labels(&format!("pages-{number}.example.test")), A);
        asker.send(&query);
        assert_eq!(asker.receive_exactly(query.len() + 2 * 16), number);
    }
}

/// Over TCP: sent and received in all ways, one message for each connection; then several.
fn tcp(family: u8, queries: u16) {
    for number in 0..queries {
        let mut connection = Tcp::to(server(family));
        let kind = if number % 5 == 0 { "nx" } else { "ok" };
        let query = query(number, &labels(&format!("{kind}-{number}.tcp.test")), A);
        let asked = Instant::now();
        connection.send(&[&query], number.into());
        connection.receive(asked, number.into());
    }
    let mut connection = Tcp::to(server(family));
    let [one, two] = ["big-1.tcp.test", "ok-2.tcp.test"].map(|name| query(1, &labels(name), A));
    let asked = Instant::now();
    connection.send(&[&one, &two], 1);
    (0..2).for_each(|_| _ = connection.receive(asked, 0));
}

/// An answer that was cut, after which the same is asked by TCP: that is no retry.
fn falls_back() {
    let query = query(1, &labels("trunc-1.example.test"), A);
    Udp::to(server(4), 4).ask(&query);
    let mut connection = Tcp::to(server(4));
    let asked = Instant::now();
    connection.send(&[&query], 0);
    connection.receive(asked, 0);
}

/// Multicast DNS: answers come from two, each from its own address.
fn many() {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a socket");
    let here = libc::in_addr { s_addr: u32::from(Ipv4Addr::LOCALHOST).to_be() };
    // SAFETY: the option's value outlives the call.
    let ret = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_MULTICAST_IF,
            (&raw const here).cast(),
            size_of_val(&here) as u32,
        )
    };
    assert_eq!(ret, 0, "IP_MULTICAST_IF: {}", io::Error::last_os_error());
    let asker = Udp::over(socket, MDNS.into(), (IpAddr::V4(MDNS.0), "udp"));
    for number in 0..11 {
        asker.ask(&query(number, &labels(&format!("ok-{number}.local")), A));
        assert_eq!(asker.receive(), number);
    }
    asker.send(&query(11, &labels("silent.local"), A));
    asker.gives_up();
}

/// A few that are answered.
fn ok() {
    let asker = Udp::to(server(4), 4);
    (0..101).for_each(|number| asker.ask(&query(number, &labels(&format!("ok-{number}.example.test")), A)));
}

/// Many that wait for their answers at once.
fn waiting() {
    let asker = Udp::to(server(4), 4);
    let names = (0..53).map(|number| format!("silent-{number}.waiting.test"));
    names.enumerate().for_each(|(id, name)| {
        asker.send(&query(id as u16, &labels(&name), A));
        asker.gives_up();
    });
}
