//! `--serve`: HTTP in a thread of its own, which locks the metrics only briefly so that the merge
//! is not delayed.

mod access;
mod activation;
mod gofloat;
mod host;
mod listen;
pub mod negotiate;
mod own;
mod places;
mod protobuf;
mod text;
pub mod token;

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;

use crate::metrics::Metrics;
use crate::metrics::own::Own;
use crate::otlp::exporters::Exporters;
use crate::supervisor::control::{Control, Order};
pub use access::Access;
pub use listen::{Serving, converse, serve};
use negotiate::Format;
use own::{Sent, own};

/// The minimum time between two renderings of the metrics.
const FRESH: Duration = Duration::from_millis(100);
/// The longest that a tool can be enabled for, in seconds.
const LONGEST: f64 = 1e9;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

type Answer = Response<Full<Bytes>>;

/// The shared state of all requests.
pub struct Server {
    control: Arc<Control>,
    access: Access,
    /// The last rendering of the metrics, in each format.
    rendered: std::sync::Mutex<[Option<(Instant, Bytes)>; 3]>,
}

impl Server {
    /// For clients that may do so much.
    pub fn new(control: Arc<Control>, access: Access) -> Self {
        Self { control, access, rendered: std::sync::Mutex::default() }
    }

    fn answer(&self, request: &Request<Incoming>) -> Answer {
        let path: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
        if let Some(refusal) = self.access.refuse(request, &path) {
            return refusal;
        }
        let known = self.access.knows(request);
        match (request.method(), &path[..]) {
            (&Method::GET | &Method::HEAD, ["metrics"]) => {
                let accept = request.headers().get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
                let format = Format::accepted(&accept.collect::<Vec<_>>().join(","));
                respond(StatusCode::OK, format.content_type(), self.metrics(format))
            }
            (&Method::GET | &Method::HEAD, ["healthz"]) => self.health(known),
            (&Method::GET | &Method::HEAD, ["tools"]) => {
                let mut tools = self.control.tools().clone();
                // Command lines may hold secrets.
                tools
                    .iter_mut()
                    .filter(|_| !known)
                    .for_each(|tool| (tool.command, tool.reason) = (None, None));
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
        let Exporters { metrics, spans, .. } = &self.control.exporters;
        let sent = Sent {
            points: metrics.as_ref().map(|exporter| exporter.counts()),
            spans: spans.as_ref().map(|exporter| exporter.counts()),
        };
        let tools = self.control.tools().clone();
        let mut metrics = self.control.metrics.lock();
        metrics.tick(Instant::now());
        let own = own(&metrics.left_out, sent, &tools);
        render(&metrics, &own, format)
    }

    /// 503 if a tool is not as it should be, with the names and states of all such tools. Their
    /// command lines, which may hold secrets, are for clients with the token.
    fn health(&self, known: bool) -> Answer {
        let tools = self.control.tools();
        let bad = tools.iter().filter(|tool| !tool.state.is_good()).map(|tool| {
            let details = match (&tool.command, &tool.reason) {
                (Some(command), reason) if known => {
                    format!(": '{command}' {}", reason.as_deref().unwrap_or_default())
                }
                _ => String::new(),
            };
            format!("{} {}{details}", tool.name, tool.state.name()).replace(char::is_control, "_")
        });
        match bad.collect::<Vec<_>>() {
            bad if bad.is_empty() => text(StatusCode::OK, "ok"),
            bad => text(StatusCode::SERVICE_UNAVAILABLE, &bad.join("\n")),
        }
    }

    fn order(&self, name: &str, verb: &str, query: Option<&str>) -> Answer {
        let name = percent_decode_str(name).decode_utf8_lossy();
        if !self.control.tools().iter().any(|tool| tool.name == name) {
            return text(StatusCode::NOT_FOUND, "no such tool is running here; GET /tools lists them");
        }
        let seconds = match query.map(|query| query.strip_prefix("seconds=").map(str::parse::<f64>)) {
            None => None,
            Some(Some(Ok(seconds))) if (0.0..=LONGEST).contains(&seconds) => {
                Some(Duration::from_secs_f64(seconds))
            }
            Some(_) => return text(StatusCode::BAD_REQUEST, "the query is ?seconds=N, from 0 to 1000000000"),
        };
        let order = if verb == "enable" { Order::Enable(seconds) } else { Order::Disable };
        match self.control.order(&name, order) {
            true => text(StatusCode::ACCEPTED, "accepted"),
            false => text(StatusCode::TOO_MANY_REQUESTS, "too many requests at once; try again"),
        }
    }
}

/// Renders all metrics in a format.
pub fn render(metrics: &Metrics, own: &[Own], format: Format) -> Vec<u8> {
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
