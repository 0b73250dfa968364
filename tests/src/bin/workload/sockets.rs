//! `sockets [--udp N] [--listeners N] [--pairs N] [--bytes N] [--unread N] [--waiting N] [--datagrams N] [--forked]
//! [--apart] [--loss]`: sockets
//! that stay open: UDP sockets that are bound to nothing; listeners of TCP on 127.0.0.1; pairs of TCP sockets, of which
//! the one that connected has sent that many bytes, and the one that was accepted has read them, but for the first N
//! pairs; connections to the first listener that wait to be accepted; and a pair of UDP sockets with that many datagrams of 7 bytes that were not read. With `--forked` another process
//! holds all of them, too; with `--apart` they are in a network namespace of their own, with `--loss` one that loses a tenth
//! of the packets (`tc`, and the kernel's netem). It raises its limit of
//! descriptors as it needs them. It prints what it has before it waits with `--hold`:
//! `{"pid":…,"child":…,"netns":…,"datagram_port":…}`, and a line for each pair:
//! `{"client":PORT,"server":PORT,"unread":…}`.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use crate::args::Args;
use crate::{network, sys};

/// Descriptors beside those of the sockets.
const OTHERS: u64 = 64;

/// Opens them.
pub fn run(args: &Args) {
    if args.has("apart") || args.has("loss") {
        network::of_our_own();
    }
    if args.has("loss") {
        network::loses(10);
    }
    let [udp, listeners, pairs] = ["udp", "listeners", "pairs"].map(|option| args.count(option));
    let (bytes, unread) = (args.count("bytes"), args.count("unread"));
    may_open(udp + listeners + 2 * pairs + args.count("waiting") + OTHERS);
    let unbound: Vec<OwnedFd> = (0..udp).map(|_| unbound()).collect();
    let listen = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let listeners: Vec<TcpListener> = (0..listeners).map(listen).collect();
    let connect = |number: u64| {
        let listener = &listeners[number as usize % listeners.len()];
        pair(listener, bytes, number >= unread)
    };
    let pairs: Vec<(TcpStream, TcpStream)> = (0..pairs).map(connect).collect();
    let waiting = |_| TcpStream::connect(listeners[0].local_addr().expect("bound")).expect("it listens");
    let waiting: Vec<TcpStream> = (0..args.count("waiting")).map(waiting).collect();
    let datagrams = datagrams(args.count("datagrams"));
    let (mut child, mut ends) = (None, None);
    if args.has("forked") {
        let (read, write) = std::io::pipe().expect("a pipe");
        // It ends with this process, whose end of the pipe is the last one.
        let held = write.as_raw_fd();
        child = Some(sys::child_that(|| {
            // SAFETY: the child's own copy, which it never uses.
            unsafe { libc::close(held) };
            let _ = (&read).read(&mut [0]);
            sys::exit(0);
        }));
        ends = Some(write);
    }
    print(child, &pairs, unread, &datagrams[0]);
    args.hold();
    drop((ends, unbound, waiting));
    child.into_iter().for_each(|child| assert_eq!(sys::wait(child), 0, "the other process"));
}

/// Raises the limit of descriptors.
fn may_open(files: u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the struct outlives the calls.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0, "getrlimit");
        if limit.rlim_cur < files {
            limit = libc::rlimit { rlim_cur: files, rlim_max: limit.rlim_max.max(files) };
            assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0, "setrlimit {files}");
        }
    }
}

/// A UDP socket without an address.
fn unbound() -> OwnedFd {
    // SAFETY: no memory is involved.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    assert!(fd >= 0, "socket: {}", std::io::Error::last_os_error());
    // SAFETY: it was just opened, and nothing else owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// A connection over which one end has sent this many bytes, all of which were acknowledged.
fn pair(listener: &TcpListener, bytes: u64, read: bool) -> (TcpStream, TcpStream) {
    let mut client = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
    let mut server = listener.accept().expect("a connection").0;
    let data = vec![7; bytes as usize];
    client.write_all(&data).expect("a buffer has room");
    while unacknowledged(&client) > 0 {
        std::thread::yield_now();
    }
    if read {
        server.read_exact(&mut vec![0; bytes as usize]).expect("all bytes");
    }
    (client, server)
}

/// Bytes that were sent and not acknowledged.
fn unacknowledged(stream: &TcpStream) -> i32 {
    let mut bytes = 0;
    // SAFETY: the number outlives the call (SIOCOUTQ, which is TIOCOUTQ).
    assert_eq!(unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) }, 0, "SIOCOUTQ");
    bytes
}

/// A UDP socket with datagrams that were not read, and their sender; none for 0.
fn datagrams(number: u64) -> [Option<UdpSocket>; 2] {
    if number == 0 {
        return [None, None];
    }
    let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let (to, from) = (bind(), bind());
    from.connect(to.local_addr().expect("bound")).expect("an address");
    (0..number).for_each(|_| assert_eq!(from.send(&[7; 7]).expect("a datagram"), 7));
    [Some(to), Some(from)]
}

fn print(child: Option<i32>, pairs: &[(TcpStream, TcpStream)], unread: u64, datagrams: &Option<UdpSocket>) {
    let netns = std::fs::metadata("/proc/self/ns/net").expect("/proc").ino();
    let null = || "null".to_string();
    let child = child.map_or_else(null, |child| child.to_string());
    let port = |address: std::io::Result<SocketAddr>| address.expect("bound").port();
    let datagrams = datagrams.as_ref().map_or_else(null, |socket| port(socket.local_addr()).to_string());
    let pid = std::process::id();
    println!("{{\"pid\":{pid},\"child\":{child},\"netns\":{netns},\"datagram_port\":{datagrams}}}");
    for (number, (client, server)) in pairs.iter().enumerate() {
        let (client, server) = (port(client.local_addr()), port(server.local_addr()));
        println!("{{\"client\":{client},\"server\":{server},\"unread\":{}}}", (number as u64) < unread);
    }
}
