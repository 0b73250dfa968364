//! A server that answers as the first label of a name asks it to, 2 ms after a query: up to its first `-` it is
//! - `silent`: never;
//! - `nx`, `servfail`, `refused`, `notimp`: with this response code; `formerr`: with that, and without the question;
//! - `late`: half a second later;
//! - `trunc`: over UDP with the bit that says that it was cut;
//! - `twice`: two times;
//! - `swap`: only when the next query has come, and after that one's answer;
//! - `big`: with 40 addresses;
//! - `pages`: over UDP by two calls, so that most of the packet is in other pages than its headers;
//! - else with two addresses of IPv4 or one of IPv6, or, of an address, with the name `ptr-` and the address's last part,
//!   as the question's type says.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use super::message::{A, AAAA, PTR, with_length};

const PORT: u16 = 53;
/// Multicast DNS: RFC 6762.
pub const MDNS: (Ipv4Addr, u16) = (Ipv4Addr::new(224, 0, 0, 251), 5353);
const WAIT: Duration = Duration::from_millis(2);
const LATE: Duration = Duration::from_millis(500);

/// Sockets that are bound.
pub struct Server {
    udp: Vec<UdpSocket>,
    tcp: Vec<TcpListener>,
    multicast: UdpSocket,
}

impl Server {
    /// At the port of DNS of these addresses, over UDP and TCP, and at that of multicast DNS.
    pub fn at(addresses: &[IpAddr]) -> Self {
        let multicast =
            UdpSocket::bind((Ipv4Addr::UNSPECIFIED, MDNS.1)).expect("the port of multicast DNS is free");
        let here = match addresses[0] {
            IpAddr::V4(address) if !address.is_loopback() => address,
            _ => Ipv4Addr::LOCALHOST,
        };
        multicast.join_multicast_v4(&MDNS.0, &here).expect("a group can be joined");
        let udp = |address: &IpAddr| UdpSocket::bind((*address, PORT)).expect("the port is free");
        let tcp = |address: &IpAddr| TcpListener::bind((*address, PORT)).expect("the port is free");
        Self { udp: addresses.iter().map(udp).collect(), tcp: addresses.iter().map(tcp).collect(), multicast }
    }

    /// Answers, in threads.
    pub fn start(self) {
        for socket in self.udp {
            thread::spawn(move || datagrams(&socket, 1));
        }
        let multicast = self.multicast;
        // As if two machines had it.
        thread::spawn(move || datagrams(&multicast, 2));
        for listener in self.tcp {
            thread::spawn(move || {
                listener
                    .incoming()
                    .flatten()
                    .for_each(|stream| drop(thread::spawn(move || connection(stream))));
            });
        }
    }
}

/// What is to be done with a query: answers, each after a time.
enum Reply {
    Now(Vec<u8>, usize),
    Later(Vec<u8>),
    InPages(Vec<u8>),
    None,
}

fn reply(query: &[u8], udp: bool) -> Reply {
    let first = &query[13..13 + usize::from(query[12])];
    let kind = first.split(|byte| *byte == b'-').next().unwrap_or_default();
    let rcode = match kind {
        b"silent" => return Reply::None,
        b"formerr" => 1,
        b"servfail" => 2,
        b"nx" => 3,
        b"notimp" => 4,
        b"refused" => 5,
        _ => 0,
    };
    thread::sleep(if kind == b"late" { LATE } else { WAIT });
    let mut answer = query.to_vec();
    let cut = udp && kind == b"trunc";
    answer[2] = 0x81 | if cut { 2 } else { 0 };
    answer[3] = 0x80 | rcode;
    if rcode == 1 {
        answer.truncate(12);
        answer[5] = 0;
        return Reply::Now(answer, 1);
    }
    let qtype = u16::from_be_bytes([query[query.len() - 4], query[query.len() - 3]]);
    let records = match (qtype, kind) {
        _ if rcode != 0 || cut => 0,
        (A, b"big") => 40,
        (A, _) => 2,
        (AAAA | PTR, _) => 1,
        _ => 0,
    };
    answer[7] = records;
    for number in 0..records {
        answer.extend([0xc0, 12]);
        answer.extend([qtype, 1, 0, 9].map(u16::to_be_bytes).concat());
        let data = match qtype {
            A => vec![192, 0, 2, 7 + number],
            // Below the question's name, from its second label on.
            PTR => [&[4 + first.len() as u8][..], b"ptr-", first, &[0xc0, 13 + first.len() as u8]].concat(),
            _ => [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[7]].concat(),
        };
        answer.extend((data.len() as u16).to_be_bytes());
        answer.extend(data);
    }
    match kind {
        b"swap" => Reply::Later(answer),
        b"pages" => Reply::InPages(answer),
        b"twice" => Reply::Now(answer, 2),
        _ => Reply::Now(answer, 1),
    }
}

fn datagrams(socket: &UdpSocket, times: usize) {
    let mut buffer = [0; 4096];
    let mut later: Option<(Vec<u8>, SocketAddr)> = None;
    while let Ok((size, from)) = socket.recv_from(&mut buffer) {
        let send = |answer: &[u8], to| drop(socket.send_to(answer, to));
        match reply(&buffer[..size], true) {
            Reply::None => {}
            Reply::Later(answer) if later.is_none() => later = Some((answer, from)),
            Reply::Later(answer) => {
                send(&answer, from);
                later.take().into_iter().for_each(|(answer, from)| send(&answer, from));
            }
            Reply::InPages(answer) => in_pages(socket, &answer, from),
            Reply::Now(answer, more) => (0..times * more).for_each(|_| send(&answer, from)),
        }
    }
}

/// Sends a datagram by two calls, the first with fewer bytes than a header has.
fn in_pages(socket: &UdpSocket, answer: &[u8], to: SocketAddr) {
    let SocketAddr::V4(to) = to else { panic!("{to}: of IPv4") };
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: to.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(*to.ip()).to_be() },
        sin_zero: [0; 8],
    };
    let (first, rest) = answer.split_at(5);
    for (part, flags) in [(first, libc::MSG_MORE), (rest, 0)] {
        // SAFETY: the bytes and the address outlive the call.
        let sent = unsafe {
            libc::sendto(
                socket.as_raw_fd(),
                part.as_ptr().cast(),
                part.len(),
                flags,
                (&raw const address).cast(),
                size_of_val(&address) as u32,
            )
        };
        assert_eq!(sent, part.len() as isize, "sendto");
    }
}

fn connection(mut stream: TcpStream) {
    let mut length = [0; 2];
    while stream.read_exact(&mut length).is_ok() {
        let mut query = vec![0; u16::from_be_bytes(length).into()];
        if stream.read_exact(&mut query).is_err() {
            return;
        }
        let sent = match reply(&query, false) {
            Reply::Now(answer, _) | Reply::Later(answer) | Reply::InPages(answer) => {
                stream.write_all(&with_length(&answer))
            }
            Reply::None => Ok(()),
        };
        if sent.is_err() {
            return;
        }
    }
}
