//! Datagrams: all ways to send and receive.

use std::net::SocketAddr;

use super::sockets::{Socket, local, mapped as mapped_address};
use super::tally;

/// Bytes of a datagram.
const BYTES: usize = 501;
/// How often most ways are taken.
const TIMES: usize = 101;

/// A socket that sends, and one that receives, with its address.
fn ends(family: i32) -> (Socket, Socket, SocketAddr) {
    let receiver = Socket::udp(family);
    let at = receiver.bind(local(family));
    (Socket::udp(family), receiver, at)
}

/// Datagrams of sockets that are not connected.
pub fn datagrams(family: i32) {
    let (sender, receiver, at) = ends(family);
    for _ in 0..401 {
        assert_eq!(sender.send_to(BYTES, 0, at), Ok(BYTES));
        assert_eq!(receiver.receive(BYTES, 0), Ok(BYTES));
    }
}

/// The same of connected ones, and receives of nothing.
pub fn connected() {
    let (mut sender, receiver, at) = ends(libc::AF_INET);
    assert_eq!(sender.connect(at), 0);
    for _ in 0..TIMES {
        assert_eq!(sender.send(BYTES, 0), Ok(BYTES));
        assert_eq!(receiver.receive(2 * BYTES, 0), Ok(BYTES));
    }
    for _ in 0..53 {
        assert_eq!(receiver.receive(BYTES, libc::MSG_DONTWAIT), Err(libc::EAGAIN));
    }
}

/// From an IPv6 socket to an IPv4 address.
pub fn mapped() {
    let (_, receiver, at) = ends(libc::AF_INET);
    let sender = Socket::udp(libc::AF_INET6);
    for _ in 0..TIMES {
        assert_eq!(sender.send_to(BYTES, 0, (mapped_address(), at.port()).into()), Ok(BYTES));
        assert_eq!(receiver.receive(BYTES, 0), Ok(BYTES));
    }
}

/// Into buffers that are too short.
pub fn truncated() {
    let (sender, receiver, at) = ends(libc::AF_INET);
    for _ in 0..TIMES {
        assert_eq!(sender.send_to(BYTES, 0, at), Ok(BYTES));
        assert_eq!(receiver.receive(100, 0), Ok(100));
    }
}

/// More than the receiver has room for.
pub fn dropped(family: i32) {
    let (sender, receiver, at) = ends(family);
    receiver.set(libc::SOL_SOCKET, libc::SO_RCVBUF, 4_096);
    // Once, so that it is known whose it is.
    assert_eq!(receiver.receive(BYTES, libc::MSG_DONTWAIT), Err(libc::EAGAIN));
    for _ in 0..TIMES {
        assert_eq!(sender.send_to(BYTES, 0, at), Ok(BYTES));
    }
    let mut received = 0;
    while receiver.receive(BYTES, libc::MSG_DONTWAIT).is_ok() {
        received += 1;
    }
    tally::add(receiver.kind, "drops", TIMES as u64 - received);
}

/// Three calls for each datagram.
pub fn corked() {
    let (sender, receiver, at) = ends(libc::AF_INET);
    for _ in 0..TIMES {
        for flags in [libc::MSG_MORE, libc::MSG_MORE, 0] {
            assert_eq!(sender.send_to(BYTES, flags, at), Ok(BYTES));
        }
        assert_eq!(receiver.receive(3 * BYTES, 0), Ok(3 * BYTES));
    }
}

/// Five datagrams by each call.
pub fn segmented() {
    /// `UDP_SEGMENT` of `linux/udp.h`.
    const UDP_SEGMENT: i32 = 103;
    let (sender, receiver, at) = ends(libc::AF_INET);
    sender.set(libc::IPPROTO_UDP, UDP_SEGMENT, 101);
    for _ in 0..TIMES {
        assert_eq!(sender.send_to(5 * 101, 0, at), Ok(5 * 101));
        for _ in 0..5 {
            assert_eq!(receiver.receive(BYTES, 0), Ok(101));
        }
    }
}

/// Sends to where no process receives, which the next receive tells, and ones that are too long.
pub fn errors() {
    let (mut sender, receiver, at) = ends(libc::AF_INET);
    drop(receiver);
    assert_eq!(sender.connect(at), 0);
    for _ in 0..37 {
        assert_eq!(sender.send(BYTES, 0), Ok(BYTES));
        assert_eq!(sender.receive(BYTES, 0), Err(libc::ECONNREFUSED));
    }
    for _ in 0..11 {
        assert_eq!(sender.send(70_000, 0), Err(libc::EMSGSIZE));
    }
}

/// UDP-Lite.
pub fn lite() {
    /// `IPPROTO_UDPLITE` of `linux/in.h`.
    const UDPLITE: i32 = 136;
    let socket = || Socket::maybe(libc::AF_INET, libc::SOCK_DGRAM, UDPLITE, "udplite");
    let (Some(sender), Some(receiver)) = (socket(), socket()) else { return tally::skip() };
    let at = receiver.bind(local(libc::AF_INET));
    for _ in 0..TIMES {
        assert_eq!(sender.send_to(BYTES, 0, at), Ok(BYTES));
        assert_eq!(receiver.receive(BYTES, 0), Ok(BYTES));
    }
}
