//! Ten minutes of a busy screen: no leak, no flicker, and what it costs. `scripts/test long` runs it;
//! `LIVE_SECONDS=60 cargo test … --test mux -- --ignored --nocapture live::long` for less.

use std::fs;
use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use super::{Stream, biolat, names};
use crate::support::eventually;

/// What a thousand rows ten times a second in the usual 80 × 24 may cost of one processor, of the screen and the merge behind
/// it together. Measured: 0.021, beside a build; tests share their processors with others.
const SHARE: f64 = 0.05;
/// The memory that each may have more at the end than after a minute, in kilobytes: 5 MB. What is kept has reached its
/// bound by then.
const GROWTH: u64 = 5 << 10;
/// Updates a second, and rows.
const RATE: u64 = 10;
const ROWS: u64 = 1000;

/// The records of one update: each row's count differs from the last.
fn update(number: u64) -> String {
    let (second, tenth) = (number / RATE, number % RATE);
    let rows =
        (0..ROWS).map(|row| biolat(second, &format!("disk{row:04}"), (row * 7919 + number * 31) % 100_000));
    let at = format!(":{:02}.{}00000Z", second % 60, tenth);
    let whole = format!(":{:02}.000000Z", second % 60);
    rows.map(|line| line.replace(&whole, &at).replace("1.000012", "0.100001")).collect()
}

/// A process's memory in kilobytes.
fn memory(pid: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Its processor time in seconds.
fn time(pid: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

fn child(pid: &str) -> String {
    let children = format!("/proc/{pid}/task/{pid}/children");
    eventually("it has a child", || {
        fs::read_to_string(&children).ok()?.split_whitespace().next().map(str::to_owned)
    })
}

#[test]
#[ignore = "ten minutes: scripts/test long"]
fn ten_minutes_pass_without_leak_or_flicker() {
    let seconds: u64 = std::env::var("LIVE_SECONDS").map_or(600, |seconds| seconds.parse().unwrap());
    let settled = (seconds / 2).min(60);
    let mut stream = Stream::new();
    let terminal = stream.shown("");
    let screen = child(&terminal.asked("#{pane_pid}"));
    let merge = child(&screen);
    stream.write(&update(0));
    terminal.until("disk");
    // All that is drawn from now on.
    let drawn = stream.path.replace("stream", "drawn");
    terminal.keep(&drawn);

    let start = Instant::now();
    let (mut number, mut before) = (0, Vec::new());
    let mut looked = start;
    while start.elapsed() < Duration::from_secs(seconds) {
        number += 1;
        stream.write(&update(number));
        if looked.elapsed() >= Duration::from_secs(1) {
            looked = Instant::now();
            let shown = terminal.screen();
            assert!(names(&shown).len() >= 15 && shown.contains("LIVE"), "{shown}");
        }
        if before.is_empty() && start.elapsed() >= Duration::from_secs(settled) {
            before = [&screen, &merge].map(|pid| (memory(pid), time(pid), Instant::now())).into();
        }
        let next = start + Duration::from_millis(number * 1000 / RATE);
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let second = number / RATE;
    terminal.until(&format!("{:02}:{:02}:{:02} UTC", second / 3600, second / 60 % 60, second % 60));

    let mut share = 0.0;
    for ((what, pid), (memory_then, time_then, then)) in
        [("screen", &screen), ("merge", &merge)].into_iter().zip(before)
    {
        let (memory, of_one) = (memory(pid), (time(pid) - time_then) / then.elapsed().as_secs_f64());
        share += of_one;
        let line =
            format!("{what}: {:.2} % of a processor, {memory_then} kB then, {memory} kB now", of_one * 100.0);
        writeln!(std::io::stderr(), "{line}").unwrap();
        assert!(memory <= memory_then + GROWTH, "{line}");
    }
    assert!(share < SHARE, "{share}");
    let drawn = fs::read(drawn).unwrap();
    let has = |sequence: &str| memchr::memmem::find(&drawn, sequence.as_bytes()).is_some();
    // Erasing the screen, or below and above the cursor, all of a reset, another screen.
    for sequence in ["\x1b[2J", "\x1b[J", "\x1b[0J", "\x1b[1J", "\x1b[3J", "\x1bc", "\x1b[?1049"] {
        assert!(!has(sequence), "{sequence:?}");
    }
    assert!(drawn.len() as u64 > number, "{} bytes", drawn.len());
}
