//! PTR queries (RFC 1035), and their answers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use common::dns::labels;

/// The port of name servers.
const PORT: u16 = 53;
/// How long a server is waited for, and how often all are asked.
const PATIENCE: Duration = Duration::from_millis(1_500);
const TRIES: usize = 2;
/// How many servers are asked, as resolv.conf(5) has it (`MAXNS`).
const SERVERS: usize = 3;
/// The type of a record that names an address.
const PTR: u16 = 12;

/// The servers in the text of a resolv.conf(5); the machine's own if it names none.
pub fn servers(text: &str) -> Vec<SocketAddr> {
    let address = |line: &str| {
        let address = line.trim().strip_prefix("nameserver")?.trim();
        // A zone is of no use to a socket without its number.
        Some(SocketAddr::new(address.split('%').next()?.parse().ok()?, PORT))
    };
    let mut servers: Vec<_> = text.lines().filter_map(address).take(SERVERS).collect();
    if servers.is_empty() {
        servers.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), PORT));
    }
    servers
}

/// The name of an address by the first server that answers; `None` also if none does.
pub fn name(address: IpAddr, servers: &[SocketAddr]) -> Option<String> {
    (0..TRIES).flat_map(|_| servers).find_map(|server| ask(address, *server)).flatten()
}

/// What a server answers: there may be no name. `None` without an answer.
fn ask(address: IpAddr, server: SocketAddr) -> Option<Option<String>> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    // From now on it receives from nowhere else. Its port, of which none can know, is the protection against forgery.
    socket.connect(server).ok()?;
    let id = socket.local_addr().ok()?.port() ^ 0x5353;
    socket.send(&query(address, id)).ok()?;
    let until = Instant::now() + PATIENCE;
    let mut answer = [0; 4_096];
    loop {
        let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        socket.set_read_timeout(Some(left)).ok()?;
        let length = socket.recv(&mut answer).ok()?;
        if let Some(name) = answered(&answer[..length], id) {
            return Some(name);
        }
    }
}

fn query(address: IpAddr, id: u16) -> Vec<u8> {
    let mut query = id.to_be_bytes().to_vec();
    // A standard query with recursion; one question.
    query.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    let mut label = |text: &str| {
        query.push(text.len() as u8);
        query.extend(text.as_bytes());
    };
    match address {
        IpAddr::V4(address) => {
            address.octets().iter().rev().for_each(|octet| label(&octet.to_string()));
            label("in-addr");
        }
        IpAddr::V6(address) => {
            let nibbles = address.octets().into_iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            nibbles.for_each(|nibble| label(&format!("{nibble:x}")));
            label("ip6");
        }
    }
    label("arpa");
    query.extend([0, 0, PTR as u8, 0, 1]);
    query
}

/// The name in an answer to the query with this id, if there is one; `None` if it is no such answer.
pub fn answered(answer: &[u8], id: u16) -> Option<Option<String>> {
    let number = |at: usize| Some(u16::from_be_bytes(answer.get(at..at + 2)?.try_into().ok()?));
    if number(0)? != id || number(2)? & 0x8000 == 0 {
        return None;
    }
    let (questions, answers) = (number(4)?, number(6)?);
    let found = || {
        let mut at = 12;
        for _ in 0..questions {
            at = read_name(answer, at)?.1 + 4;
        }
        for _ in 0..answers {
            at = read_name(answer, at)?.1;
            if number(at)? == PTR {
                return Some(read_name(answer, at + 10)?.0);
            }
            at += 10 + usize::from(number(at + 8)?);
        }
        None
    };
    Some(found().filter(|name| !name.is_empty()))
}

/// The name at a place, and the place after it.
fn read_name(answer: &[u8], at: usize) -> Option<(String, usize)> {
    let (labels, after) = labels(answer, at)?;
    let texts: Vec<_> = labels.into_iter().map(String::from_utf8_lossy).collect();
    Some((texts.join("."), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_those_of_the_file() {
        let read = |text| servers(text).into_iter().map(|server| server.to_string()).collect::<Vec<_>>();
        let text = "# x\nnameserver 9.9.9.9\n nameserver\tfe80::1%eth0\noptions x\nnameserver x\n";
        assert_eq!(read(text), ["9.9.9.9:53", "[fe80::1]:53"]);
        assert_eq!(read(""), ["127.0.0.1:53"]);
    }

    #[test]
    fn questions_are_for_the_reversed_address() {
        let asked = |address: &str| {
            let query = query(address.parse().unwrap(), 7);
            assert_eq!(query[..4], [0, 7, 1, 0]);
            read_name(&query, 12).unwrap().0
        };
        assert_eq!(asked("192.0.2.1"), "1.2.0.192.in-addr.arpa");
        let nibbles = format!("1{}.8.b.d.0.1.0.0.2.ip6.arpa", ".0".repeat(23));
        assert_eq!(asked("2001:db8::1"), nibbles);
    }

    /// An answer to a question of 192.0.2.1, with an alias before the name.
    fn answer() -> Vec<u8> {
        let mut answer = query("192.0.2.1".parse().unwrap(), 7);
        (answer[2], answer[7]) = (0x81, 2);
        answer.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 12]);
        answer.extend([0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 9, 0, 8, 1, b'a', 3, b'o', b'r', b'g', 0xc0, 30]);
        answer
    }

    #[test]
    fn a_name_is_read_through_its_pointers() {
        assert_eq!(answered(&answer(), 7), Some(Some("a.org.arpa".to_string())));
        assert_eq!(answered(&answer(), 8), None);
        assert_eq!(answered(&query("192.0.2.1".parse().unwrap(), 7), 7), None);
        let mut none = query("192.0.2.1".parse().unwrap(), 7);
        (none[2], none[3]) = (0x81, 3);
        assert_eq!(answered(&none, 7), Some(None));
    }

    #[test]
    fn a_bad_answer_is_none() {
        let good = answer();
        for end in 0..good.len() {
            let _ = answered(&good[..end], 7);
        }
        for at in 0..good.len() {
            for byte in [0, 1, 63, 64, 0xc0, 0xff] {
                let mut bad = good.clone();
                bad[at] = byte;
                let _ = answered(&bad, 7);
            }
        }
    }

    #[test]
    fn a_server_is_asked() {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let at = server.local_addr().unwrap();
        let answers = std::thread::spawn(move || {
            let mut asked = [0; 512];
            let (length, from) = server.recv_from(&mut asked).unwrap();
            let mut told = answer();
            told[..2].copy_from_slice(&asked[..2]);
            assert_eq!(told[12..length], asked[12..length]);
            // One that is none comes first.
            server.send_to(b"odd", from).unwrap();
            server.send_to(&told, from).unwrap();
        });
        assert_eq!(name("192.0.2.1".parse().unwrap(), &[at]), Some("a.org.arpa".to_string()));
        answers.join().unwrap();
    }
}
