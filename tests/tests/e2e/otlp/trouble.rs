//! A receiver in trouble: what is sent again, kept, dropped and said, while the stream goes on.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use prost::Message;
use tests::mux::{Said, Streams, path, record};

use super::receiver::{Answer, Receiver};
use super::{POINTS, good, second};

/// Peak memory while 1 MiB is kept for a receiver: what ebpfmux needs itself, its buffers, and that.
const MEMORY_KIB: u64 = 32 << 10;
/// At the end, a receiver that does not answer is waited for no longer than this, and what a busy machine adds.
const END: Duration = Duration::from_secs(8);

#[test]
fn a_busy_receiver_is_asked_again_when_it_said() {
    let streams = Streams::default();
    streams.write("in", second(0.5, "web", 64));
    let busy = || Answer::Status("429 Too Many Requests\r\nRetry-After: 2\r\n", b"busy".to_vec());
    let receiver = Receiver::start(vec![busy(), Answer::Status("503 No\r\n", Vec::new()), good()]);
    let said = streams.shell(&format!("ebpfmux in -v --otlp {} | cmp - in", receiver.url));
    assert_eq!(said.status, Some(0), "{}", said.err);
    let got = receiver.got.lock().expect("nobody panicked");
    assert_eq!(got.len(), 3, "{}", said.err);
    assert!(got.iter().all(|again| again.points == got[0].points && again.points.len() == POINTS));
    assert!(got[1].at - got[0].at >= Duration::from_secs(2), "not before it said");
    assert!(got[2].at - got[1].at >= Duration::from_millis(400), "not at once");
    assert!(said.err.contains("429 Too Many Requests: busy; retrying"), "{}", said.err);
    assert!(said.err.ends_with(&format!(": {POINTS} points sent, 0 dropped\n")), "{}", said.err);
    drop(got);
    // Longer than the end takes: not asked at all.
    let long = Answer::Status("503 No\r\nRetry-After: 60\r\n", Vec::new());
    let (said, took) = timed(&streams, &Receiver::start(vec![long]), "");
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert!(said.err.ends_with(&format!(": 0 points sent, {POINTS} dropped\n")), "{}", said.err);
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
    let (said, _) = timed(&streams, &receiver, "");
    assert_eq!(receiver.got.lock().expect("nobody panicked").len(), 2);
    let (sent, dropped) = (POINTS - 2, POINTS + 2);
    assert!(said.err.ends_with(&format!(": {sent} points sent, {dropped} dropped\n")), "{}", said.err);
    assert!(said.err.contains("refused, more are only counted: 400 Bad Request: no thing"), "{}", said.err);
    assert_eq!(said.err.lines().count(), 2, "{}", said.err);
    let (said, _) = timed(&streams, &receiver, "-q");
    assert_eq!(said.err, "");
    for (arguments, names) in [
        ("--otlp localhost:4318", "http"),
        ("--otlp http://u:p@localhost", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("--otlp http://localhost --otlp-header X", "NAME: VALUE"),
        ("--otlp-interval 3", "--otlp <URL>"),
    ] {
        let said = streams.shell(&format!("ebpfmux in {arguments}"));
        assert_eq!((said.status, said.err.lines().count()), (Some(2), 1), "{arguments}: {}", said.err);
        assert!(said.err.contains(names), "{arguments}: {}", said.err);
    }
}

/// Runs over the file `in`, whose records must all come out, and says how long it took.
fn timed(streams: &Streams, receiver: &Receiver, more: &str) -> (Said, Duration) {
    let begin = Instant::now();
    let said = streams.shell(&format!("ebpfmux in --otlp {} {more} | cmp - in", receiver.url));
    assert_eq!(said.status, Some(0), "{}", said.err);
    (said, begin.elapsed())
}

#[test]
fn a_receiver_that_is_not_there_stalls_nothing() {
    // Nobody listens there any more.
    let gone = TcpListener::bind("127.0.0.1:0").and_then(|gone| gone.local_addr()).expect("a port");
    is_no_hindrance(&format!("http://{gone}"));
}

#[test]
fn a_receiver_that_hangs_stalls_nothing() {
    is_no_hindrance(&Receiver::start(vec![Answer::Nothing]).url);
}

fn is_no_hindrance(url: &str) {
    let streams = Streams::default();
    assert!(Command::new("mkfifo").arg(streams.path("live")).status().is_ok_and(|made| made.success()));
    let mut mux = Command::new("ebpfmux");
    mux.args(["live", "--otlp", url, "--otlp-interval", "1"]).env("PATH", path());
    mux.env("EBPFMUX_SCHEMA", streams.schemas());
    mux.current_dir(streams.path(".")).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut mux = mux.spawn().expect("it runs");
    let mut live = OpenOptions::new().write(true).open(streams.path("live")).expect("a FIFO");
    let mut out = BufReader::new(mux.stdout.take().expect("a pipe"));
    for at in 0..40 {
        let line = second(f64::from(at) * 0.5 + 0.25, "web", 64);
        let begin = Instant::now();
        live.write_all(line.as_bytes()).expect("it is read");
        let mut came = String::new();
        out.read_line(&mut came).expect("a line");
        assert_eq!(came, line);
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
    // Names that do not compress: 60 intervals of a megabyte of them before compression.
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
    let said = streams.shell(&format!(
        "/usr/bin/time -f 'peak %M' ebpfmux in --otlp {} --otlp-interval 1 --otlp-buffer 1 | cmp - in",
        hanging.url
    ));
    assert_eq!(said.status, Some(0), "{}", said.err);
    // Those names, what was lost, the records, the time of the last.
    let points = 60 * (names.len() + 3);
    assert!(said.err.contains(&format!(": 0 points sent, {points} dropped\n")), "{}", said.err);
    let peak = said.err.trim().rsplit(' ').next().and_then(|peak| peak.parse::<u64>().ok());
    assert!(peak.is_some_and(|peak| peak <= MEMORY_KIB), "{peak:?} KiB");
    // One that takes a while to begin with: what arrives and what is dropped is all there was.
    let busy = Answer::Status("503 No\r\nRetry-After: 1\r\n", Vec::new());
    let receiver = Receiver::start(vec![busy, good()]);
    let (said, _) = timed(&streams, &receiver, "-v --otlp-interval 1 --otlp-buffer 1");
    let got = receiver.got.lock().expect("nobody panicked");
    let arrived: usize = got[1..].iter().map(|got| got.points.len()).sum();
    assert!(arrived < points && arrived > 0, "{arrived}");
    let told = format!(": {arrived} points sent, {} dropped\n", points - arrived);
    assert!(said.err.ends_with(&told), "{told}{}", said.err);
    // The newest are those that arrived.
    let last = got.last().expect("a request").points.iter().find(|point| point.metric.1 == "ebpf.t.n");
    assert_eq!(last.expect("a name").value, 60.0);
}
