//! `ebpfmux --otlp`: what a receiver gets, and that a failing receiver does not affect the merge.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use test_support::otlp::{Answer, Point, Receiver};
use test_support::server::free_port;
use test_support::streams::{Streams, record, ts};
use test_support::wait::{For, until};

use crate::support::mux_in;
use crate::support::victoria::victoria;

pub fn good() -> Answer {
    Answer::Status("200 OK\r\n", Vec::new())
}

/// The records' bounds: 16 in each power of two.
fn upper_ns(bucket: u64) -> u64 {
    let shift = (bucket >> 4).saturating_sub(1);
    (bucket - (shift << 4) + 1) << shift
}

/// A record of a second of a disk, with four values in each of three buckets.
pub fn second(at: f64, host: &str, bucket: u64) -> String {
    let buckets = [bucket, bucket + 1, bucket + 100]
        .map(|bucket| format!("[{},4]", upper_ns(bucket) as f64 / 1e3))
        .join(",");
    let values = format!(
        r#""disk":"a\"b","op":"read","count":12,"mean_us":250.0,"p99_us":1.0,"bytes":4096,"queue_count":3,"queue_mean_us":2.0,"zombies":{bucket},"buckets":[{buckets}]"#
    );
    record(at, host, "disks", &values)
}

/// Points of a host at one time: those of [`second`], `lost`, the records, the time of the last.
pub const POINTS: usize = 7;

fn of<'a>(points: &'a [Point], host: &str, metric: &str) -> Vec<&'a Point> {
    points.iter().filter(|point| point.host == host && point.metric.1 == metric).collect()
}

#[test]
fn every_bucket_and_every_total_arrives() {
    let streams = Streams::default();
    let receiver = Receiver::start(vec![good()]);
    let mut lines = String::new();
    // At 6:00:00.5 and so on: three intervals of ten seconds, web2 missing in the second.
    for at in 0..25u64 {
        lines += &second(at as f64 + 0.5, "web1", 32 + 8 * at);
        if at < 10 {
            lines += &second(at as f64 + 0.5, "web2", 32);
        }
    }
    streams.write("in", &lines);
    let url = &receiver.url;
    let output = streams.shell(&format!(
        "OTEL_EXPORTER_OTLP_HEADERS='x-one=1%202' ebpfmux in --otlp {url} --otlp-header 'X-Two: 2' | cmp - in"
    ));
    assert_eq!((output.status, output.err.as_str()), (Some(0), ""), "{}", output.out);
    let got = receiver.got.lock().expect("no thread panicked");
    assert_eq!(got.iter().map(|got| got.points.len()).collect::<Vec<_>>(), [2 * POINTS, POINTS, POINTS]);
    for part in
        ["post /v1/metrics ", "x-one: 1 2\r\n", "x-two: 2\r\n", "content-type: application/x-protobuf\r\n"]
    {
        assert!(got[0].head.contains(part), "{}", got[0].head);
    }
    let base = 1_795_240_800_000_000_000;
    for (request, last) in got.iter().zip([10u64, 20, 25]) {
        let points = &request.points;
        let one = |metric: &str| match of(points, "web1", metric)[..] {
            [point] => point.clone(),
            _ => panic!("{metric}: {points:#?}"),
        };
        let when = (base - 500_000_000, base + last * 1_000_000_000 - 500_000_000);
        for (metric, unit, kind, value) in [
            ("ebpf.disks.bytes", "By", "sum", last * 4096),
            ("ebpf.disks.lost", "", "sum", 0),
            ("ebpf.disks.zombies", "", "gauge", 32 + 8 * (last - 1)),
            ("ebpfmux.records", "", "sum", last),
        ] {
            let point = one(metric);
            assert_eq!((point.value, point.time), (value as f64, when), "{metric}");
            assert_eq!(point.metric, ("disks".into(), metric.into(), unit.into(), kind));
            let keyed = if metric.starts_with("ebpf.") && !metric.ends_with("lost") { 2 } else { 0 };
            assert_eq!(point.keys.len(), keyed + usize::from(metric == "ebpfmux.records"), "{metric}");
        }
        assert_eq!(one("ebpf.disks.bytes").keys["disk"], "a\"b");
        let queue = one("ebpf.disks.queue_duration");
        assert_eq!((queue.metric.3, queue.count), ("histogram", 3 * last));
        let point = one("ebpf.disks.duration");
        assert_eq!((point.metric.2.as_str(), point.count, point.time), ("s", 12 * last, when));
        assert!((point.value - 0.003 * last as f64).abs() < 1e-12);
        let mut counts = std::collections::BTreeMap::new();
        for at in 0..last {
            for bucket in [32 + 8 * at, 33 + 8 * at, 132 + 8 * at] {
                *counts.entry(upper_ns(bucket)).or_insert(0) += 4u64;
            }
        }
        let (zeros, scale, buckets) = point.buckets.expect("an exponential histogram");
        assert_eq!((zeros, scale), (0, 8));
        let filled = buckets.bucket_counts.iter().enumerate().filter(|(_, count)| **count > 0);
        let filled: Vec<(i32, u64)> =
            filled.map(|(at, count)| (at as i32 + buckets.offset, *count)).collect();
        assert_eq!(filled.len(), counts.len(), "each bucket has one of its own");
        for ((at, count), (upper, expected)) in filled.into_iter().zip(&counts) {
            assert_eq!(count, *expected, "the bucket up to {upper} ns");
            // Compares every value of the bucket with every value that it may be exported as.
            let width = (1u64 << (upper - 1).ilog2()) / 16;
            for value in [upper - width.max(1), upper - 1] {
                for reported in [at, at + 1].map(|at| (f64::from(at) / 256.0).exp2() * 1e9) {
                    let off = (reported - value as f64).abs() / value as f64;
                    assert!(off <= 0.033, "{value} ns reported as {reported}");
                }
            }
        }
    }
    let second = of(&got[0].points, "web2", "ebpf.disks.bytes")[0].value;
    assert_eq!(second, 40_960.0);
}

#[test]
fn the_last_record_waits_for_no_other_and_a_signal_sends_the_rest() {
    let streams = Streams::default();
    let receiver = Receiver::start(vec![good()]);
    assert!(Command::new("mkfifo").arg(streams.path("live")).status().is_ok_and(|made| made.success()));
    let mut mux = mux_in(&streams, &["live", "--otlp", &receiver.url, "--otlp-interval", "0.1"]);
    let mut mux = mux.stdout(Stdio::piped()).spawn().expect("it runs");
    let mut out = BufReader::new(mux.stdout.take().expect("a pipe"));
    let mut live = OpenOptions::new().write(true).open(streams.path("live")).expect("a FIFO");
    let got = || receiver.got.lock().expect("no thread panicked").len();
    live.write_all(second(0.05, "web", 64).as_bytes()).expect("it is read");
    until(For::Answer, "the first", || Some(()).filter(|()| got() == 1));
    live.write_all(second(0.06, "web", 64).as_bytes()).expect("it is read");
    // Once it is passed on, it has been read.
    for _ in 0..2 {
        let mut line = String::new();
        assert!(out.read_line(&mut line).is_ok_and(|read| read > 0), "two records");
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&mux), rustix::process::Signal::TERM)
        .expect("it lives");
    assert!(mux.wait().expect("it ends").success());
    let got = receiver.got.lock().expect("no thread panicked");
    let last = of(&got[got.len() - 1].points, "web", "ebpf.disks.bytes")[0];
    assert_eq!((got.len(), last.value), (2, 8192.0));
}

#[test]
fn a_receiver_must_be_who_it_says() {
    let streams = Streams::default();
    streams.write("in", second(0.5, "web", 64));
    let made = "openssl req -x509 -newkey rsa:2048 -nodes -keyout authority.key -out authority -subj /CN=authority &&
        openssl req -newkey rsa:2048 -nodes -keyout key -out wish -subj /CN=localhost &&
        openssl x509 -req -in wish -CA authority -CAkey authority.key -CAcreateserial -out cert \\
            -extfile <(echo subjectAltName=DNS:localhost)";
    assert_eq!(streams.shell(made).status, Some(0));
    let port = free_port();
    let mut server = Command::new("openssl");
    server.args([
        "s_server",
        "-accept",
        &format!("127.0.0.1:{port}"),
        "-cert",
        "cert",
        "-key",
        "key",
        "-quiet",
    ]);
    server.current_dir(streams.path(".")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Ended(server.spawn().expect("openssl"));
    until(For::Answer, "openssl", || TcpStream::connect(("127.0.0.1", port)).ok());
    let line = format!("ebpfmux in -v --otlp https://localhost:{port} | cmp - in");
    let output = streams.shell(&line);
    assert!(output.err.contains("certificate") && output.err.contains(" 0 points sent"), "{}", output.err);
    // The test writes the response, because s_server does not support HTTP bodies.
    let mut answers = server.0.stdin.take().expect("a pipe");
    let mut asked = BufReader::new(server.0.stdout.take().expect("a pipe"));
    let answer = std::thread::spawn(move || {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") && asked.read_line(&mut head).is_ok_and(|read| read > 0) {}
        answers.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").expect("an answer");
        head
    });
    let output = streams.shell(&format!("SSL_CERT_FILE=authority {line}"));
    assert!(output.err.ends_with(&format!(": {POINTS} points sent, 0 dropped\n")), "{}", output.err);
    assert!(answer.join().expect("a head").starts_with("POST /v1/metrics HTTP/1.1\r\n"));
}

/// A process that is killed when dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_victoria_metrics_makes_the_right_numbers_of_it() {
    let streams = Streams::default();
    let victoria = victoria(&streams);
    let lines: Vec<String> = (0..25).map(|at| second(f64::from(at) + 0.5, "web", 240)).collect();
    streams.write("in", lines.concat());
    // By host name, too.
    let url = format!("http://localhost:{}/opentelemetry/v1/metrics", victoria.port);
    let output = streams.shell(&format!("ebpfmux in -v --otlp {url} | cmp - in"));
    assert!(output.err.ends_with(": 21 points sent, 0 dropped\n"), "{}", output.err);
    victoria.get("/internal/force_flush").expect("an answer");
    let at = ts(24.5);
    let query = |query: &str| victoria.query(query, Some(&at));
    let labels = r#"{host_name="web",service_name="ebpf-filters",disk="a\"b",op="read"}"#;
    until(For::Answer, "the points", || query("ebpfmux_records_total").filter(|records| *records == 25.0));
    for (metric, value) in [
        ("ebpf_disks_bytes_total", 25.0 * 4096.0),
        ("ebpf_disks_zombies", 240.0),
        ("ebpf_disks_duration_seconds_count", 300.0),
        ("ebpf_disks_duration_seconds_sum", 0.075),
        ("ebpf_disks_queue_duration_seconds_count", 75.0),
        ("ebpf_disks_queue_duration_seconds_sum", 0.000_15),
    ] {
        let reported = query(&format!("{metric}{labels}")).unwrap_or(f64::NAN);
        assert!((reported - value).abs() < 1e-9, "{metric}: reported {reported}, expected {value}");
    }
    let increase = query("ebpf_disks_bytes_total - ebpf_disks_bytes_total offset 10s");
    // Points are at 9.5, 19.5 and 24.5 s.
    assert_eq!(increase, Some(15.0 * 4096.0));
    // Each bucket has a third of the values, so the quantiles are in the first, second and third
    // bucket.
    for (quantile, bucket) in [(0.2, 240), (0.5, 241), (0.9, 340)] {
        let reported = query(&format!("histogram_quantile({quantile}, ebpf_disks_duration_seconds_bucket)"));
        let (low, high) = (upper_ns(bucket - 1) as f64 / 1e9, upper_ns(bucket) as f64 / 1e9);
        let reported = reported.expect("a quantile");
        assert!(
            (low * 0.967..=high * 1.033).contains(&reported),
            "quantile {quantile}: reported {reported}, expected {low} to {high}"
        );
    }
}
