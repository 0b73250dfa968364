//! `--serve`: HTTP in a thread of its own, which locks the metrics only briefly so that the merge
//! is not delayed.

pub mod negotiate;
mod protobuf;
mod text;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cli::exit::{Failure, Result};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use crate::metrics::{Metrics, Own};
use crate::supervisor::control::{Control, Order};
use negotiate::Format;

/// The maximum number of concurrent connections; more wait to be accepted.
const CONNECTIONS: usize = 16;
/// The maximum lifetime of a connection.
const CONNECTION: Duration = Duration::from_secs(60);
/// The time-out for a request's head.
const HEAD: Duration = Duration::from_secs(2);
/// The maximum size and number of a request's headers.
const HEAD_BYTES: usize = 16 << 10;
const HEADERS: usize = 64;
/// The minimum time between two renderings of the metrics.
const FRESH: Duration = Duration::from_millis(100);
/// The longest that a tool can be enabled for, in seconds.
const LONGEST: f64 = 1e9;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

type Answer = Response<Full<Bytes>>;

/// The shared state of all requests.
struct Server {
    control: Arc<Control>,
    token: Option<String>,
    /// The last rendering of the metrics, in each format.
    rendered: std::sync::Mutex<[Option<(Instant, Bytes)>; 3]>,
}

/// Starts serving on an address; returns it with its actual port. Without a token, only loopback
/// addresses are allowed.
pub fn serve(address: &str, token: Option<String>, control: Arc<Control>) -> Result<SocketAddr> {
    let wanted = parse(address)?;
    if !wanted.ip().is_loopback() && token.is_none() {
        let remedy = "use 127.0.0.1, or require a secret: --serve-token FILE";
        return Err(Failure::usage(format!(
            "--serve {address}: any client could disable tools there; {remedy}"
        )));
    }
    let refused = |error| Failure::usage(format!("--serve {address}: {error}; use another address or port"));
    let listener = TcpListener::bind(wanted).map_err(refused)?;
    listener.set_nonblocking(true).map_err(refused)?;
    let got = listener.local_addr().map_err(refused)?;
    let failed = |error| Failure::failed(format!("--serve {address}: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let server = Arc::new(Server { control, token, rendered: std::sync::Mutex::default() });
    let listener = {
        let _inside = runtime.enter();
        tokio::net::TcpListener::from_std(listener).map_err(failed)?
    };
    // It ends with the process.
    let thread = std::thread::Builder::new().name("serve".into());
    thread.spawn(move || runtime.block_on(accept(listener, server))).map_err(failed)?;
    Ok(got)
}

/// `9435` and `:9435` are ports of 127.0.0.1.
fn parse(address: &str) -> Result<SocketAddr> {
    let port = address.strip_prefix(':').unwrap_or(address).parse::<u16>();
    match (port, address.parse()) {
        (Ok(port), _) => Ok(SocketAddr::new(IpAddr::from([127, 0, 0, 1]), port)),
        (_, Ok(address)) => Ok(address),
        _ => Err(Failure::usage(format!("--serve {address}: not PORT, ADDRESS:PORT or [ADDRESS]:PORT"))),
    }
}

async fn accept(listener: tokio::net::TcpListener, server: Arc<Server>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // For example, out of descriptors: this may pass.
            tokio::time::sleep(FRESH).await;
            continue;
        };
        let server = Arc::clone(&server);
        let tasks = async move {
            let answer = service_fn(move |request| {
                let answer = server.answer(&request);
                async move { Ok::<_, Infallible>(answer) }
            });
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .max_buf_size(HEAD_BYTES)
                .max_headers(HEADERS);
            // Errors of a client's connection are ignored.
            let _ =
                tokio::time::timeout(CONNECTION, http.serve_connection(TokioIo::new(stream), answer)).await;
            drop(place);
        };
        drop(tokio::spawn(tasks));
    }
}

impl Server {
    fn answer(&self, request: &Request<Incoming>) -> Answer {
        let path: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
        if let Some(refusal) = self.refuse(request, &path) {
            return refusal;
        }
        match (request.method(), &path[..]) {
            (&Method::GET | &Method::HEAD, ["metrics"]) => {
                let accept = request.headers().get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
                let format = Format::accepted(&accept.collect::<Vec<_>>().join(","));
                respond(StatusCode::OK, format.content_type(), self.metrics(format))
            }
            (&Method::GET | &Method::HEAD, ["healthz"]) => self.health(),
            (&Method::GET | &Method::HEAD, ["tools"]) => {
                let tools = self.control.tools().clone();
                respond(StatusCode::OK, JSON, serde_json::to_vec(&tools).unwrap_or_default())
            }
            (&Method::POST, ["tools", name, verb @ ("enable" | "disable")]) => {
                self.order(name, verb, request.uri().query())
            }
            (_, ["metrics" | "healthz" | "tools"] | ["tools", _, "enable" | "disable"]) => {
                text(StatusCode::METHOD_NOT_ALLOWED, "only GET; POST for /tools/NAME/enable and disable")
            }
            _ => text(StatusCode::NOT_FOUND, "there are /metrics, /healthz and /tools"),
        }
    }

    /// Refuses requests without the token and, if none is needed, requests of web pages in a
    /// browser on this machine (CSRF).
    fn refuse(&self, request: &Request<Incoming>, path: &[&str]) -> Option<Answer> {
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        match &self.token {
            _ if path == ["healthz"] => None,
            Some(token) => {
                let given = header(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
                match given.is_some_and(|given| given.as_bytes().ct_eq(token.as_bytes()).into()) {
                    true => None,
                    false => {
                        Some(text(StatusCode::UNAUTHORIZED, "needs the header `Authorization: Bearer TOKEN`"))
                    }
                }
            }
            None => {
                let host = header(HOST).unwrap_or("localhost");
                let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
                let own = name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
                match own && header(ORIGIN).is_none() {
                    true => None,
                    false => Some(text(
                        StatusCode::FORBIDDEN,
                        "refused for pages in a browser, and for host names other than localhost",
                    )),
                }
            }
        }
    }

    fn metrics(&self, format: Format) -> Bytes {
        let mut rendered = self.rendered.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let rendered = &mut rendered[format as usize];
        match rendered {
            Some((at, bytes)) if at.elapsed() < FRESH => bytes.clone(),
            _ => {
                let bytes = Bytes::from(self.render(format));
                *rendered = Some((Instant::now(), bytes.clone()));
                bytes
            }
        }
    }

    fn render(&self, format: Format) -> Vec<u8> {
        let sent = self.control.exporter.as_ref().map(|exporter| exporter.counts());
        let metrics = self.control.metrics.lock();
        let help = "Values left out, because there were too many series: see --serve-series.";
        let mut own = vec![("ebpfmux_series_dropped", help, metrics.dropped)];
        if let Some(counts) = sent {
            own.push((
                "ebpfmux_otlp_points_sent",
                "Data points that the receiver of --otlp accepted.",
                counts.sent,
            ));
            let help = "Data points that could not be sent in time, or were refused.";
            own.push(("ebpfmux_otlp_points_dropped", help, counts.dropped));
        }
        render(&metrics, &own, format)
    }

    fn health(&self) -> Answer {
        match self.control.tools().iter().find(|tool| tool.failed) {
            Some(tool) => text(StatusCode::SERVICE_UNAVAILABLE, &format!("'{}' failed", tool.command)),
            None => text(StatusCode::OK, "ok"),
        }
    }

    fn order(&self, name: &str, verb: &str, query: Option<&str>) -> Answer {
        let Some(tool) = self.control.tools().iter().position(|tool| tool.name == name) else {
            return text(StatusCode::NOT_FOUND, "no such tool is running here; GET /tools lists them");
        };
        let seconds = match query.map(|query| query.strip_prefix("seconds=").map(str::parse::<f64>)) {
            None => None,
            Some(Some(Ok(seconds))) if (0.0..=LONGEST).contains(&seconds) => {
                Some(Duration::from_secs_f64(seconds))
            }
            Some(_) => return text(StatusCode::BAD_REQUEST, "the query is ?seconds=N, from 0 to 1000000000"),
        };
        let order = if verb == "enable" { Order::Enable(seconds) } else { Order::Disable };
        match self.control.order(tool, order) {
            true => text(StatusCode::ACCEPTED, "accepted"),
            false => text(StatusCode::TOO_MANY_REQUESTS, "too many requests at once; try again"),
        }
    }
}

/// Renders all metrics in a format.
pub fn render(metrics: &Metrics, own: &Own<'_>, format: Format) -> Vec<u8> {
    match format {
        Format::Plain => text::text(metrics, own, false).into_bytes(),
        Format::OpenMetrics => text::text(metrics, own, true).into_bytes(),
        Format::Protobuf => protobuf::protobuf(metrics, own),
    }
}

fn text(status: StatusCode, text: &str) -> Answer {
    respond(status, TEXT, format!("{text}\n"))
}

fn respond(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    answer
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
