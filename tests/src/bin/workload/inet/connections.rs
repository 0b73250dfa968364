//! Connections that are opened, refused, reset, or never answered.

use super::sockets::{Socket, finish, listener, local, pair};
use super::tally;

const TCP: tally::Kind = ("tcp", 4);

/// Connections one after the other, and accepts of none that waits.
pub fn accepted(family: i32) {
    let (listener, at) = listener(family, local(family));
    for _ in 0..257 {
        let mut client = Socket::tcp(family);
        assert_eq!(client.connect(at), 0);
        let server = listener.accept(client.kind.1).expect("a connection");
        finish((client, server));
    }
    listener.never_wait();
    for _ in 0..37 {
        assert_eq!(listener.accept(4).err(), Some(libc::EAGAIN));
    }
}

/// Attempts whose success is seen later.
pub fn non_blocking() {
    let (listener, at) = listener(libc::AF_INET, local(libc::AF_INET));
    for _ in 0..101 {
        let mut client = Socket::tcp(libc::AF_INET);
        client.never_wait();
        assert_eq!(client.connect(at), libc::EINPROGRESS);
        let server = listener.accept(4).expect("a connection");
        drop(client);
        server.receive_end();
    }
}

/// Attempts to connect to where no process listens.
pub fn refused() {
    let (listener, at) = listener(libc::AF_INET, local(libc::AF_INET));
    drop(listener);
    for _ in 0..37 {
        let mut client = Socket::tcp(libc::AF_INET);
        assert_eq!(client.connect(at), libc::ECONNREFUSED);
        tally::add(TCP, "connect_errors", 1);
        tally::add(TCP, "resets_received", 1);
    }
}

/// Connections that one end resets.
pub fn reset() {
    for _ in 0..11 {
        let (client, server) = pair(libc::AF_INET);
        client.no_linger();
        drop(client);
        tally::add(TCP, "resets_sent", 1);
        tally::add(TCP, "resets_received", 1);
        assert_eq!(server.receive(1, 0), Err(libc::ECONNRESET));
    }
}

/// Connections that one end closes without having read all.
pub fn unread() {
    for _ in 0..7 {
        let (client, server) = pair(libc::AF_INET);
        assert_eq!(client.send(101, 0), Ok(101));
        drop(server);
        tally::add(TCP, "resets_sent", 1);
        tally::add(TCP, "resets_received", 1);
        assert_eq!(client.receive(1, 0), Err(libc::ECONNRESET));
    }
}

/// An attempt that a listener without room does not answer, and that is made again.
pub fn unanswered() {
    let listener = Socket::tcp(libc::AF_INET);
    let at = listener.bind(local(libc::AF_INET));
    listener.listen(0);
    let mut first = Socket::tcp(libc::AF_INET);
    assert_eq!(first.connect(at), 0);
    let mut second = Socket::tcp(libc::AF_INET);
    second.set(libc::IPPROTO_TCP, libc::TCP_SYNCNT, 1);
    assert_eq!(second.connect(at), libc::ETIMEDOUT);
    tally::add(TCP, "connect_errors", 1);
    let server = listener.accept(4).expect("a connection");
    finish((first, server));
}
