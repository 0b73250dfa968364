//! Sockets whose calls are in the tally.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU16, Ordering};

use super::tally::{self, Kind};

/// Where sockets that wait for others are bound; 0: at a free port.
static PORT: AtomicU16 = AtomicU16::new(0);

/// Binds them to this port from now on.
pub fn use_port(port: u16) {
    PORT.store(port, Ordering::Relaxed);
}

/// A socket, and what its work counts as.
pub struct Socket {
    fd: OwnedFd,
    pub kind: Kind,
}

/// An address as the kernel takes it.
pub struct Address {
    bytes: [u8; 28],
    len: libc::socklen_t,
}

impl Address {
    /// From the standard library's.
    pub fn of(address: SocketAddr) -> Self {
        let mut bytes = [0; 28];
        bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
        let (family, len) = match address.ip() {
            IpAddr::V4(ip) => {
                bytes[4..8].copy_from_slice(&ip.octets());
                (libc::AF_INET, 16)
            }
            IpAddr::V6(ip) => {
                bytes[8..24].copy_from_slice(&ip.octets());
                (libc::AF_INET6, 28)
            }
        };
        bytes[..2].copy_from_slice(&(family as u16).to_ne_bytes());
        Self { bytes, len }
    }
}

/// This machine's address in a family.
pub fn local(family: i32) -> IpAddr {
    if family == libc::AF_INET { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() }
}

/// That of IPv4, mapped into IPv6.
pub fn mapped() -> IpAddr {
    Ipv4Addr::LOCALHOST.to_ipv6_mapped().into()
}

/// As it was before a call that failed.
fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

impl Socket {
    /// socket(2); `None` if there is no such protocol.
    pub fn maybe(family: i32, of: i32, protocol: i32, proto: &'static str) -> Option<Self> {
        // SAFETY: no memory is involved.
        let fd = unsafe { libc::socket(family, of | libc::SOCK_CLOEXEC, protocol) };
        if fd < 0 {
            let none = [libc::EPROTONOSUPPORT, libc::ENOPROTOOPT, libc::ESOCKTNOSUPPORT];
            assert!(none.contains(&errno()), "socket: error {}", errno());
            return None;
        }
        let version = if family == libc::AF_INET { 4 } else { 6 };
        // SAFETY: it was just opened, and nothing else owns it.
        Some(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) }, kind: (proto, version) })
    }

    /// One of TCP.
    pub fn tcp(family: i32) -> Self {
        Self::maybe(family, libc::SOCK_STREAM, 0, "tcp").expect("TCP")
    }

    /// One of UDP.
    pub fn udp(family: i32) -> Self {
        Self::maybe(family, libc::SOCK_DGRAM, 0, "udp").expect("UDP")
    }

    pub fn raw(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// Binds it to this address; returns where it is.
    pub fn bind(&self, ip: IpAddr) -> SocketAddr {
        // Connections of before may be in TIME_WAIT.
        self.set(libc::SOL_SOCKET, libc::SO_REUSEADDR, 1);
        let address = Address::of(SocketAddr::new(ip, PORT.load(Ordering::Relaxed)));
        // SAFETY: the address outlives the call.
        let ret = unsafe { libc::bind(self.raw(), address.bytes.as_ptr().cast(), address.len) };
        assert_eq!(ret, 0, "bind: error {}", errno());
        let (mut bytes, mut len) = ([0u8; 28], 28);
        // SAFETY: the buffer is as long as said.
        let ret = unsafe { libc::getsockname(self.raw(), bytes.as_mut_ptr().cast(), &raw mut len) };
        assert_eq!(ret, 0, "getsockname: error {}", errno());
        SocketAddr::new(ip, u16::from_be_bytes([bytes[2], bytes[3]]))
    }

    pub fn listen(&self, backlog: i32) {
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::listen(self.raw(), backlog) }, 0, "listen: error {}", errno());
    }

    /// connect(2): 0, or the error. A connection of TCP or MPTCP counts as an attempt.
    pub fn connect(&mut self, to: SocketAddr) -> i32 {
        if self.kind.1 == 6 && matches!(to.ip(), IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some()) {
            self.kind.1 = 4;
        }
        if ["tcp", "mptcp"].contains(&self.kind.0) {
            tally::add(self.kind, "connects", 1);
        }
        let address = Address::of(to);
        // SAFETY: the address outlives the call.
        let ret = unsafe { libc::connect(self.raw(), address.bytes.as_ptr().cast(), address.len) };
        if ret == 0 { 0 } else { errno() }
    }

    /// accept(2): the connection, or the error.
    pub fn accept(&self, version: u8) -> Result<Self, i32> {
        let null = std::ptr::null_mut();
        // SAFETY: no address is asked for.
        let fd = unsafe { libc::accept4(self.raw(), null, null.cast(), libc::SOCK_CLOEXEC) };
        if fd < 0 {
            return Err(errno());
        }
        let kind = (self.kind.0, version);
        tally::add(kind, "accepts", 1);
        // SAFETY: it was just opened, and nothing else owns it.
        Ok(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) }, kind })
    }

    pub fn set(&self, level: i32, option: i32, value: i32) {
        let size = size_of::<i32>() as libc::socklen_t;
        // SAFETY: the value outlives the call.
        let ret = unsafe { libc::setsockopt(self.raw(), level, option, (&raw const value).cast(), size) };
        assert_eq!(ret, 0, "setsockopt {level} {option}: error {}", errno());
    }

    /// From now on no call waits.
    pub fn never_wait(&self) {
        // SAFETY: no memory is involved.
        unsafe {
            let flags = libc::fcntl(self.raw(), libc::F_GETFL);
            assert_eq!(libc::fcntl(self.raw(), libc::F_SETFL, flags | libc::O_NONBLOCK), 0);
        }
    }

    /// send(2): bytes, or the error.
    pub fn send(&self, bytes: usize, flags: i32) -> Result<usize, i32> {
        let data = vec![b'd'; bytes];
        // SAFETY: the data outlives the call.
        tally::sent(self.kind, unsafe { libc::send(self.raw(), data.as_ptr().cast(), bytes, flags) })
    }

    /// sendto(2).
    pub fn send_to(&self, bytes: usize, flags: i32, to: SocketAddr) -> Result<usize, i32> {
        let (data, address) = (vec![b'd'; bytes], Address::of(to));
        let (to, len) = (address.bytes.as_ptr().cast(), address.len);
        // SAFETY: data and address outlive the call.
        let ret = unsafe { libc::sendto(self.raw(), data.as_ptr().cast(), bytes, flags, to, len) };
        tally::sent(self.kind, ret)
    }

    /// recv(2).
    pub fn receive(&self, most: usize, flags: i32) -> Result<usize, i32> {
        let mut data = vec![0; most];
        // SAFETY: the buffer is as long as said.
        let ret = unsafe { libc::recv(self.raw(), data.as_mut_ptr().cast(), most, flags) };
        tally::received(self.kind, ret)
    }

    /// Receives as often as it takes.
    pub fn receive_all(&self, bytes: usize) {
        let mut missing = bytes;
        while missing > 0 {
            match self.receive(missing, 0).expect("the other end sends") {
                0 => panic!("{missing} bytes missing at the end"),
                received => missing -= received,
            }
        }
    }

    /// The other end closes: a receive of nothing.
    pub fn receive_end(&self) {
        assert_eq!(self.receive(1, 0), Ok(0));
    }

    /// Sends no more.
    pub fn shut_down(&self) {
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::shutdown(self.raw(), libc::SHUT_WR) }, 0, "shutdown: error {}", errno());
    }

    /// Makes closing it send a reset.
    pub fn no_linger(&self) {
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        let (size, value) = (size_of::<libc::linger>() as libc::socklen_t, (&raw const linger).cast());
        // SAFETY: the value outlives the call.
        let ret = unsafe { libc::setsockopt(self.raw(), libc::SOL_SOCKET, libc::SO_LINGER, value, size) };
        assert_eq!(ret, 0, "SO_LINGER");
    }
}

/// A listening socket, and where it listens.
pub fn listener(family: i32, ip: IpAddr) -> (Socket, SocketAddr) {
    let listener = Socket::tcp(family);
    let at = listener.bind(ip);
    listener.listen(512);
    (listener, at)
}

/// Both ends of a new connection: the one that connected, and the one that accepted.
pub fn pair(family: i32) -> (Socket, Socket) {
    let (listener, at) = listener(family, local(family));
    let mut client = Socket::tcp(family);
    assert_eq!(client.connect(at), 0);
    let server = listener.accept(client.kind.1).expect("a connection");
    (client, server)
}

/// Both ends close in order: neither has data left.
pub fn finish((client, server): (Socket, Socket)) {
    client.shut_down();
    server.receive_end();
    drop(server);
    client.receive_end();
}
