//! Who sends what: metrics to the receiver of `--otlp`, spans to that of `--otlp-traces`.

use std::sync::{Arc, Mutex};

use cli::exit::Result;

use super::Exporter;
use super::settings::{Settings, Signal};
use super::spans::Spans;
use crate::args::Args;
use crate::metrics::{Metrics, Shared};

/// Those at work.
#[derive(Clone, Default)]
pub struct Exporters {
    /// Of metrics.
    pub metrics: Option<Arc<Exporter<Metrics>>>,
    /// Of spans.
    pub spans: Option<Arc<Exporter<Spans>>>,
    /// What is to be said of the first span, if none are sent though metrics are.
    pub no_spans: Option<String>,
}

impl Exporters {
    /// Starts those that the options ask for.
    ///
    /// # Errors
    /// When a URL is none, or a thread cannot be started.
    pub fn start(args: &Args, metrics: &Shared) -> Result<Self> {
        let settings = |signal, option, url: &str| Settings {
            signal,
            option,
            url: url.to_owned(),
            interval: args.otlp_interval,
            room: args.otlp_buffer << 20,
            quiet: args.quiet,
            verbose: args.verbose,
        };
        let headers = &args.otlp_header;
        let mut all = Self::default();
        if let Some(url) = &args.otlp {
            let settings = settings(Signal::Metrics, "--otlp", url);
            all.metrics = Some(Exporter::start(settings, headers, metrics.pending())?);
        }
        let traces = match (&args.otlp_traces, &args.otlp) {
            (Some(url), _) => Some(settings(Signal::Traces, "--otlp-traces", url)),
            (None, Some(url)) => beside(url).map(|url| settings(Signal::Traces, "--otlp", &url)),
            (None, None) => None,
        };
        match traces {
            Some(settings) => {
                all.spans = Some(Exporter::start(settings, headers, Arc::new(Mutex::default()))?);
            }
            None => {
                let why = |url| {
                    format!(
                        "--otlp {url}: spans are not sent, as its path does not end with /v1/metrics: --otlp-traces names another"
                    )
                };
                all.no_spans = args.otlp.as_ref().map(why);
            }
        }
        Ok(all)
    }

    /// Whether anything is sent.
    pub fn any(&self) -> bool {
        self.metrics.is_some() || self.spans.is_some()
    }

    /// Sends the rest within some seconds.
    pub fn finish(&self) {
        // Both at the same time.
        self.metrics.iter().for_each(|metrics| metrics.end());
        self.spans.iter().for_each(|spans| spans.end());
        self.metrics.iter().for_each(|metrics| metrics.finish());
        self.spans.iter().for_each(|spans| spans.finish());
    }
}

/// The URL for spans of a receiver whose URL for metrics is this; `None` if it cannot be told.
fn beside(metrics: &str) -> Option<String> {
    let (url, query) = metrics.split_once('?').map_or((metrics, ""), |(url, query)| (url, query));
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let has_path = host.split_once('/').is_some_and(|(_, path)| !path.is_empty());
    if !has_path && query.is_empty() {
        return Some(url.to_owned());
    }
    let before = url.strip_suffix(Signal::Metrics.path())?;
    let mark = if query.is_empty() { "" } else { "?" };
    Some(format!("{before}{}{mark}{query}", Signal::Traces.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_go_beside_metrics() {
        for (metrics, spans) in [
            ("http://c:4318", Some("http://c:4318")),
            ("https://c/", Some("https://c/")),
            ("http://p/api/v1/otlp/v1/metrics", Some("http://p/api/v1/otlp/v1/traces")),
            ("http://p/v1/metrics?a=b", Some("http://p/v1/traces?a=b")),
            ("http://p/otlp", None),
            ("http://p/?a=b", None),
        ] {
            assert_eq!(beside(metrics).as_deref(), spans, "{metrics}");
        }
    }
}
