//! `tcp --listen ADDRESS --connect ADDRESS --times N [--how HOW] [--together] [--early]`: N TCP
//! connections, one after the other, between this process, which connects, and another, which
//! accepts; with `--together`, a thread of this process accepts. HOW:
//! - `close` (the default): both send different numbers of bytes; the two ends take turns in
//!   closing first.
//! - `half`: this end shuts down its sending side (`shutdown`) before the other sends.
//! - `reset`: this end closes with SO_LINGER 0.
//! - `unread`: this end closes without having read.
//! - `handed`: the accepting process passes each connection to a child and closes its copy.
//! - `forgotten`: the other end does not accept, and closes its listener at the end.
//! - `refused`: no process listens.
//! - `storm`: nothing is sent; only the number of connections is printed.
//!
//! With `--netns FILE` this process enters that network namespace before it connects.
//!
//! With `--early` all are opened before it prints `open` and waits for a line. `--backlog N` is the
//! listener's backlog, 128 by default. `--port N` is the port where it listens, by default a free
//! one. It prints a line for each end of each connection:
//! `{"pid":…,"direction":…,"family":…,"local_addr":…,"local_port":…,"remote_addr":…,"remote_port":…,"netns":…,"tx_bytes":…,"rx_bytes":…}`,
//! pid null if the connection was not accepted; for refused ones `{"failed":N}`, for a storm twice
//! `{"pid":…,"times":N}`.

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use crate::args::Args;
use crate::sys;

/// The header that this end sends first: the sizes of both directions, so that the other end knows
/// them.
const HEADER: usize = 16;
/// Longer than the kernel delays an acknowledgement (`TCP_DELACK_MAX`, 200 ms).
const ACKNOWLEDGED: Duration = Duration::from_millis(250);

/// How connections end.
#[derive(Clone, Copy, PartialEq)]
enum How {
    Close,
    Half,
    Reset,
    Unread,
    Handed,
    Forgotten,
    Refused,
    Storm,
}

impl How {
    fn of(args: &Args) -> Self {
        match args.text("how").unwrap_or("close") {
            "close" => Self::Close,
            "half" => Self::Half,
            "reset" => Self::Reset,
            "unread" => Self::Unread,
            "handed" => Self::Handed,
            "forgotten" => Self::Forgotten,
            "refused" => Self::Refused,
            "storm" => Self::Storm,
            other => panic!("--how {other}: unknown"),
        }
    }
}

/// The bytes that both ends of the connection with this number send; all different, all odd.
fn sizes(number: u64) -> (u64, u64) {
    (1_001 + 14 * number, 20_003 + 38 * number)
}

/// Does the work.
pub fn run(args: &Args) {
    let (how, times) = (How::of(args), args.count("times"));
    let address = |option: &str| -> IpAddr {
        let text = args.text(option).unwrap_or("127.0.0.1");
        text.parse().unwrap_or_else(|_| panic!("--{option} {text}: no address"))
    };
    let backlog = args.text("backlog").map_or(128, |_| args.count("backlog") as i32);
    let listener = listen(SocketAddr::new(address("listen"), args.count("port") as u16), backlog);
    let to = SocketAddr::new(address("connect"), listener.local_addr().expect("bound").port());
    if how == How::Refused {
        drop(listener);
        (0..times).for_each(|_| drop(TcpStream::connect(to).expect_err("no process listens")));
        println!("{{\"failed\":{times}}}");
        return;
    }
    if how == How::Forgotten {
        forgotten(&to, times);
        drop(listener);
        args.hold();
        return;
    }
    if args.has("together") {
        let server = std::thread::spawn(move || serve(&listener, how, times));
        connect(&to, how, times, args);
        server.join().expect("it serves");
    } else {
        let server = sys::child_that(|| {
            serve(&listener, how, times);
            sys::exit(0);
        });
        drop(listener);
        if let Some(namespace) = args.text("netns") {
            sys::enter_network(namespace);
        }
        connect(&to, how, times, args);
        assert_eq!(sys::wait(server), 0, "the other process");
    }
    args.hold();
}

/// Like std's, but with a configurable backlog.
fn listen(at: SocketAddr, backlog: i32) -> TcpListener {
    let listener = TcpListener::bind(at).unwrap_or_else(|error| panic!("cannot listen at {at}: {error}"));
    // SAFETY: the socket is open.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), backlog) }, 0, "listen");
    listener
}

fn connect(to: &SocketAddr, how: How, times: u64, args: &Args) {
    let open = |_| TcpStream::connect(to).unwrap_or_else(|error| panic!("cannot connect to {to}: {error}"));
    if how == How::Storm {
        // On one processor: with two, a reset may arrive before the packet that opens the
        // connection, which is then not accepted.
        sys::stay_on_this_processor();
        for number in 0..times {
            no_linger(&open(number));
        }
        println!("{{\"pid\":{},\"times\":{times}}}", std::process::id());
        return;
    }
    let mut early: Vec<TcpStream> = Vec::new();
    if args.has("early") {
        early.extend((0..times).map(open));
        args.say_and_wait("open");
    }
    early.reverse();
    let ends: Vec<String> =
        (0..times).map(|number| use_up(early.pop().unwrap_or_else(|| open(number)), how, number)).collect();
    ends.iter().for_each(|line| println!("{line}"));
}

/// Sends, receives and closes, as the end that connected.
fn use_up(mut stream: TcpStream, how: How, number: u64) -> String {
    let (up, down) = sizes(number);
    let (tx, rx) = (up + HEADER as u64, down);
    let end = line(&stream, std::process::id(), "out", tx, rx);
    let mut header = up.to_be_bytes().to_vec();
    header.extend(down.to_be_bytes());
    header.resize(tx as usize, b'u');
    stream.write_all(&header).expect("the other end reads");
    if how == How::Half {
        stream.shutdown(Shutdown::Write).expect("shutdown");
    }
    if how != How::Unread {
        stream.read_exact(&mut vec![0; down as usize]).expect("the other end sends");
    }
    match how {
        How::Reset | How::Unread => {
            std::thread::sleep(ACKNOWLEDGED);
            if how == How::Reset {
                no_linger(&stream);
            }
        }
        // The other end closes first, or this one.
        How::Close if number % 2 == 1 => until_closed(&mut stream),
        How::Half => until_closed(&mut stream),
        How::Handed => until_closed(&mut stream),
        _ => (),
    }
    end
}

fn serve(listener: &TcpListener, how: How, times: u64) {
    let accept = || listener.accept().expect("a connection").0;
    if how == How::Storm {
        (0..times).for_each(|_| drop(accept()));
        println!("{{\"pid\":{},\"times\":{times}}}", std::process::id());
        return;
    }
    let pid = std::process::id();
    if how == How::Handed {
        for number in 0..times {
            let stream = accept();
            let child = sys::child_that(|| {
                println!("{}", answer(stream.try_clone().expect("a copy"), how, number, pid));
                sys::exit(0);
            });
            drop(stream);
            assert_eq!(sys::wait(child), 0, "the child");
        }
        return;
    }
    let ends: Vec<String> = (0..times).map(|number| answer(accept(), how, number, pid)).collect();
    ends.iter().for_each(|line| println!("{line}"));
}

/// The same as the end that accepted.
fn answer(mut stream: TcpStream, how: How, number: u64, pid: u32) -> String {
    let mut header = [0; HEADER];
    stream.read_exact(&mut header).expect("a header");
    let size = |at: usize| u64::from_be_bytes(std::array::from_fn(|byte| header[at + byte]));
    let (up, down) = (size(0), size(8));
    let end = line(&stream, pid, "in", down, up + HEADER as u64);
    stream.read_exact(&mut vec![0; up as usize]).expect("the other end sends");
    if how == How::Half {
        until_closed(&mut stream);
    }
    stream.write_all(&vec![b'd'; down as usize]).expect("the other end reads");
    let first = matches!(how, How::Half | How::Handed) || how == How::Close && number % 2 == 1;
    if !first {
        until_closed(&mut stream);
    }
    end
}

/// Connections that are not accepted: this end has sent its data and closed.
fn forgotten(to: &SocketAddr, times: u64) {
    for number in 0..times {
        let mut stream = TcpStream::connect(to).expect("the kernel accepts");
        let (up, _) = sizes(number);
        stream.write_all(&vec![b'u'; up as usize]).expect("the kernel receives");
        let end = line(&stream, std::process::id(), "out", up, 0);
        let (here, there) = (stream.local_addr().expect("here"), stream.peer_addr().expect("there"));
        println!("{end}\n{}", line_of(there, here, None, "in", 0, up));
    }
    std::thread::sleep(ACKNOWLEDGED);
}

/// Reads until the other end closes.
fn until_closed(stream: &mut TcpStream) {
    match stream.read(&mut [0]) {
        Ok(0) | Err(_) => (),
        Ok(_) => panic!("more than was to be sent"),
    }
}

/// Makes closing it send a reset.
fn no_linger(stream: &TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let size = size_of::<libc::linger>() as libc::socklen_t;
    let value = (&raw const linger).cast();
    // SAFETY: the length is that of the value, which outlives the call.
    let set = unsafe { libc::setsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, value, size) };
    assert_eq!(set, 0, "SO_LINGER");
}

fn line(stream: &TcpStream, pid: u32, direction: &str, tx: u64, rx: u64) -> String {
    let (here, there) = (stream.local_addr().expect("here"), stream.peer_addr().expect("there"));
    line_of(here, there, Some(pid), direction, tx, rx)
}

fn line_of(
    here: SocketAddr,
    there: SocketAddr,
    pid: Option<u32>,
    direction: &str,
    tx: u64,
    rx: u64,
) -> String {
    // An IPv4-mapped IPv6 address is an IPv4 address.
    let (local, remote) = (here.ip().to_canonical(), there.ip().to_canonical());
    let family = if remote.is_ipv4() { 4 } else { 6 };
    let pid = pid.map_or("null".to_string(), |pid| pid.to_string());
    format!(
        "{{\"pid\":{pid},\"direction\":\"{direction}\",\"family\":{family},\"local_addr\":\"{local}\",\"local_port\":{},\
         \"remote_addr\":\"{remote}\",\"remote_port\":{},\"netns\":{},\"tx_bytes\":{tx},\"rx_bytes\":{rx}}}",
        here.port(),
        there.port(),
        sys::network()
    )
}
