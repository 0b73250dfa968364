//! Sends one OTLP request by HTTP.

use std::time::{Duration, SystemTime};

use cli::exit::{Failure, Result};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message;
use ureq::Agent;
use ureq::config::Config;
use ureq::http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use ureq::http::uri::PathAndQuery;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Response, Uri};
use ureq::tls::{RootCerts, TlsConfig};

/// The maximum number of bytes read of a response.
const ANSWER: u64 = 64 << 10;
/// The maximum of a receiver's Retry-After.
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// The environment variable for secret headers: every user can read the arguments of a process.
pub const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";

/// The outcome of a request.
pub enum Outcome {
    /// Received; this many of its points or spans were rejected, for this reason.
    Taken(u64, String),
    /// Rejected, and a retry would be, too.
    Refused(String),
    /// It can be retried, but not before the receiver's Retry-After.
    Later(String, Option<Duration>),
}

/// The URL of a receiver.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The option that names it.
    pub option: &'static str,
    /// As the user wrote it.
    pub url: &'a str,
    /// Its path if it has none.
    pub path: &'static str,
}

/// A receiver.
pub struct Poster {
    agent: Agent,
    uri: Uri,
    headers: HeaderMap,
}

impl Poster {
    /// For this receiver, with the headers `K: V`, and those of the environment.
    pub fn new(target: Target<'_>, headers: &[String]) -> Result<Self> {
        Self::by(Config::new_agent, target, headers)
    }

    /// The same, by an agent that is made of this configuration.
    pub fn by(agent: impl FnOnce(&Config) -> Agent, target: Target<'_>, headers: &[String]) -> Result<Self> {
        let Target { option, url, path } = target;
        let refused = |why: &str| Failure::usage(format!("{option} {url}: {why}"));
        let mut parts = url.parse::<Uri>().map_err(|error| refused(&error.to_string()))?.into_parts();
        if !matches!(parts.scheme.as_ref().map(|scheme| scheme.as_str()), Some("http" | "https")) {
            return Err(refused("not http://HOST:PORT/PATH or https://..."));
        }
        if parts.authority.as_ref().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(refused(&format!("a secret does not belong there; put a header into {HEADERS}")));
        }
        if parts.path_and_query.as_ref().is_none_or(|path| path == "/") {
            parts.path_and_query = Some(PathAndQuery::from_static(path));
        }
        let uri = Uri::from_parts(parts).map_err(|error| refused(&error.to_string()))?;
        // The system's CA certificates; SSL_CERT_FILE names others.
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("ebpfmux/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self { agent: agent(&config), uri, headers: headers_of(headers)? })
    }

    /// Posts a compressed request with this time-out.
    pub fn post(&self, body: &[u8], timeout: Duration) -> Outcome {
        let mut request = self.agent.post(&self.uri).config().timeout_global(Some(timeout)).build();
        if let Some(headers) = request.headers_mut() {
            headers.extend(self.headers.clone());
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let mut answer = match request.send(body) {
            Ok(answer) => answer,
            Err(error) => {
                return Outcome::Later(error.to_string().trim_start_matches("io: ").to_owned(), None);
            }
        };
        let body = answer.body_mut().with_config().limit(ANSWER).read_to_vec().unwrap_or_default();
        let status = answer.status();
        let text = || {
            let body = printable(&String::from_utf8_lossy(&body));
            format!("{status}: {body}").trim_end_matches(": ").to_owned()
        };
        match status.as_u16() {
            200..300 => {
                // For spans it is the same in bytes.
                let partial =
                    ExportMetricsServiceResponse::decode(&body[..]).unwrap_or_default().partial_success;
                let (refused, why) = partial.map_or((0, String::new()), |part| {
                    (part.rejected_data_points, printable(&part.error_message))
                });
                Outcome::Taken(u64::try_from(refused).unwrap_or(0), why)
            }
            // The retryable statuses of the OTLP specification.
            429 | 502..=504 => Outcome::Later(text(), retry_after(&answer)),
            _ => Outcome::Refused(text()),
        }
    }
}

/// Parses Retry-After, which has seconds or a date.
fn retry_after<T>(answer: &Response<T>) -> Option<Duration> {
    let text = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = text.parse().ok().map(Duration::from_secs);
    let date = || httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::now()).ok();
    seconds.or_else(date).map(|wait| wait.min(LONGEST))
}

/// The receiver's own words, on one line of limited length.
fn printable(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    text.trim().to_owned()
}

/// Parses `K: V` of the command line, and `K=V,K=V` of the environment, where values are
/// percent-encoded.
fn headers_of(given: &[String]) -> Result<HeaderMap> {
    let known = std::env::var(HEADERS).unwrap_or_default();
    let known = known.split(',').filter(|pair| !pair.trim().is_empty()).map(|pair| {
        let refused =
            || Failure::usage(format!("{HEADERS}: not NAME=VALUE,NAME=VALUE with values percent-encoded"));
        let (name, value) = pair.split_once('=').ok_or_else(refused)?;
        let value =
            percent_encoding::percent_decode_str(value.trim()).decode_utf8().map_err(|_| refused())?;
        header(name, &value).ok_or_else(refused)
    });
    let given = given.iter().map(|text| {
        let refused = || Failure::usage("--otlp-header: not 'NAME: VALUE'".to_owned());
        let (name, value) = text.split_once(':').ok_or_else(refused)?;
        header(name, value).ok_or_else(refused)
    });
    known.chain(given).collect()
}

fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
    Some((name, HeaderValue::from_str(value.trim()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_named_by_its_url() {
        let uri = |url: &str| {
            let target = Target { option: "--otlp", url, path: "/v1/metrics" };
            Poster::new(target, &[]).map(|poster| poster.uri.to_string()).ok()
        };
        assert_eq!(uri("http://c:4318").as_deref(), Some("http://c:4318/v1/metrics"));
        assert_eq!(uri("https://c/").as_deref(), Some("https://c/v1/metrics"));
        assert_eq!(
            uri("http://p/api/v1/otlp/v1/metrics").as_deref(),
            Some("http://p/api/v1/otlp/v1/metrics")
        );
        for bad in ["", "c:4318", "ftp://c", "http://u:p@c", "http://", "x y"] {
            assert!(uri(bad).is_none(), "{bad}");
        }
        assert!(headers_of(&["A: b".into(), "c:d:e".into()]).is_ok_and(|headers| headers["c"] == "d:e"));
        assert!(headers_of(&["A".into()]).is_err());
    }

    #[test]
    fn a_receiver_says_when() {
        let answer = |text: &str| Response::builder().header(RETRY_AFTER, text).body(()).unwrap();
        assert_eq!(retry_after(&answer("7")), Some(Duration::from_secs(7)));
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
        assert!(retry_after(&answer(&date)).is_some_and(|wait| (58..=60).contains(&wait.as_secs())));
        assert_eq!((retry_after(&answer("soon")), retry_after(&answer("-1"))), (None, None));
    }
}
