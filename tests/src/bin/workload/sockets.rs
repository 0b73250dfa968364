//! `sockets [--udp N] [--listeners N] [--pairs N] [--bytes N] [--unread N] [--waiting N] [--datagrams N] [--mptcp N] [--six]
//! [--forked] [--apart] [--loss]`: sockets that stay open: UDP sockets that are bound to nothing; listeners of TCP on
//! 127.0.0.1; pairs of TCP sockets, of which the one that connected has sent that many bytes, and the one that was accepted
//! has read them, but for the first N pairs; connections to the first listener that wait to be accepted; a pair of UDP
//! sockets with that many datagrams of 7 bytes that were not read; and as many pairs of MPTCP, with a listener of their own,
//! where the kernel has that. With `--six` all but the last two are of IPv6, on ::1. With `--forked` another process holds
//! all of them, too; with `--apart` they are in a network namespace of their own, with `--loss` one that loses a tenth of the
//! packets (`tc`, and the kernel's netem). It raises its limit of descriptors as it needs them. It prints what it has before
//! it waits with `--hold`: `{"pid":…,"child":…,"netns":…,"datagram_port":…,"mptcp_port":…}`, and a line for each pair:
//! `{"client":PORT,"server":PORT,"unread":…}`.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
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
    let (family, here): (_, IpAddr) = match args.has("six") {
        true => (libc::AF_INET6, Ipv6Addr::LOCALHOST.into()),
        false => (libc::AF_INET, Ipv4Addr::LOCALHOST.into()),
    };
    let of_udp = |_| socket(family, libc::SOCK_DGRAM, 0).expect("UDP");
    let unbound: Vec<OwnedFd> = (0..udp).map(of_udp).collect();
    let listen = |_| TcpListener::bind((here, 0)).expect("a port");
    let listeners: Vec<TcpListener> = (0..listeners).map(listen).collect();
    let connect = |number: u64| {
        let listener = &listeners[number as usize % listeners.len()];
        pair(listener, bytes, number >= unread)
    };
    let pairs: Vec<(TcpStream, TcpStream)> = (0..pairs).map(connect).collect();
    let waiting = |_| TcpStream::connect(listeners[0].local_addr().expect("bound")).expect("it listens");
    let waiting: Vec<TcpStream> = (0..args.count("waiting")).map(waiting).collect();
    let datagrams = datagrams(args.count("datagrams"));
    let mptcp = mptcp(args.count("mptcp"), bytes);
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
    let port = |address: std::io::Result<SocketAddr>| address.expect("bound").port();
    let datagram_port = datagrams[0].as_ref().map(|socket| port(socket.local_addr()));
    let mptcp_port = mptcp.as_ref().map(|(listener, _)| port(listener.local_addr()));
    print(child, &pairs, unread, [datagram_port, mptcp_port]);
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

/// A socket without an address; `None` if the kernel has no such protocol.
fn socket(family: i32, kind: i32, protocol: i32) -> Option<OwnedFd> {
    // SAFETY: no memory is involved.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) };
    if fd < 0 {
        let error = std::io::Error::last_os_error();
        let none = [libc::EPROTONOSUPPORT, libc::ENOPROTOOPT].map(Some);
        assert!(none.contains(&error.raw_os_error()), "socket: {error}");
        return None;
    }
    // SAFETY: it was just opened, and nothing else owns it.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A listener of MPTCP, and pairs of connections to it, as `pair` makes them; `None` for 0, and where the kernel has no MPTCP.
fn mptcp(pairs: u64, bytes: u64) -> Option<(TcpListener, Vec<(TcpStream, TcpStream)>)> {
    let of_mptcp = || socket(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_MPTCP);
    let listener = (pairs > 0).then(of_mptcp)??;
    // SAFETY: no memory is involved. It binds itself to a free port of any address.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 8) }, 0, "listen");
    let listener = TcpListener::from(listener);
    let port = listener.local_addr().expect("bound").port();
    let connect = |_| {
        let client = of_mptcp().expect("there was one");
        let to = libc::sockaddr_in {
            sin_family: libc::AF_INET as u16,
            sin_port: port.to_be(),
            sin_addr: libc::in_addr { s_addr: u32::from(Ipv4Addr::LOCALHOST).to_be() },
            sin_zero: [0; 8],
        };
        // SAFETY: the address outlives the call.
        let ret =
            unsafe { libc::connect(client.as_raw_fd(), (&raw const to).cast(), size_of_val(&to) as u32) };
        assert_eq!(ret, 0, "connect: {}", std::io::Error::last_os_error());
        moved(TcpStream::from(client), &listener, bytes, true)
    };
    let pairs = (0..pairs).map(connect).collect();
    Some((listener, pairs))
}

/// A connection over which one end has sent this many bytes, all of which were acknowledged.
fn pair(listener: &TcpListener, bytes: u64, read: bool) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
    let (client, server) = moved(client, listener, bytes, read);
    while unacknowledged(&client) > 0 {
        std::thread::yield_now();
    }
    (client, server)
}

/// One that is just made and waits to be accepted, when one end has sent this many bytes.
fn moved(mut client: TcpStream, listener: &TcpListener, bytes: u64, read: bool) -> (TcpStream, TcpStream) {
    let mut server = listener.accept().expect("a connection").0;
    let data = vec![7; bytes as usize];
    client.write_all(&data).expect("a buffer has room");
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

fn print(child: Option<i32>, pairs: &[(TcpStream, TcpStream)], unread: u64, ports: [Option<u16>; 2]) {
    let netns = std::fs::metadata("/proc/self/ns/net").expect("/proc").ino();
    let null = || "null".to_string();
    let child = child.map_or_else(null, |child| child.to_string());
    let [datagrams, mptcp] = ports.map(|port| port.map_or_else(null, |port| port.to_string()));
    let pid = std::process::id();
    println!(
        "{{\"pid\":{pid},\"child\":{child},\"netns\":{netns},\"datagram_port\":{datagrams},\"mptcp_port\":{mptcp}}}"
    );
    let port = |stream: &TcpStream| stream.local_addr().expect("bound").port();
    for (number, (client, server)) in pairs.iter().enumerate() {
        let (client, server) = (port(client), port(server));
        println!("{{\"client\":{client},\"server\":{server},\"unread\":{}}}", (number as u64) < unread);
    }
}
