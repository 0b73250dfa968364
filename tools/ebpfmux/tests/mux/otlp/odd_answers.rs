//! `--otlp`: receivers that answer in odd ways.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use prost::Message;

use crate::support::*;

/// A receiver that gives all requests this answer; returns its URL, and when each request came.
fn receiver(head: &'static str, body: Vec<u8>) -> (String, Receiver<Instant>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            while let Some(length) = length_of_next(&mut stream) {
                stream.read_exact(&mut vec![0; length]).unwrap();
                let _ = sender.send(Instant::now());
                let length = body.len();
                let head = format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n");
                stream.get_mut().write_all(&[head.as_bytes(), &body].concat()).unwrap();
            }
        }
    });
    (url, requests)
}

/// Reads the head of a request, if one comes; the length of its body.
fn length_of_next(stream: &mut impl BufRead) -> Option<usize> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.to_lowercase().split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse().ok()?,
            _ if line == "\r\n" => return Some(length),
            _ => {}
        }
    }
}

#[test]
fn a_receiver_that_wants_no_delay_is_not_flooded() {
    let files = Files::new();
    let (url, requests) = receiver("429 Too Many Requests\r\nRetry-After: 0", Vec::new());
    let fifo = files.fifo("in");
    let mut child = mux(&[&fifo, "--otlp", &url, "--otlp-interval", "0.1", "-q"]);
    let mut child = child.stdout(Stdio::null()).spawn().unwrap();
    let mut writer = File::create(fifo).unwrap();
    writer.write_all(record(1, "t", "\"n\":1").as_bytes()).unwrap();
    let attempt = || requests.recv_timeout(PATIENCE).unwrap();
    let [first, second, third] = [attempt(), attempt(), attempt()];
    // Between half and all of 1 s, then of 2 s.
    assert!(second - first >= Duration::from_millis(450), "{:?}", second - first);
    assert!(third - second >= Duration::from_millis(900), "{:?}", third - second);
    drop(writer);
    assert_eq!(exit_code(&mut child), Some(0));
}

#[test]
fn a_receivers_warning_is_said_once() {
    let files = Files::new();
    let warning = ExportMetricsServiceResponse {
        partial_success: Some(ExportMetricsPartialSuccess {
            rejected_data_points: 0,
            error_message: "clock\nis off".into(),
        }),
    };
    let (url, requests) = receiver("200 OK", warning.encode_to_vec());
    let file = files.write("in", record(1, "t", "\"n\":1") + &record(20_000_000, "t", "\"n\":1"));
    let output = run(&[&file, "--otlp", &url, "-v"]);
    let said = stderr(&output);
    assert_eq!(requests.try_iter().count(), 2);
    let expected = format!("ebpfmux: --otlp {url}: all points were taken, with a warning: clock is off\n");
    assert!(said.matches("warning").count() == 1 && said.contains(&expected), "{said}");
    assert!(said.contains(" 0 dropped"), "{said}");
}
