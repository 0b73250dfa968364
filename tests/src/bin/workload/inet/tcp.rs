//! Streams: all ways to send and receive.

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use io_uring::types::Fd;
use io_uring::{IoUring, opcode};

use super::sockets::{Socket, finish, listener, local, mapped as mapped_address, pair};
use super::tally;
use crate::{network, sys};

/// Bytes of a message.
const BYTES: usize = 1_001;
/// How often most ways are taken.
const TIMES: usize = 101;

/// Messages, each received before the next.
pub fn stream(family: i32, times: usize) {
    let (client, server) = pair(family);
    for _ in 0..times {
        assert_eq!(client.send(BYTES, 0), Ok(BYTES));
        server.receive_all(BYTES);
    }
    finish((client, server));
}

/// The same to an IPv4 address from IPv6 sockets.
pub fn mapped() {
    let (listener, at) = listener(libc::AF_INET6, "::".parse().expect("an address"));
    let mut client = Socket::tcp(libc::AF_INET6);
    assert_eq!(client.connect((mapped_address(), at.port()).into()), 0);
    let server = listener.accept(4).expect("a connection");
    for _ in 0..TIMES {
        assert_eq!(client.send(BYTES, 0), Ok(BYTES));
        server.receive_all(BYTES);
    }
    finish((client, server));
}

/// writev(2) and readv(2).
pub fn vectors() {
    let (client, server) = pair(libc::AF_INET);
    let (mut one, mut two) = (vec![b'v'; BYTES], vec![b'w'; BYTES]);
    for _ in 0..TIMES {
        let vector = [&mut one, &mut two]
            .map(|part| libc::iovec { iov_base: part.as_mut_ptr().cast(), iov_len: part.len() });
        // SAFETY: the buffers are as long as said, and outlive the calls.
        let sent = unsafe { libc::writev(client.raw(), vector.as_ptr(), 2) };
        assert_eq!(tally::sent(client.kind, sent), Ok(2 * BYTES));
        let mut missing = 2 * BYTES;
        while missing > 0 {
            // SAFETY: as above.
            let received = unsafe { libc::readv(server.raw(), vector.as_ptr(), 2) };
            missing -= tally::received(server.kind, received).expect("data");
        }
    }
    finish((client, server));
}

/// Seven messages of 101 bytes by each sendmmsg(2), which count one by one.
pub fn messages() {
    const EACH: usize = 101;
    let (client, server) = pair(libc::AF_INET);
    let mut data = [b'm'; EACH];
    let mut part = libc::iovec { iov_base: data.as_mut_ptr().cast(), iov_len: EACH };
    for _ in 0..TIMES {
        // SAFETY: zero is a message without anything.
        let mut messages: [libc::mmsghdr; 7] = unsafe { std::mem::zeroed() };
        for message in &mut messages {
            (message.msg_hdr.msg_iov, message.msg_hdr.msg_iovlen) = (&raw mut part, 1);
        }
        // SAFETY: what the messages point to outlives the call.
        let sent = unsafe { libc::sendmmsg(client.raw(), messages.as_mut_ptr(), 7, 0) };
        assert_eq!(sent, 7, "sendmmsg");
        tally::add(client.kind, "sends", 7);
        tally::add(client.kind, "tx_bytes", 7 * EACH as u64);
        server.receive_all(7 * EACH);
    }
    finish((client, server));
}

/// A page of a file by each sendfile(2).
pub fn sendfile() {
    const PAGE: usize = 4_096;
    let (client, server) = pair(libc::AF_INET);
    // SAFETY: the name ends with a NUL; the descriptor is new.
    let file = unsafe { File::from_raw_fd(libc::memfd_create(c"page".as_ptr(), 0)) };
    file.set_len(PAGE as u64).expect("a page");
    for _ in 0..TIMES {
        let mut from = 0;
        // SAFETY: the offset outlives the call.
        let sent = unsafe { libc::sendfile(client.raw(), file.as_raw_fd(), &raw mut from, PAGE) };
        assert_eq!(tally::sent(client.kind, sent), Ok(PAGE));
        server.receive_all(PAGE);
    }
    finish((client, server));
}

/// Both ends of a pipe: where it is read, and where it is written.
fn pipe() -> [OwnedFd; 2] {
    let mut ends = [0; 2];
    // SAFETY: there is room for two; both are new.
    unsafe {
        assert_eq!(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC), 0, "pipe");
        ends.map(|end| OwnedFd::from_raw_fd(end))
    }
}

fn splice(from: i32, to: i32, bytes: usize) -> isize {
    let null = std::ptr::null_mut();
    // SAFETY: no offsets are given.
    unsafe { libc::splice(from, null, to, null, bytes, 0) }
}

/// splice(2) from a pipe to a socket.
pub fn splice_out() {
    let (client, server) = pair(libc::AF_INET);
    let [read, write] = pipe();
    for _ in 0..TIMES {
        // SAFETY: the data outlives the call.
        let put = unsafe { libc::write(write.as_raw_fd(), [b's'; BYTES].as_ptr().cast(), BYTES) };
        assert_eq!(put, BYTES as isize);
        let sent = splice(read.as_raw_fd(), client.raw(), BYTES);
        assert_eq!(tally::sent(client.kind, sent), Ok(BYTES));
        server.receive_all(BYTES);
    }
    finish((client, server));
}

/// splice(2) from a socket to a pipe.
pub fn splice_in() {
    let (client, server) = pair(libc::AF_INET);
    let [read, write] = pipe();
    for _ in 0..TIMES {
        assert_eq!(client.send(BYTES, 0), Ok(BYTES));
        let mut missing = BYTES;
        while missing > 0 {
            let moved = splice(server.raw(), write.as_raw_fd(), missing);
            assert!(moved > 0, "splice: {}", std::io::Error::last_os_error());
            tally::add(server.kind, "spliced", 1);
            tally::add(server.kind, "spliced_bytes", moved as u64);
            missing -= moved as usize;
        }
        // SAFETY: the buffer is as long as said.
        let taken = unsafe { libc::read(read.as_raw_fd(), [0u8; BYTES].as_mut_ptr().cast(), BYTES) };
        assert_eq!(taken, BYTES as isize);
    }
    finish((client, server));
}

/// Sends whose data is not copied. That it is done with is read from the error queue, which is no receive.
pub fn zerocopy() {
    const BYTES: usize = 20_001;
    let (client, server) = pair(libc::AF_INET);
    client.set(libc::SOL_SOCKET, libc::SO_ZEROCOPY, 1);
    for _ in 0..TIMES {
        assert_eq!(client.send(BYTES, libc::MSG_ZEROCOPY), Ok(BYTES));
        server.receive_all(BYTES);
        let mut control = [0u8; 256];
        // SAFETY: zero is a message without anything; what it points to outlives the call.
        unsafe {
            let mut message: libc::msghdr = std::mem::zeroed();
            (message.msg_control, message.msg_controllen) = (control.as_mut_ptr().cast(), control.len() as _);
            libc::recvmsg(client.raw(), &raw mut message, libc::MSG_ERRQUEUE);
        }
    }
    finish((client, server));
}

/// By io_uring.
pub fn uring() {
    let mut ring = match IoUring::new(8) {
        Ok(ring) => ring,
        // Switched off: kernel.io_uring_disabled.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
            return tally::skip();
        }
        Err(error) => panic!("io_uring: {error}"),
    };
    let (client, server) = pair(libc::AF_INET);
    let mut data = vec![b'r'; BYTES];
    for _ in 0..TIMES {
        let mut ask = |entry| {
            // SAFETY: what the request points to outlives it: it is waited for.
            unsafe { ring.submission().push(&entry) }.expect("there is room for one");
            ring.submit_and_wait(1).expect("io_uring_enter");
            ring.completion().next().expect("it is done").result() as isize
        };
        let sent = ask(opcode::Send::new(Fd(client.raw()), data.as_ptr(), BYTES as u32).build());
        assert_eq!(tally::sent(client.kind, sent), Ok(BYTES));
        let mut missing = BYTES;
        while missing > 0 {
            let buffer = data.as_mut_ptr();
            let received = ask(opcode::Recv::new(Fd(server.raw()), buffer, missing as u32).build());
            missing -= tally::received(server.kind, received).expect("data");
        }
    }
    finish((client, server));
}

/// Sends until there is no more room: the last ones take a part, or nothing.
pub fn partial() {
    let (client, server) = pair(libc::AF_INET);
    client.never_wait();
    let mut sent = 0;
    for _ in 0..3 {
        while let Ok(taken) = client.send(100_003, 0) {
            sent += taken;
        }
        server.receive_all(sent);
        sent = 0;
        assert_eq!(client.receive(1, 0), Err(libc::EAGAIN));
    }
    // It waits for the end again.
    client.shut_down();
    server.receive_end();
    drop(server);
    while client.receive(1, 0) == Err(libc::EAGAIN) {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sends after the end of sending.
pub fn broken_pipe() {
    let (client, server) = pair(libc::AF_INET);
    client.shut_down();
    for _ in 0..37 {
        assert_eq!(client.send(BYTES, libc::MSG_NOSIGNAL), Err(libc::EPIPE));
    }
    server.receive_end();
    drop(server);
    client.receive_end();
}

/// Peeks do not count.
pub fn peek() {
    let (client, server) = pair(libc::AF_INET);
    assert_eq!(client.send(BYTES, 0), Ok(BYTES));
    for _ in 0..31 {
        // SAFETY: the buffer is as long as said.
        let seen =
            unsafe { libc::recv(server.raw(), [0u8; BYTES].as_mut_ptr().cast(), BYTES, libc::MSG_PEEK) };
        assert!(seen > 0, "a peek");
    }
    server.receive_all(BYTES);
    finish((client, server));
}

/// Over MPTCP; the one TCP connection beneath is opened by the kernel, for this process.
pub fn mptcp() {
    let socket = || Socket::maybe(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_MPTCP, "mptcp");
    let (Some(listener), Some(mut client)) = (socket(), socket()) else { return tally::skip() };
    let at = listener.bind(local(libc::AF_INET));
    listener.listen(8);
    tally::add(("tcp", 4), "connects", 1);
    assert_eq!(client.connect(at), 0);
    let server = listener.accept(4).expect("a connection");
    for _ in 0..TIMES {
        assert_eq!(client.send(BYTES, 0), Ok(BYTES));
        server.receive_all(BYTES);
    }
    finish((client, server));
}

/// A stream of which the device loses packets, in both directions.
pub fn loss() {
    const BYTES: usize = 1_000_003;
    network::loses(5);
    let (listener, at) = listener(libc::AF_INET, local(libc::AF_INET));
    let receiver = sys::child_that(|| {
        let server = listener.accept(4).expect("a connection");
        server.receive_all(7 * BYTES);
        server.receive_end();
        drop(server);
        tally::print("loss");
        sys::exit(0);
    });
    drop(listener);
    let mut client = Socket::tcp(libc::AF_INET);
    assert_eq!(client.connect(at), 0);
    for _ in 0..7 {
        let mut missing = BYTES;
        while missing > 0 {
            missing -= client.send(missing, 0).expect("the other end receives");
        }
    }
    client.shut_down();
    client.receive_end();
    assert_eq!(sys::wait(receiver), 0, "the receiver");
    drop(client);
    network::loses_none();
    // The last packets may have been lost, and will be sent again.
    while std::fs::read_to_string("/proc/self/net/tcp").expect("/proc").lines().skip(1).any(|line| {
        // TIME_WAIT
        line.split_whitespace().nth(3) != Some("06")
    }) {
        std::thread::sleep(Duration::from_millis(50));
    }
}
