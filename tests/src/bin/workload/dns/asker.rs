//! Asks a server, and counts what comes of it.

use std::cell::Cell;
use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use super::message::{id, result, with_length};
use super::tally::{self, Kind};

/// Where the work's own server is.
pub const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53));
pub const SERVER6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
const PORT: u16 = 53;
/// The default of `dnslat --timeout`.
const TIMEOUT: Duration = Duration::from_secs(5);

thread_local! {
    static AT: Cell<IpAddr> = const { Cell::new(SERVER) };
}

/// Asks this server rather than the work's own.
pub fn ask_at(server: IpAddr) {
    AT.set(server);
}

/// The server of a family.
pub fn server(family: u8) -> IpAddr {
    if family == 4 { AT.get() } else { SERVER6 }
}

/// Counts an answer.
fn answered(kind: Kind, answer: &[u8], took: Duration) {
    if took > TIMEOUT {
        tally::add(kind, "timeouts", 1);
        return;
    }
    tally::add(kind, "answers", 1);
    let (rcode, cut) = result(answer);
    let field = match rcode {
        0 => None,
        2 => Some("servfail"),
        3 => Some("nxdomain"),
        5 => Some("refused"),
        _ => Some("other_errors"),
    };
    field.into_iter().for_each(|field| tally::add(kind, field, 1));
    if cut {
        tally::add(kind, "truncated", 1);
    }
}

/// A socket of UDP that asks one server.
pub struct Udp {
    socket: UdpSocket,
    to: SocketAddr,
    kind: Kind,
    connected: bool,
    asked: Cell<Instant>,
}

impl Udp {
    /// That of this address, from any port of a socket of this family.
    pub fn to(server: IpAddr, socket_family: u8) -> Self {
        let any: IpAddr =
            if socket_family == 4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let to = match server {
            IpAddr::V4(address) if socket_family == 6 => address.to_ipv6_mapped().into(),
            _ => server,
        };
        let socket = UdpSocket::bind((any, 0)).expect("a socket");
        let asked = Cell::new(Instant::now());
        Self { socket, to: (to, PORT).into(), kind: (server, "udp"), connected: false, asked }
    }

    /// The same, connected.
    pub fn connected(self) -> Self {
        self.socket.connect(self.to).expect("UDP connects");
        Self { connected: true, ..self }
    }

    /// With its socket, for what else there is to do with one.
    pub fn over(socket: UdpSocket, to: SocketAddr, kind: Kind) -> Self {
        Self { socket, to, kind, connected: false, asked: Cell::new(Instant::now()) }
    }

    /// The socket.
    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Sends a query.
    pub fn send(&self, query: &[u8]) {
        self.asked.set(Instant::now());
        let sent = if self.connected { self.socket.send(query) } else { self.socket.send_to(query, self.to) };
        assert_eq!(sent.expect("a query is sent"), query.len());
        tally::add(self.kind, "queries", 1);
    }

    /// Counts queries that were sent in another way.
    pub fn sent(&self, queries: u64) {
        self.asked.set(Instant::now());
        tally::add(self.kind, "queries", queries);
    }

    /// Counts one that is never answered.
    pub fn gives_up(&self) {
        tally::add(self.kind, "timeouts", 1);
    }

    /// Counts one that was asked before.
    pub fn again(&self) {
        tally::add(self.kind, "retries", 1);
    }

    /// Waits for an answer; returns its id.
    pub fn receive(&self) -> u16 {
        let answer = self.read();
        answered(self.kind, &answer, self.asked.get().elapsed());
        id(&answer)
    }

    /// The same of an answer of so many bytes, into a buffer of as many.
    pub fn receive_exactly(&self, bytes: usize) -> u16 {
        let mut answer = vec![0; bytes];
        assert_eq!(self.socket.recv(&mut answer).expect("an answer"), bytes);
        answered(self.kind, &answer, self.asked.get().elapsed());
        id(&answer)
    }

    /// The same of a datagram that answers nothing.
    pub fn read(&self) -> Vec<u8> {
        let mut buffer = [0; 4096];
        let size = match self.connected {
            true => self.socket.recv(&mut buffer),
            false => self.socket.recv_from(&mut buffer).map(|(size, _)| size),
        };
        buffer[..size.expect("an answer")].to_vec()
    }

    /// Sends a query, and waits for its answer.
    pub fn ask(&self, query: &[u8]) {
        self.send(query);
        assert_eq!(self.receive(), id(query));
    }
}

/// A connection to one server.
pub struct Tcp {
    stream: TcpStream,
    kind: Kind,
}

impl Tcp {
    /// That of this address.
    pub fn to(server: IpAddr) -> Self {
        let stream = TcpStream::connect((server, PORT)).expect("the server accepts");
        stream.set_nodelay(true).expect("an option");
        Self { stream, kind: (server, "tcp") }
    }

    /// Sends queries, in one of the ways that programs have for one message.
    pub fn send(&mut self, queries: &[&[u8]], way: usize) {
        tally::add(self.kind, "queries", queries.len() as u64);
        let message: Vec<u8> = queries.iter().flat_map(|query| with_length(query)).collect();
        let parts: &[usize] = match way % 4 {
            0 => {
                let parts = [IoSlice::new(&message[..2]), IoSlice::new(&message[2..])];
                assert_eq!(self.stream.write_vectored(&parts).expect("a query is sent"), message.len());
                return;
            }
            1 => &[],
            2 => &[2],
            _ => &[1, 7, 9],
        };
        let mut from = 0;
        for to in parts.iter().copied().chain([message.len()]) {
            self.stream.write_all(&message[from..to]).expect("a query is sent");
            from = to;
        }
    }

    /// Waits for an answer, in one of the ways that programs have.
    pub fn receive(&mut self, asked: Instant, way: usize) -> Vec<u8> {
        let mut answer = vec![0; 2];
        match way % 3 {
            0 => {
                self.stream.read_exact(&mut answer).expect("a length");
                self.rest(&mut answer);
            }
            1 => {
                answer.resize(4096, 0);
                let size = self.stream.read(&mut answer).expect("an answer");
                answer.truncate(size);
                self.rest(&mut answer);
            }
            _ => {
                let mut rest = vec![0; 4094];
                let size = self
                    .stream
                    .read_vectored(&mut [IoSliceMut::new(&mut answer), IoSliceMut::new(&mut rest)]);
                let size = size.expect("an answer");
                answer.extend_from_slice(&rest[..size.saturating_sub(2)]);
                answer.truncate(size);
                self.rest(&mut answer);
            }
        }
        let answer = answer.split_off(2);
        answered(self.kind, &answer, asked.elapsed());
        answer
    }

    /// What an answer lacks.
    fn rest(&mut self, answer: &mut Vec<u8>) {
        if answer.len() < 2 {
            let mut more = vec![0; 2 - answer.len()];
            self.stream.read_exact(&mut more).expect("a length");
            answer.extend(more);
        }
        let whole = 2 + usize::from(id(answer));
        if answer.len() < whole {
            let mut more = vec![0; whole - answer.len()];
            self.stream.read_exact(&mut more).expect("an answer");
            answer.extend(more);
        }
        assert_eq!(answer.len(), whole, "one answer");
    }
}
