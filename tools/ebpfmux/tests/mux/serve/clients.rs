//! `--serve`: whatever other clients do, a scrape is served.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::Served;
use crate::support::*;

/// An `ebpfmux` whose metrics have 10 000 series, and the writer that keeps it alive.
fn large(files: &Files) -> (Served, fs::File) {
    let schema =
        r#"{"title": "t", "properties": {"interval_s": {"x-kind": "interval"}, "n": {"x-kind": "counter"}}}"#;
    let schema = files.write("schema", schema);
    let fifo = files.fifo("in");
    let served = Served::start(files, &[&fifo, "--schema", &schema, "--serve", "0"]);
    let mut writer = fs::File::create(fifo).unwrap();
    let records: String =
        (0..9_000).map(|key| record(1, "t", &format!(r#""name":"a name {key}","n":1"#))).collect();
    writer.write_all(records.as_bytes()).unwrap();
    eventually("all series are there", || {
        served.ask("GET", "/metrics", "").1.contains("a name 8999").then_some(())
    });
    (served, writer)
}

/// A scrape that is served, in less than what was tried before; the machine may be busy.
fn scrape_is_served(served: &Served) {
    let begin = Instant::now();
    let (status, answer) = served.ask("GET", "/metrics", "");
    let took = begin.elapsed();
    assert!(status == 200 && answer.contains("a name 8999"), "{status}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn clients_that_stay_do_not_keep_a_scrape_from_being_served() {
    let files = Files::new();
    let (served, _writer) = large(&files);
    let stay = |address: String| {
        std::thread::spawn(move || {
            let until = Instant::now() + Duration::from_secs(6);
            while Instant::now() < until {
                let Ok(mut stream) = TcpStream::connect(&address) else { continue };
                stream.set_read_timeout(Some(Duration::from_millis(1500))).unwrap();
                // Reads as it comes; a new request each 1.5 s.
                while Instant::now() < until
                    && stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").is_ok()
                {
                    let mut bytes = [0; 4096];
                    while stream.read(&mut bytes).is_ok_and(|read| read > 0) {}
                }
            }
        })
    };
    let clients: Vec<_> = (0..50).map(|_| stay(served.address.clone())).collect();
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(700));
        scrape_is_served(&served);
    }
    clients.into_iter().for_each(|client| client.join().unwrap());
}

#[test]
fn clients_that_read_nothing_do_not_keep_a_scrape_from_being_served() {
    let files = Files::new();
    let (served, _writer) = large(&files);
    // Answers of many MB, of which some are on their way.
    let many = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(50);
    let hang = |_| {
        let mut stream = TcpStream::connect(&served.address).unwrap();
        stream.write_all(many.as_bytes()).unwrap();
        stream
    };
    let clients: Vec<TcpStream> = (0..40).map(hang).collect();
    for _ in 0..3 {
        scrape_is_served(&served);
    }
    eventually("their connections are closed", || {
        let open = fs::read_dir(format!("/proc/{}/fd", served.child.id())).unwrap();
        let sockets = open.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
        let sockets = sockets.filter(|link| link.to_string_lossy().starts_with("socket:")).count();
        // One listens; one may be that of the last scrape.
        (sockets <= 2).then_some(())
    });
    drop(clients);
}
