//! Listens, and serves each connection in a task of its own.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cli::exit::{Exit, Failure, Result};
use cli::shortage::{self, Shortage};
use hyper::rt::{Read, Write};
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;

use super::access::Access;
use super::activation;
use super::places::Places;
use super::token::{self, Made};
use super::{FRESH, Server};
use crate::note::note;
use crate::supervisor::control::Control;

/// The maximum number of concurrent connections. A new one takes the place of the idlest.
const CONNECTIONS: usize = 32;
/// The maximum lifetime of a connection.
const CONNECTION: Duration = Duration::from_secs(60);
/// The time-out for a request's head, from the connection or the last answer on.
const HEAD: Duration = Duration::from_secs(2);
/// A connection is closed if no byte moves for this time: its client does not read the answer.
const IDLE: Duration = Duration::from_secs(5);
/// The maximum size and number of a request's headers.
const HEAD_BYTES: usize = 16 << 10;
const HEADERS: usize = 64;

/// How the server was started.
pub struct Serving {
    /// The address with its actual port.
    pub address: SocketAddr,
    /// The token that was made for orders, and its file.
    pub made: Option<Made>,
}

/// Starts serving on an address. Without a `token` file, only loopback addresses are allowed; if
/// there are `commands` to give orders to, a token for these is made.
pub fn serve(address: &str, token: Option<&Path>, commands: bool, control: Arc<Control>) -> Result<Serving> {
    let token = token.map(token::read).transpose()?;
    let what = format!("--serve {address}");
    let refused = |error: io::Error| match Shortage::of(&error) {
        Some(shortage) => shortage.failure(&what, error),
        None => Failure::usage(format!("{what}: {error}; use another address or port")),
    };
    let is_allowed = |address: SocketAddr| {
        if address.ip().to_canonical().is_loopback() || token.is_some() {
            return Ok(());
        }
        let remedy = "use 127.0.0.1, or require a secret: --serve-token FILE";
        Err(Failure::usage(format!("{what}: any client could disable tools there; {remedy}")))
    };
    let listener = match activation::listener(address) {
        Some(given) => given?,
        None => {
            let wanted = parse(address)?;
            is_allowed(wanted)?;
            TcpListener::bind(wanted).map_err(refused)?
        }
    };
    listener.set_nonblocking(true).map_err(refused)?;
    let got = listener.local_addr().map_err(refused)?;
    is_allowed(got)?;
    let failed = |error| shortage::failure(Exit::Failed, &what, &error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let made = if token.is_none() && commands { make_token(got.port()) } else { None };
    let access = match token {
        Some(token) => Access::Token(token),
        None => Access::Loopback(made.as_ref().map(|made| made.secret.clone())),
    };
    let server = Arc::new(Server::new(control, access));
    let listener = {
        let _inside = runtime.enter();
        tokio::net::TcpListener::from_std(listener).map_err(failed)?
    };
    // It ends with the process.
    let thread = std::thread::Builder::new().name("serve".into());
    thread.spawn(move || runtime.block_on(accept(listener, server))).map_err(failed)?;
    Ok(Serving { address: got, made })
}

/// Reading works without a token, so a failure is no reason to end.
fn make_token(port: u16) -> Option<Made> {
    let made = Made::new(port);
    let failed = |error| {
        note(&format!(
            "--serve: tools cannot be enabled or disabled, because no token can be stored: {error}; use --serve-token FILE"
        ))
    };
    made.map_err(failed).ok()
}

/// `9435` and `:9435` are ports of 127.0.0.1.
fn parse(address: &str) -> Result<SocketAddr> {
    let port = address.strip_prefix(':').unwrap_or(address).parse::<u16>();
    match (port, address.parse()) {
        (Ok(port), _) => Ok(SocketAddr::new(IpAddr::from([127, 0, 0, 1]), port)),
        (_, Ok(address)) => Ok(address),
        _ => Err(Failure::usage(format!(
            "--serve {address}: not PORT, ADDRESS:PORT, [ADDRESS]:PORT or fd://N"
        ))),
    }
}

async fn accept(listener: tokio::net::TcpListener, server: Arc<Server>) {
    let places = Places::new(CONNECTIONS);
    drop(tokio::spawn(close_idle(Arc::clone(&places))));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // For example, out of descriptors: this may pass, and one connection less helps.
            places.evict_idlest(Duration::ZERO);
            tokio::time::sleep(FRESH).await;
            continue;
        };
        let server = Arc::clone(&server);
        places.room().await;
        places.admit(stream, |stream| converse(stream, server));
    }
}

/// Answers the requests of a connection until it ends.
pub async fn converse<S: Read + Write + Unpin>(stream: S, server: Arc<Server>) {
    let answer = service_fn(move |request| {
        let answer = server.answer(&request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES).max_headers(HEADERS);
    // Errors of a client's connection are ignored.
    let _ = tokio::time::timeout(CONNECTION, http.serve_connection(stream, answer)).await;
}

async fn close_idle(places: Arc<Places>) {
    loop {
        tokio::time::sleep(IDLE / 10).await;
        places.evict_idle(IDLE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_one_of_loopback() {
        for (text, address) in [
            ("9435", "127.0.0.1:9435"),
            (":0", "127.0.0.1:0"),
            ("[::1]:9", "[::1]:9"),
            ("0.0.0.0:1", "0.0.0.0:1"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), address);
        }
        for bad in ["", "localhost", "1.2.3.4", "99999", "x:1"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
