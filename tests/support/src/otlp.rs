//! An OTLP receiver with scripted responses, which keeps the requests.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point;
pub use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// The receiver.
pub struct Receiver {
    /// Its URL.
    pub url: String,
    /// The requests received, in order.
    pub got: Arc<Mutex<Vec<Got>>>,
}

/// A request.
pub struct Got {
    /// When it was received.
    pub at: Instant,
    /// Its head.
    pub head: String,
    /// Its data points.
    pub points: Vec<Point>,
    /// Its spans, each with its resource's attributes and its scope's name.
    pub spans: Vec<(BTreeMap<String, String>, String, Span)>,
}

/// A data point.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The host of the resource.
    pub host: String,
    /// The scope's name, the metric's name, unit and type.
    pub metric: (String, String, String, &'static str),
    /// The attributes.
    pub keys: BTreeMap<String, String>,
    /// Start time and time, in nanoseconds.
    pub time: (u64, u64),
    /// The number or the sum.
    pub value: f64,
    /// The buckets of a histogram.
    pub count: u64,
    /// Zero count, scale, and positive buckets of an exponential histogram.
    pub buckets: Option<(u64, i32, Buckets)>,
}

/// The response to a request.
#[derive(Clone)]
pub enum Answer {
    /// This status line, these headers, each with a line end, and a body.
    Status(&'static str, Vec<u8>),
    /// No response.
    Nothing,
}

impl Receiver {
    /// Answers the requests in this order; the last response is repeated.
    pub fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let kept = Arc::clone(&got);
        std::thread::spawn(move || {
            let mut hung = Vec::new();
            for stream in listener.incoming().flatten() {
                let mut stream = BufReader::new(stream);
                while let Some(request) = read(&mut stream) {
                    let at = {
                        let mut kept = kept.lock().expect("no thread panicked");
                        kept.push(request);
                        kept.len() - 1
                    };
                    match &answers[at.min(answers.len() - 1)] {
                        Answer::Status(head, body) => {
                            let head = format!("HTTP/1.1 {head}Content-Length: {}\r\n\r\n", body.len());
                            let _ = stream.get_mut().write_all(&[head.as_bytes(), body].concat());
                        }
                        Answer::Nothing => {
                            hung.push(stream);
                            break;
                        }
                    }
                }
            }
        });
        Self { url, got }
    }
}

fn read(stream: &mut BufReader<TcpStream>) -> Option<Got> {
    stream.get_ref().set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    head.make_ascii_lowercase();
    let length = head.split("content-length: ").nth(1)?.split("\r\n").next()?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let mut request = Vec::new();
    GzDecoder::new(&body[..]).read_to_end(&mut request).expect("gzip");
    let at = Instant::now();
    if head.contains("/v1/traces") {
        let request = ExportTraceServiceRequest::decode(&request[..]).expect("a request");
        return Some(Got { at, head, points: Vec::new(), spans: spans(&request) });
    }
    let request = ExportMetricsServiceRequest::decode(&request[..]).expect("a request");
    Some(Got { at, head, points: points(&request), spans: Vec::new() })
}

fn spans(request: &ExportTraceServiceRequest) -> Vec<(BTreeMap<String, String>, String, Span)> {
    let mut spans = Vec::new();
    for resource in &request.resource_spans {
        let named = keys(&resource.resource.as_ref().expect("a resource").attributes);
        for scope in &resource.scope_spans {
            let name = &scope.scope.as_ref().expect("a scope").name;
            spans.extend(scope.spans.iter().map(|span| (named.clone(), name.clone(), span.clone())));
        }
    }
    spans
}

fn points(request: &ExportMetricsServiceRequest) -> Vec<Point> {
    let mut points = Vec::new();
    for resource in &request.resource_metrics {
        let named = keys(&resource.resource.as_ref().expect("a resource").attributes);
        assert_eq!((named["service.name"].as_str(), named.len()), ("ebpf-filters", 3));
        assert_eq!(named["service.instance.id"], named["host.name"]);
        for scope in &resource.scope_metrics {
            for metric in &scope.metrics {
                let name = scope.scope.as_ref().expect("a scope").name.clone();
                let add = |kind, attributes: &[KeyValue], time, value, count, buckets| Point {
                    host: named["host.name"].clone(),
                    metric: (name.clone(), metric.name.clone(), metric.unit.clone(), kind),
                    keys: keys(attributes),
                    time,
                    value,
                    count,
                    buckets,
                };
                let number = |value: &Option<number_data_point::Value>| match value.expect("a value") {
                    number_data_point::Value::AsInt(whole) => whole as f64,
                    number_data_point::Value::AsDouble(real) => real,
                };
                match metric.data.as_ref().expect("data") {
                    Data::Gauge(data) => points.extend(data.data_points.iter().map(|point| {
                        let time = (point.start_time_unix_nano, point.time_unix_nano);
                        add("gauge", &point.attributes, time, number(&point.value), 0, None)
                    })),
                    Data::Sum(data) => {
                        assert!(data.is_monotonic && data.aggregation_temporality == 2);
                        points.extend(data.data_points.iter().map(|point| {
                            let time = (point.start_time_unix_nano, point.time_unix_nano);
                            add("sum", &point.attributes, time, number(&point.value), 0, None)
                        }));
                    }
                    Data::Histogram(data) => points.extend(data.data_points.iter().map(|point| {
                        assert_eq!(
                            (&point.bucket_counts, &point.explicit_bounds),
                            (&vec![point.count], &vec![])
                        );
                        let time = (point.start_time_unix_nano, point.time_unix_nano);
                        add(
                            "histogram",
                            &point.attributes,
                            time,
                            point.sum.expect("a sum"),
                            point.count,
                            None,
                        )
                    })),
                    Data::ExponentialHistogram(data) => {
                        assert_eq!(data.aggregation_temporality, 2);
                        points.extend(data.data_points.iter().map(|point| {
                            let time = (point.start_time_unix_nano, point.time_unix_nano);
                            let positive = point.positive.clone().expect("buckets");
                            let buckets = Some((point.zero_count, point.scale, positive));
                            add(
                                "exponential",
                                &point.attributes,
                                time,
                                point.sum.expect("a sum"),
                                point.count,
                                buckets,
                            )
                        }));
                    }
                    Data::Summary(_) => panic!("nothing is a summary"),
                }
            }
        }
    }
    points
}

/// Attributes whose values are texts.
pub fn keys(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |key: &KeyValue| match key.value.as_ref().and_then(|value| value.value.clone()) {
        Some(Value::StringValue(text)) => text,
        other => panic!("{other:?}"),
    };
    attributes.iter().map(|key| (key.key.clone(), text(key))).collect()
}
