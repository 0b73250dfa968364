//! `contrib/mapstat/synbacklog`: what a SYN finds before it.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tests::kernel::Allows;
use tests::wait::{For, until};

use super::shipped::BACKLOGS;
use super::*;
use crate::tcplife::networks::Networks;

const SYNS: u64 = 17;
/// A socket's state in /proc/net/tcp (include/net/tcp_states.h).
const SYN_RECV: &str = "03";
const LISTEN: &str = "0A";

/// Does something in a network.
fn within<T: Send>(network: &str, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            let file = File::open(network).expect("a network");
            move_into_link_name_space(std::os::fd::AsFd::as_fd(&file), Some(LinkNameSpaceType::Network))
                .expect("root may");
            work()
        });
        inside.join().expect("it ends")
    })
}

/// The sockets of this port in this thread's network: how many are not yet established, and how many connections wait for
/// accept(2).
fn queues(port: u16) -> [u64; 2] {
    let text = fs::read_to_string("/proc/thread-self/net/tcp").expect("a file");
    let own = format!(":{port:04X}");
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let rows = || rows.iter().filter(|row| row[1].ends_with(&own));
    let listening = rows().find(|row| row[3] == LISTEN).expect("a listener");
    let waiting = listening[4].split_once(':').expect("two queues").1;
    [
        rows().filter(|row| row[3] == SYN_RECV).count() as u64,
        u64::from_str_radix(waiting, 16).expect("a number"),
    ]
}

#[test]
fn a_syn_finds_those_that_came_before_it() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    if kernel::allows("kprobe") != Allows::Yes {
        let configs = Configs::of(&[BACKLOGS]);
        return refuses(
            &format!("$BIN/mapstat -c {}", configs.path("synbacklog.yaml")),
            3,
            &["program asked is not attached"],
        );
    }
    let networks = Networks::new();
    let [server, client] = networks.files();
    let [of_server, of_client] = Networks::ADDRESSES;
    let configs = Configs::of(&[BACKLOGS]);
    let tool = configs.start("synbacklog", &["--strict", "--buckets", "-q", "0.1"]);
    let listen = || {
        let listener = within(&server, || TcpListener::bind("0.0.0.0:0").expect("a listener"));
        let port = listener.local_addr().expect("an address").port();
        (listener, port)
    };
    let to: Ipv4Addr = of_server.parse().expect("an address");
    let found = |port: u16, expected: [u64; 2]| {
        let all = || until(For::State, "the socket's queues", || (queues(port) == expected).then_some(()));
        within(&server, all);
    };
    // Nobody accepts them: each SYN finds those before it, established.
    let (_accepts_none, established) = listen();
    let mut open = Vec::new();
    for number in 1..=SYNS {
        open.push(within(&client, || TcpStream::connect((to, established)).expect("it connects")));
        found(established, [0, number]);
    }
    // The answers go to another address: each SYN finds those before it, which wait for the third packet.
    let network = server.rsplit('/').next().expect("a name");
    let wrong =
        format!("-n {network} neigh replace {of_client} lladdr 02:00:00:00:00:99 dev eth0 nud permanent");
    programs::succeed("ip", &wrong.split(' ').collect::<Vec<_>>());
    let (_hears_none, half_open) = listen();
    let mut sockets = Vec::new();
    for number in 1..=SYNS {
        sockets.push(within(&client, || {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).expect("a socket");
            assert_eq!(connect(&socket, &SocketAddrV4::new(to, half_open)), Err(Errno::INPROGRESS));
            socket
        }));
        found(half_open, [number, 0]);
    }
    let records = ended(tool).records;
    let bounds: Vec<u64> = std::iter::once(0).chain((0..17).map(|power| 1 << power)).collect();
    let growing = (in_buckets(0..SYNS, &bounds), (0..SYNS).sum::<u64>() as f64);
    let none = (in_buckets((0..SYNS).map(|_| 0), &bounds), 0.0);
    for (port, syns, accepts) in [(established, &none, &growing), (half_open, &growing, &none)] {
        let seen = |metric: &str| {
            let mine =
                of(&records, metric).into_iter().filter(|one| one["port"] == port.to_string().as_str());
            histogram(&mine.collect::<Vec<_>>())
        };
        assert_eq!((&seen("tcp_syn_backlog"), &seen("tcp_accept_backlog")), (syns, accepts), "{port}");
    }
}
