//! As a service of systemd: with a socket from it (`LISTEN_FDS`), and telling it when all is ready (`NOTIFY_SOCKET`).

use std::fs;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use rustix::io::{FdFlags, fcntl_setfd};
use test_support::streams::Streams;
use test_support::wait::{For, until};

use super::Served;
use super::orders::{BYTES, streams};
use crate::support::{PATIENCE, mux_in};

/// As systemd starts it: with these descriptors from 3 on.
fn with_sockets(streams: &Streams, sockets: &[i32], arguments: &[&str]) -> Command {
    let inner = mux_in(streams, arguments);
    let places = sockets.iter().zip(3..).map(|(fd, place)| format!("exec {place}<&{fd}; "));
    let line = format!(
        "{}LISTEN_FDS={} LISTEN_PID=$$ exec \"$0\" \"$@\"",
        places.collect::<String>(),
        sockets.len()
    );
    let mut command = Command::new("bash");
    command.args(["-c", &line]).arg(inner.get_program()).args(inner.get_args());
    command.current_dir(streams.path(""));
    inner.get_envs().for_each(|(name, value)| {
        if let Some(value) = value {
            command.env(name, value);
        }
    });
    command
}

fn listener() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    fcntl_setfd(&listener, FdFlags::empty()).unwrap();
    listener
}

#[test]
fn a_service_manager_gives_the_socket_and_hears_when_all_is_ready() {
    let streams = streams();
    streams.write("env.sh", "#!/bin/bash\nenv > env.tmp; mv env.tmp env; exec ./disks\n");
    streams.shell("chmod +x env.sh");
    let told = UnixDatagram::bind(streams.path("notify")).unwrap();
    told.set_read_timeout(Some(PATIENCE)).unwrap();
    let hears = || {
        let mut bytes = [0; 4096];
        let length = told.recv(&mut bytes).expect("it tells");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    let listener = listener();
    let port = listener.local_addr().unwrap().port();
    let mut command =
        with_sockets(&streams, &[listener.as_raw_fd()], &["--run", "./env.sh", "--serve", "fd://0"]);
    command.env("NOTIFY_SOCKET", streams.path("notify"));
    let served = Served::of(streams.path(""), command);
    assert_eq!(served.address, format!("127.0.0.1:{port}"));
    assert_eq!(hears(), format!("READY=1\nSTATUS=serving on http://127.0.0.1:{port}/metrics\n"));
    until(For::Answer, "the first intervals", || Some(()).filter(|()| served.value(BYTES) > 0.0));
    // The tools are not the service.
    let seen = fs::read_to_string(streams.path("env")).unwrap();
    assert!(!seen.contains("LISTEN_") && !seen.contains("NOTIFY_SOCKET") && seen.contains("PATH="), "{seen}");
    drop(served);
    assert_eq!(hears(), "STOPPING=1\n");
}

#[test]
fn sockets_that_are_not_there_are_named() {
    let streams = streams();
    let (udp, tcp) = (std::net::UdpSocket::bind("127.0.0.1:0").unwrap(), listener());
    fcntl_setfd(&udp, FdFlags::empty()).unwrap();
    for (sockets, address, says) in [
        (&[][..], "fd://0", "systemd has given no sockets"),
        (&[tcp.as_raw_fd()], "fd://1", "systemd has given 1 sockets"),
        (&[udp.as_raw_fd()], "fd://0", "no listening TCP socket"),
        (&[tcp.as_raw_fd()], "fd://x", "a number"),
    ] {
        let output = with_sockets(&streams, sockets, &["--serve", address]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(says) && said.lines().count() == 1, "{said}");
    }
}
