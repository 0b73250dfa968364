//! `--serve` under clients that are many or slow, and beside a reader that hangs.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::support::*;
use rustix::process::{Pid, Signal, kill_process};

/// An `ebpfmux` that serves what is written to a FIFO.
struct Served {
    child: Child,
    address: String,
    input: File,
}

impl Served {
    fn start(files: &Files, stdout: Stdio) -> Self {
        let fifo = files.fifo("in");
        let mut child = mux(&[&fifo, "--serve", "0"]);
        let mut child = child.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut said).unwrap();
        let address = said.trim().rsplit_once("http://").unwrap().1.trim_end_matches("/metrics").to_owned();
        Self { child, address, input: File::create(fifo).unwrap() }
    }

    fn scrape(&self) -> String {
        scrape(&self.address)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

fn scrape(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[test]
fn clients_that_send_byte_by_byte_do_not_keep_a_scrape_from_being_served() {
    let files = Files::new();
    let served = Served::start(&files, Stdio::null());
    let drip = |address: String| {
        std::thread::spawn(move || {
            let until = Instant::now() + Duration::from_secs(5);
            while Instant::now() < until {
                let Ok(mut stream) = TcpStream::connect(&address) else { continue };
                let head = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: xxxxxxxxxxxxxxxxxxxxxxxx";
                for byte in head {
                    std::thread::sleep(Duration::from_millis(100));
                    if Instant::now() > until || stream.write_all(&[*byte]).is_err() {
                        break;
                    }
                }
            }
        })
    };
    let clients: Vec<_> = (0..50).map(|_| drip(served.address.clone())).collect();
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(800));
        let begin = Instant::now();
        let answer = served.scrape();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
    }
    clients.into_iter().for_each(|client| client.join().unwrap());
}

#[test]
fn a_reader_that_hangs_does_not_keep_a_scrape_from_being_served() {
    let files = Files::new();
    // Nobody reads its stdout.
    let served = Served::start(&files, Stdio::piped());
    let records: String = (0..60_000).map(|n| record(n, "t", "\"n\":1")).collect();
    let mut input = served.input.try_clone().unwrap();
    // It blocks; the end of the test ends it.
    std::thread::spawn(move || input.write_all(records.as_bytes()));
    let counted = || {
        let answer = served.scrape();
        answer.lines().find_map(|line| {
            line.strip_prefix("ebpfmux_records_total")?.rsplit(' ').next()?.parse::<u64>().ok()
        })
    };
    let mut before = 0;
    eventually("the numbers stand still", || {
        std::thread::sleep(Duration::from_millis(300));
        let now = counted().unwrap_or(0);
        (now > 0 && std::mem::replace(&mut before, now) == now).then_some(())
    });
    let begin = Instant::now();
    assert!(counted().is_some_and(|records| records < 60_000));
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
}

#[test]
fn hundreds_of_scrapes_at_once_are_served() {
    let files = Files::new();
    let served = Served::start(&files, Stdio::null());
    let clients: Vec<_> = (0..500)
        .map(|_| {
            let address = served.address.clone();
            std::thread::Builder::new().stack_size(128 << 10).spawn(move || scrape(&address)).unwrap()
        })
        .collect();
    let answers: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    let served = answers.iter().filter(|answer| answer.starts_with("HTTP/1.1 200 ")).count();
    assert_eq!(served, 500);
}
