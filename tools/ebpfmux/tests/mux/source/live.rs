//! Sources that are still being written, and a slow reader or one that exits.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::*;

#[test]
fn fifos_are_merged_as_they_come() {
    let files = Files::new();
    let (a, b) = (files.fifo("a"), files.fifo("b"));
    let live = Live::start(mux(&["--wait", "60", &a, &b]));
    let (mut a, mut b) = (File::create(a).unwrap(), File::create(b).unwrap());
    let at = |n: u64| record(n, "t", &format!("\"n\":{n}"));
    b.write_all(at(2).as_bytes()).unwrap();
    b.write_all(at(4).as_bytes()).unwrap();
    // No record may pass before `a` has shown whether it has an earlier one.
    assert!(live.silent(Duration::from_millis(100)));
    let (half, rest) = (at(1)[..50].to_owned(), at(1)[50..].to_owned());
    a.write_all(half.as_bytes()).unwrap();
    assert!(live.silent(Duration::from_millis(100)));
    a.write_all(rest.as_bytes()).unwrap();
    assert_eq!(live.line() + "\n", at(1));
    a.write_all(at(3).as_bytes()).unwrap();
    assert_eq!([live.line(), live.line()].map(|line| line + "\n"), [at(2), at(3)]);
    // The end of `a` releases `b`.
    drop(a);
    assert_eq!(live.line() + "\n", at(4));
    drop(b);
    assert_eq!(live.end(), (vec![], Some(0)));
}

#[test]
fn a_silent_source_delays_the_others_by_the_wait_only() {
    let files = Files::new();
    let (a, b, file) = (files.fifo("a"), files.fifo("b"), files.write("f", record(1, "f", "\"n\":0")));
    let live = Live::start(mux(&["--wait", "0.2", &a, &b, &file]));
    let mut writer = File::create(&a).unwrap();
    assert_eq!(live.line() + "\n", record(1, "f", "\"n\":0"));
    for n in 2..5 {
        let text = record(n, "t", "\"n\":1");
        let start = Instant::now();
        writer.write_all(text.as_bytes()).unwrap();
        assert_eq!(live.line() + "\n", text);
        assert!(start.elapsed() >= Duration::from_millis(150), "{:?}", start.elapsed());
    }
    // Nor does it slow down a fast source.
    let many: String = (5..20_000).map(|n| record(n, "t", "\"n\":1")).collect();
    let start = Instant::now();
    writer.write_all(many.as_bytes()).unwrap();
    drop(writer);
    for _ in 5..20_000 {
        live.line();
    }
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    live.signal(Signal::TERM);
    assert_eq!(live.end().1, Some(0));
}

#[test]
fn late_records_of_a_live_source_are_put_in_order() {
    let files = Files::new();
    let a = files.fifo("a");
    let live = Live::start(mux(&["--wait", "60", "--lateness", "1", &a]));
    let mut a = File::create(a).unwrap();
    let at = |n: u64| record(n * 500_000, "t", &format!("\"n\":{n}"));
    for n in [3, 2, 5] {
        a.write_all(at(n).as_bytes()).unwrap();
    }
    assert_eq!([live.line(), live.line()].map(|line| line + "\n"), [at(2), at(3)]);
    drop(a);
    assert_eq!(live.end(), (vec![at(5).trim_end().to_owned()], Some(0)));
}

#[test]
fn a_slow_reader_loses_nothing() {
    let files = Files::new();
    let fifo = files.fifo("a");
    let mut child = mux(&[&fifo]).stdout(Stdio::piped()).spawn().unwrap();
    let text: String = (0..40_000).map(|n| record(n, "t", &format!("\"n\":{n}"))).collect();
    let sent = text.clone();
    let writer = std::thread::spawn(move || File::create(fifo).unwrap().write_all(sent.as_bytes()).unwrap());
    let (mut stdout, mut got, mut chunk) = (child.stdout.take().unwrap(), Vec::new(), vec![0; 50_000]);
    loop {
        std::thread::sleep(Duration::from_millis(2));
        match stdout.read(&mut chunk).unwrap() {
            0 => break,
            count => got.extend_from_slice(&chunk[..count]),
        }
    }
    writer.join().unwrap();
    assert!(got == text.as_bytes());
    assert_eq!(exit_code(&mut child), Some(0));
}

/// An `ebpfmux` blocked by a reader that reads nothing, with a file and a command that prints
/// without end.
fn hung(files: &Files, stdout: Stdio) -> (std::process::Child, String) {
    let text: String = (0..60_000).map(|n| record(n, "t", &format!("\"n\":{n}"))).collect();
    let many = files.write("many", text);
    let tool = script(
        files,
        "tool",
        &format!("echo $$ > {}; exec yes '{}'", files.path("pid"), record(1, "t", "\"n\":1").trim()),
    );
    let mut command = mux(&["--run", tool.to_str().unwrap(), "--wait", "0.1", &many]);
    let child = command.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
    let pid = line_in(files.path("pid").as_ref());
    // Blocked: neither it nor its command uses the processor.
    let used = |pid: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit_once(") ").unwrap().1.split(' ').skip(11).take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    let own = child.id().to_string();
    let mut before = Vec::new();
    eventually("it stands still", || {
        std::thread::sleep(Duration::from_millis(200));
        let now = [used(&own), used(&pid)].concat();
        Some(()).filter(|()| std::mem::replace(&mut before, now.clone()) == now)
    });
    (child, pid)
}

fn terminate(child: &std::process::Child) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), Signal::TERM).unwrap();
}

#[test]
fn a_reader_that_hangs_does_not_keep_it_from_ending() {
    let (files, other) = (Files::new(), Files::new());
    let (_unread, socket) = std::os::unix::net::UnixStream::pair().unwrap();
    let (pipe, socket) =
        (hung(&files, Stdio::piped()), hung(&other, std::os::fd::OwnedFd::from(socket).into()));
    for (child, pid) in [&pipe, &socket] {
        terminate(child);
        // The command is stopped at once, not when the reader's time is over.
        let start = Instant::now();
        eventually("the command ends", || Some(()).filter(|()| !alive(pid)));
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    }
    for (mut child, _) in [pipe, socket] {
        assert_eq!(exit_code(&mut child), Some(1));
        let mut messages = String::new();
        child.stderr.take().unwrap().read_to_string(&mut messages).unwrap();
        assert!(messages.lines().count() == 1 && messages.contains("took nothing for 5 s"), "{messages}");
    }
}

#[test]
fn a_reader_that_goes_on_after_the_end_was_asked_for_gets_all() {
    let files = Files::new();
    let (mut child, pid) = hung(&files, Stdio::piped());
    terminate(&child);
    eventually("the command ends", || Some(()).filter(|()| !alive(&pid)));
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(exit_code(&mut child), Some(0));
    // No more of a file is read; what has been read is passed on to the last line.
    assert!(text.len() > 1 << 20 && text.ends_with("}\n"), "{}", text.len());
    let records = |tool: &str| text.lines().filter(|line| line.contains(tool)).count();
    assert!(records("\"n\":1,") > 1000);
}

#[test]
fn a_source_that_dies_within_a_line_is_reported_and_the_others_go_on() {
    let files = Files::new();
    let (a, b) = (files.fifo("a"), files.fifo("b"));
    let live = Live::start({
        let mut command = mux(&[&a, &b]);
        command.stderr(File::create(files.path("stderr")).unwrap());
        command
    });
    let (mut a, mut b) = (File::create(a).unwrap(), File::create(b).unwrap());
    let at = |n: u64| record(n, "t", &format!("\"n\":{n}"));
    a.write_all((at(1) + &at(3)[..60]).as_bytes()).unwrap();
    drop(a);
    for n in 2..5 {
        b.write_all(at(n).as_bytes()).unwrap();
    }
    drop(b);
    let (lines, code) = live.end();
    assert_eq!((lines.join("\n") + "\n", code), ([1, 2, 3, 4].map(at).concat(), Some(0)));
    let messages = std::fs::read_to_string(files.path("stderr")).unwrap();
    let expected = format!("ebpfmux: {}: line 2 is cut short", files.path("a"));
    assert!(messages.starts_with(&expected) && messages.lines().count() == 1, "{messages}");
}

#[test]
fn a_reader_that_goes_is_noticed_while_nothing_comes() {
    let files = Files::new();
    let fifo = files.fifo("a");
    let mut child = mux(&[&fifo]).stdout(Stdio::piped()).spawn().unwrap();
    let writer = File::create(&fifo).unwrap();
    drop(child.stdout.take());
    assert_eq!(exit_code(&mut child), Some(0));
    drop(writer);
}

#[test]
fn the_end_asked_for_keeps_what_has_come() {
    for duration in [None, Some("0.3")] {
        let files = Files::new();
        let (a, b) = (files.fifo("a"), files.fifo("b"));
        let mut args = vec!["--wait", "60", &a, &b];
        args.extend(duration.iter().flat_map(|seconds| ["-d", seconds]));
        let live = Live::start(mux(&args));
        let (mut a, b) = (File::create(&a).unwrap(), File::create(&b).unwrap());
        let text = record(1, "t", "\"n\":1");
        a.write_all(text.as_bytes()).unwrap();
        if duration.is_none() {
            live.signal(Signal::INT);
        }
        assert_eq!(live.end(), (vec![text.trim_end().to_owned()], Some(0)));
        drop(b);
    }
}

#[test]
fn a_joined_window_goes_out_without_a_successor() {
    let files = Files::new();
    let a = files.fifo("a");
    let live = Live::start(mux(&["--join=0.1", "--wait", "0.1", &a]));
    let mut a = File::create(a).unwrap();
    a.write_all(record(1, "t", "\"n\":1").as_bytes()).unwrap();
    assert!(live.line().contains("\"t.n\":1"));
    drop(a);
    assert_eq!(live.end(), (vec![], Some(0)));
}
