//! A failing receiver: what is retried, kept, dropped and printed while the stream continues.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use prost::Message;
use test_support::otlp::{Answer, Receiver};
use test_support::streams::{ShellOutput, Streams, record};

use super::points::{POINTS, good, second};
use crate::support::mux_in;

/// Peak memory with 1 MiB queued for a receiver: ebpfmux itself, its buffers, and the queue.
const MEMORY_KIB: u64 = 32 << 10;
/// At exit the maximum wait for a receiver that does not answer, with a margin for a busy machine.
const END: Duration = Duration::from_secs(8);

#[test]
fn a_busy_receiver_is_asked_again_when_it_said() {
    let streams = Streams::default();
    streams.write("in", second(0.5, "web", 64));
    let busy = || Answer::Status("429 Too Many Requests\r\nRetry-After: 2\r\n", b"busy".to_vec());
    let receiver = Receiver::start(vec![busy(), Answer::Status("503 No\r\n", Vec::new()), good()]);
    let output = streams.shell(&format!("ebpfmux in -v --otlp {} | cmp - in", receiver.url));
    assert_eq!(output.status, Some(0), "{}", output.err);
    let got = receiver.got.lock().expect("no thread panicked");
    assert_eq!(got.len(), 3, "{}", output.err);
    assert!(got.iter().all(|again| again.points == got[0].points && again.points.len() == POINTS));
    assert!(got[1].at - got[0].at >= Duration::from_secs(2), "not retried before Retry-After is over");
    assert!(got[2].at - got[1].at >= Duration::from_millis(400), "not at once");
    assert!(output.err.contains("429 Too Many Requests: busy; retrying"), "{}", output.err);
    assert!(output.err.ends_with(&format!(": {POINTS} points sent, 0 dropped\n")), "{}", output.err);
    drop(got);
    // Retry-After is longer than the exit takes: not retried.
    let long = Answer::Status("503 No\r\nRetry-After: 60\r\n", Vec::new());
    let (output, took) = timed(&streams, &Receiver::start(vec![long]), "");
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert!(output.err.ends_with(&format!(": 0 points sent, {POINTS} dropped\n")), "{}", output.err);
}

#[test]
fn what_is_refused_is_counted_and_not_sent_again() {
    let streams = Streams::default();
    streams.write("in", second(0.5, "web", 64) + &second(11.0, "web", 64));
    let refused = ExportMetricsServiceResponse {
        partial_success: Some(ExportMetricsPartialSuccess {
            rejected_data_points: 2,
            error_message: "old".into(),
        }),
    };
    let partly = Answer::Status("200 OK\r\n", refused.encode_to_vec());
    let receiver =
        Receiver::start(vec![Answer::Status("400 Bad Request\r\n", b"no\nthing".to_vec()), partly]);
    let (output, _) = timed(&streams, &receiver, "");
    assert_eq!(receiver.got.lock().expect("no thread panicked").len(), 2);
    let (sent, dropped) = (POINTS - 2, POINTS + 2);
    assert!(output.err.ends_with(&format!(": {sent} points sent, {dropped} dropped\n")), "{}", output.err);
    assert!(
        output.err.contains("refused, more are only counted: 400 Bad Request: no thing"),
        "{}",
        output.err
    );
    assert_eq!(output.err.lines().count(), 2, "{}", output.err);
    let (output, _) = timed(&streams, &receiver, "-q");
    assert_eq!(output.err, "");
    for (arguments, names) in [
        ("--otlp localhost:4318", "http"),
        ("--otlp http://u:p@localhost", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("--otlp http://localhost --otlp-header X", "NAME: VALUE"),
        ("--otlp-interval 3", "--otlp <URL>"),
    ] {
        let output = streams.shell(&format!("ebpfmux in {arguments}"));
        assert_eq!((output.status, output.err.lines().count()), (Some(2), 1), "{arguments}: {}", output.err);
        assert!(output.err.contains(names), "{arguments}: {}", output.err);
    }
}

/// Runs on the file `in`, whose records must all be passed on; returns the time that it took.
fn timed(streams: &Streams, receiver: &Receiver, more: &str) -> (ShellOutput, Duration) {
    let begin = Instant::now();
    let output = streams.shell(&format!("ebpfmux in --otlp {} {more} | cmp - in", receiver.url));
    assert_eq!(output.status, Some(0), "{}", output.err);
    (output, begin.elapsed())
}

#[test]
fn a_receiver_that_is_not_there_stalls_nothing() {
    // No process listens on that port any more.
    let gone = TcpListener::bind("127.0.0.1:0").and_then(|gone| gone.local_addr()).expect("a port");
    is_no_hindrance(&format!("http://{gone}"));
}

#[test]
fn a_receiver_that_hangs_stalls_nothing() {
    is_no_hindrance(&Receiver::start(vec![Answer::Nothing]).url);
}

#[test]
fn a_receiver_whose_name_nobody_knows_stalls_nothing() {
    is_no_hindrance("http://receiver.invalid:4318");
}

#[test]
fn what_no_proxy_names_is_asked_itself() {
    let streams = Streams::default();
    streams.write("in", second(0.5, "web", 64));
    let receiver = Receiver::start(vec![good()]);
    // No process listens on that port any more.
    let proxy = TcpListener::bind("127.0.0.1:0").and_then(|gone| gone.local_addr()).expect("a port");
    for (direct, sent) in [("", 0), ("NO_PROXY=127.0.0.1", POINTS)] {
        let line =
            format!("HTTP_PROXY=http://{proxy} {direct} ebpfmux in -v --otlp {} | cmp - in", receiver.url);
        let output = streams.shell(&line);
        assert_eq!(output.status, Some(0), "{}", output.err);
        let end = format!(": {sent} points sent, {} dropped\n", POINTS - sent);
        assert!(output.err.ends_with(&end), "{direct}: {}", output.err);
        assert_eq!(receiver.got.lock().expect("no thread panicked").len(), usize::from(sent > 0));
    }
}

fn is_no_hindrance(url: &str) {
    let streams = Streams::default();
    assert!(Command::new("mkfifo").arg(streams.path("live")).status().is_ok_and(|made| made.success()));
    let mut mux = mux_in(&streams, &["live", "--otlp", url, "--otlp-interval", "1"]);
    let mut mux = mux.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut live = OpenOptions::new().write(true).open(streams.path("live")).expect("a FIFO");
    let mut out = BufReader::new(mux.stdout.take().expect("a pipe"));
    for at in 0..40 {
        let line = second(f64::from(at) * 0.5 + 0.25, "web", 64);
        let begin = Instant::now();
        live.write_all(line.as_bytes()).expect("it is read");
        let mut received = String::new();
        out.read_line(&mut received).expect("a line");
        assert_eq!(received, line);
        assert!(begin.elapsed() < Duration::from_secs(1), "record {at}: {:?}", begin.elapsed());
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(live);
    let begin = Instant::now();
    let mut err = String::new();
    mux.stderr.take().expect("a pipe").read_to_string(&mut err).expect("text");
    assert!(mux.wait().expect("it ends").success(), "{err}");
    assert!(begin.elapsed() < END, "{:?}", begin.elapsed());
    // Twenty intervals of a second.
    assert!(err.ends_with(&format!(": 0 points sent, {} dropped\n", 20 * POINTS)), "{err}");
}

#[test]
fn what_is_kept_for_a_receiver_is_bounded() {
    let streams = Streams::default();
    // Names that do not compress: 60 intervals with a megabyte of them before compression.
    let mut lines = String::new();
    let mut noise = 1u64;
    let names: Vec<String> = (0..500)
        .map(|_| {
            let mut word = || {
                noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                format!("{noise:016x}")
            };
            (0..32).map(|_| word()).collect()
        })
        .collect();
    for at in 0..60 {
        for name in &names {
            let name = format!(r#""name":"{name}","n":1"#);
            lines += &record(f64::from(at) + 0.5, "web", "t", &name);
        }
    }
    streams.write("in", &lines);
    let hanging = Receiver::start(vec![Answer::Nothing]);
    let output = streams.shell(&format!(
        "/usr/bin/time -f 'peak %M' ebpfmux in --otlp {} --otlp-interval 1 --otlp-buffer 1 | cmp - in",
        hanging.url
    ));
    assert_eq!(output.status, Some(0), "{}", output.err);
    // The named series, `lost`, the records, the time of the last.
    let points = 60 * (names.len() + 3);
    assert!(output.err.contains(&format!(": 0 points sent, {points} dropped\n")), "{}", output.err);
    let peak = output.err.trim().rsplit(' ').next().and_then(|peak| peak.parse::<u64>().ok());
    assert!(peak.is_some_and(|peak| peak <= MEMORY_KIB), "{peak:?} KiB");
    // The receiver is slow at first: sent and dropped points add up to all.
    let busy = Answer::Status("503 No\r\nRetry-After: 1\r\n", Vec::new());
    let receiver = Receiver::start(vec![busy, good()]);
    let (output, _) = timed(&streams, &receiver, "-v --otlp-interval 1 --otlp-buffer 1");
    let got = receiver.got.lock().expect("no thread panicked");
    let arrived: usize = got[1..].iter().map(|got| got.points.len()).sum();
    assert!(arrived < points && arrived > 0, "{arrived}");
    let expected = format!(": {arrived} points sent, {} dropped\n", points - arrived);
    assert!(output.err.ends_with(&expected), "{expected}{}", output.err);
    // The newest points arrived.
    let last = got.last().expect("a request").points.iter().find(|point| point.metric.1 == "ebpf.t.n");
    assert_eq!(last.expect("a name").value, 60.0);
}
