//! `--serve fd://N`: a socket that systemd has opened, so that no scrape fails while this program starts, and that it needs no
//! right to a port (sd_listen_fds(3)).

use std::net::TcpListener;
use std::os::fd::{FromRawFd, OwnedFd};

use cli::exit::{Failure, Result};
use rustix::net::AddressFamily;
use rustix::net::sockopt::{socket_acceptconn, socket_domain};

/// How such an address begins.
const SCHEME: &str = "fd://";

/// The socket of this number, from 0; `None` if the address is of another kind.
///
/// # Errors
/// Bad usage if there is none, or it is no listening TCP socket.
pub fn listener(address: &str) -> Option<Result<TcpListener>> {
    let number = address.strip_prefix(SCHEME)?;
    let wrong = |what: String| Failure::usage(format!("--serve {address}: {what}"));
    Some(number.parse::<usize>().map_err(|_| wrong("fd:// is followed by a number, from 0".into())).and_then(
        |number| {
            let mut given = sd_notify::listen_fds().map_err(|error| wrong(format!("LISTEN_FDS: {error}")))?;
            let count = given.len();
            let fd = given.nth(number).ok_or_else(|| match count {
                0 => wrong("systemd has given no sockets (LISTEN_FDS): the unit needs a .socket".into()),
                count => wrong(format!("systemd has given {count} sockets, from fd://0 on")),
            })?;
            // SAFETY: open, as just seen, and this process's own: systemd has made it for it, and nothing else here takes it.
            let socket = unsafe { OwnedFd::from_raw_fd(fd) };
            let is_tcp = socket_domain(&socket)
                .is_ok_and(|domain| [AddressFamily::INET, AddressFamily::INET6].contains(&domain))
                && socket_acceptconn(&socket) == Ok(true);
            if !is_tcp {
                return Err(wrong("it is no listening TCP socket (ListenStream=ADDRESS:PORT)".into()));
            }
            Ok(TcpListener::from(socket))
        },
    ))
}
