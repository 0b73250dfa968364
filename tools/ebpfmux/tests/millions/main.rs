//! `ebpfmux` merges 16 streams of a million records each, from files, FIFOs and commands: in order,
//! without loss or duplicates, in bounded memory, even if its reader pauses. A program of its own: it takes all
//! processors, and other tests compare times.
#![allow(clippy::expect_used, reason = "a failure here fails its test with its message")]

mod stream;

use std::fs::{self, File};
use std::io::Read;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use stream::Sum;
use test_support::programs::built;
use test_support::streams::Streams;
use test_support::wait::until_still;

const RECORDS: u64 = 1_000_000;
const FILES: u64 = 2;
const FIFOS: u64 = 7;
const COMMANDS: u64 = 7;
const STREAMS: u64 = FILES + FIFOS + COMMANDS;

/// The limit of the merge's peak memory.
const MEMORY_KIB: u64 = 64 << 10;
/// The maximum data per source that has been read and not passed on, including its pipe and its
/// writer's buffer; and that of the output.
const AHEAD: u64 = (256 + 256 + 64 + 128) << 10;
const BEHIND: u64 = (1024 + 256) << 10;

#[test]
fn sixteen_million_records() {
    let streams = Streams::default();
    let mut expected = Sum::default();
    let mut arguments: Vec<String> =
        ["--lateness", "0.05", "--wait", "60"].map(str::to_owned).into_iter().collect();
    for number in 0..FILES {
        let mut file = File::create(streams.path(&format!("file{number}"))).expect("a file");
        expected.merge(stream::write(number, RECORDS, &mut file, |_| {}).expect("it is written"));
        arguments.push(format!("file{number}"));
    }
    // What the reader's pause stops: the lines of the FIFOs that `ebpfmux` reads itself.
    let written = Arc::new(AtomicU64::new(0));
    let mut writers = Vec::new();
    for number in FILES..STREAMS {
        let path = streams.path(&format!("fifo{number}"));
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::from_raw_mode(0o600)).expect("a FIFO");
        let of_command = number >= FILES + FIFOS;
        match of_command {
            true => arguments.extend(["--run".into(), format!("cat fifo{number}")]),
            false => arguments.push(format!("fifo{number}")),
        }
        let written = Arc::clone(&written);
        writers.push(std::thread::spawn(move || {
            let before = AtomicU64::new(0);
            let count = |now| {
                if !of_command {
                    written.fetch_add(now - before.swap(now, Relaxed), Relaxed);
                }
            };
            let mut fifo = fs::OpenOptions::new().write(true).open(path).expect("the FIFO opens");
            stream::write(number, RECORDS, &mut fifo, count).expect("it is read to its end")
        }));
    }
    let mut mux = Command::new(built("ebpfmux"));
    let mux = mux.args(arguments).current_dir(streams.path("."));
    let stderr = File::create(streams.path("stderr")).expect("a file");
    let mut mux = mux.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn().expect("it runs");

    let (got, late, peak) = check(&mut mux, &written);
    let status = mux.wait().expect("it ends");
    for writer in writers {
        expected.merge(writer.join().expect("a writer ends well"));
    }
    let stderr = fs::read_to_string(streams.path("stderr")).expect("UTF-8");
    assert!(status.success(), "{status}: {stderr}");
    assert_eq!(expected.lines, STREAMS * RECORDS);
    assert_eq!(got, expected, "nothing lost, doubled or changed: {stderr}");
    // One line per source, and no other.
    let too_late = stream::too_late(RECORDS);
    assert_eq!(late, STREAMS * too_late);
    assert_eq!(stderr.lines().count() as u64, STREAMS, "{stderr}");
    let expected = format!(": {too_late} late records passed on out of order, late by up to ");
    assert!(stderr.lines().all(|line| line.contains(&expected)), "{stderr}");
    assert!(peak <= MEMORY_KIB, "{peak} KiB");
}

/// Reads all output; asserts that it is in order and that a pause stops the writers. Returns its
/// sum, the number of records that were too late, and the peak memory.
fn check(mux: &mut Child, written: &AtomicU64) -> (Sum, u64, u64) {
    let mut stdout: ChildStdout = mux.stdout.take().expect("a pipe");
    let (mut sum, mut late, mut peak) = (Sum::default(), 0, 0);
    let (mut buffer, mut filled) = (vec![0; 1 << 20], 0);
    let mut last = Vec::new();
    let (mut bytes, mut sample) = (0, 0);
    let mut paused = false;
    loop {
        let count = stdout.read(&mut buffer[filled..]).expect("it can be read");
        if count == 0 {
            break;
        }
        (filled, bytes) = (filled + count, bytes + count as u64);
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &buffer[..filled]) {
            let line = &buffer[start..=end];
            sum.add(line);
            match stream::time(line) {
                Some(time) if time < last.as_slice() => {
                    panic!("{} goes back in time, line {}", String::from_utf8_lossy(line), sum.lines)
                }
                Some(time) => {
                    last.clear();
                    last.extend_from_slice(time);
                }
                None => late += 1,
            }
            start = end + 1;
        }
        buffer.copy_within(start..filled, 0);
        filled -= start;
        if bytes >= sample {
            sample = bytes + (64 << 20);
            peak = memory(mux.id()).max(peak);
        }
        if !paused && sum.lines > STREAMS * RECORDS / 2 {
            paused = true;
            pause(written, sum.lines, bytes / sum.lines);
        }
    }
    assert_eq!(filled, 0, "the last line has its end");
    (sum, late, peak)
}

/// Reads nothing until the writers of FIFOs stop; they have then not written much more than has
/// been read.
fn pause(written: &AtomicU64, read: u64, length: u64) {
    let before = until_still("the writers' lines", Duration::from_millis(150), || written.load(Relaxed));
    // All sources are read at the same pace, within the lateness.
    let ahead = (before * length).saturating_sub(read * length / STREAMS * FIFOS);
    assert!(ahead <= FIFOS * AHEAD + BEHIND, "{ahead} bytes ahead of the reader");
}

/// The peak of a process's memory, in KiB.
fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}
