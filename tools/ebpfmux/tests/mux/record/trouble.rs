//! `--record`: what becomes of it when nothing can be written, who may write, and what is on the disk at any time.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Resource, Rlimit, Signal};

use crate::support::*;

fn at(n: u64) -> String {
    record(n, "t", &format!("\"n\":{n}"))
}

/// An `ebpfmux` whose files cannot grow beyond so many blocks of 512 bytes.
fn limited(blocks: u32, args: &[&str]) -> Command {
    let mut command = Command::new("sh");
    let line = format!("ulimit -S -f {blocks} && exec \"$0\" \"$@\"");
    command.args(["-c", &line, env!("CARGO_BIN_EXE_ebpfmux")]).args(args).stdin(Stdio::null());
    command
}

fn names(folder: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_cannot_be_written_at_the_end_is_told() {
    let files = Files::new();
    let (input, folder) = (files.write("in", at(1) + &at(2)), files.path("rec"));
    let output = limited(0, &[&input, "--record", &folder]).output().unwrap();
    assert_eq!((stdout(&output), output.status.code()), (at(1) + &at(2), Some(1)), "{}", stderr(&output));
    let told = format!(
        "ebpfmux: --record: 2 records are missing: cannot write to {folder}/00000001.ndjson.zst: File too large"
    );
    assert!(
        stderr(&output).starts_with(&told) && stderr(&output).lines().count() == 1,
        "{}",
        stderr(&output)
    );
    // Nothing that looks like a recording is left.
    assert_eq!(names(&folder), [""; 0]);
    // A reader that has gone does not hide it.
    let mut child = limited(0, &[&input, "--record", &folder])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).lines().count()), (Some(1), 1), "{}", stderr(&output));
}

#[test]
fn while_nothing_can_be_written_all_else_goes_on_and_it_is_tried_again() {
    let files = Files::new();
    let (fifo, folder) = (files.fifo("a"), files.path("rec"));
    let mut live = Live::start({
        let mut command = limited(0, &["--record", &folder, &fifo]);
        command.stderr(Stdio::piped());
        command
    });
    let said = Arc::new(Mutex::new(String::new()));
    let stderr = BufReader::new(live.child.stderr.take().unwrap());
    let reader = std::thread::spawn({
        let said = Arc::clone(&said);
        move || stderr.lines().for_each(|line| *said.lock().unwrap() += &(line.unwrap() + "\n"))
    });
    let mut writer = File::create(&fifo).unwrap();
    let mut sent = 0;
    let mut send = || {
        sent += 1;
        writer.write_all(at(sent).as_bytes()).unwrap();
        assert_eq!(live.line() + "\n", at(sent));
    };
    let told = |what: &str| said.lock().unwrap().contains(what);
    eventually("the gap is told", || {
        send();
        told("cannot write to").then_some(())
    });
    let limit = Rlimit { current: None, maximum: rustix::process::getrlimit(Resource::Fsize).maximum };
    rustix::process::prlimit(Some(Pid::from_child(&live.child)), Resource::Fsize, limit).unwrap();
    eventually("its end is told", || {
        send();
        told("goes on in").then_some(())
    });
    send();
    drop(writer);
    assert_eq!(live.end(), (vec![], Some(1)));
    reader.join().unwrap();
    let said = said.lock().unwrap().clone();
    assert_eq!(said.lines().count(), 3, "{said}");
    let missing = |line: &str| {
        let (before, _) = line.split_once(" records are missing").unwrap();
        before.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(missing(lines[1]), missing(lines[2]), "{said}");
    let replay = stdout(&run(&[&folder]));
    let count = replay.lines().count() as u64;
    assert!(count > 0 && count + missing(lines[2]) == sent, "{count} of {sent}: {said}");
    assert!(replay.ends_with(&at(sent)));
}

#[test]
fn a_folder_that_is_removed_is_made_again_and_what_was_lost_is_told() {
    let files = Files::new();
    let (fifo, folder, said) = (files.fifo("a"), files.path("rec"), files.path("said"));
    let live = Live::start({
        let mut command = mux(&["--record", &folder, &fifo]);
        command.stderr(File::create(&said).unwrap());
        command
    });
    let mut writer = File::create(&fifo).unwrap();
    writer.write_all(at(1).as_bytes()).unwrap();
    live.line();
    fs::remove_dir_all(&folder).unwrap();
    eventually("it goes on", || {
        writer.write_all(at(2).as_bytes()).unwrap();
        live.line();
        fs::read_to_string(&said).unwrap().contains("goes on in").then_some(())
    });
    drop(writer);
    assert_eq!(live.end().1, Some(1));
    let said = fs::read_to_string(said).unwrap();
    assert!(said.contains("it was removed"), "{said}");
    assert!(stdout(&run(&[&folder])).ends_with(&at(2)));
}

#[test]
fn one_process_records_into_a_folder() {
    let files = Files::new();
    let (fifo, folder) = (files.fifo("a"), files.path("rec"));
    let input = files.write("in", at(9));
    let live = Live::start(mux(&["--record", &folder, &fifo]));
    let mut writer = File::create(&fifo).unwrap();
    writer.write_all(at(1).as_bytes()).unwrap();
    live.line();
    let output = run(&["--record", &folder, &input]);
    assert_eq!((stdout(&output), output.status.code()), (String::new(), Some(1)));
    let who = format!("process {} records into {folder}", live.child.id());
    assert!(stderr(&output).contains(&who) && stderr(&output).lines().count() == 1, "{}", stderr(&output));
    // Its reader is no writer, and what is not there yet is not missing.
    let output = run(&[&folder]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("still being written"), "{}", stderr(&output));
    // A crash leaves no lock.
    live.signal(Signal::KILL);
    live.end();
    let output = run(&["--record", &folder, &input]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(names(&folder), ["00000001.ndjson.zst", "00000002.ndjson.zst"]);
}

#[test]
fn a_recording_is_its_owners_alone() {
    let files = Files::new();
    let (input, folder) = (files.write("in", at(1)), files.path("new/rec"));
    assert_eq!(run(&["--record", &folder, &input]).status.code(), Some(0));
    let mode = |path: &str| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&format!("{folder}/00000001.ndjson.zst"))), (0o700, 0o600));
    // What somebody else made stays as it is.
    let own = files.path("own");
    fs::create_dir(&own).unwrap();
    fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(run(&["--record", &own, &input]).status.code(), Some(0));
    assert_eq!((mode(&own), mode(&format!("{own}/00000001.ndjson.zst"))), (0o755, 0o600));
}

#[test]
fn there_is_no_number_after_the_last() {
    let files = Files::new();
    let (input, folder) = (files.write("in", at(1)), files.path("rec"));
    fs::create_dir(&folder).unwrap();
    fs::copy(input.clone(), format!("{folder}/{}.ndjson.zst", u64::MAX)).unwrap();
    let output = run(&["--record", &folder, &input]);
    assert_eq!((output.status.code(), names(&folder).len()), (Some(2), 1), "{}", stderr(&output));
    assert!(stderr(&output).contains("name another folder"), "{}", stderr(&output));
}

#[test]
fn what_was_taken_in_is_on_the_disk_although_stdout_is_not_read() {
    let files = Files::new();
    let (fifo, folder) = (files.fifo("a"), files.path("rec"));
    let mut child = mux(&["--record", &folder, &fifo]).stdout(Stdio::piped()).spawn().unwrap();
    let mut writer = File::create(&fifo).unwrap();
    // More than a pipe takes, and what is gathered before it.
    let count = 40_000;
    let sent: String = (0..count).map(at).collect();
    let taken = std::thread::spawn(move || {
        // It stops taking them at some point; a killed reader ends this.
        let _ = writer.write_all(sent.as_bytes());
    });
    let part = format!("{folder}/00000001.ndjson.zst");
    let mut before = 0;
    let still = eventually("nothing more is written", || {
        std::thread::sleep(std::time::Duration::from_millis(1500));
        let now = stdout(&run(&[&part])).len();
        (now > 0 && std::mem::replace(&mut before, now) == now).then_some(now)
    });
    // All that has gone to stdout, and what waits for it.
    let mut out = Vec::new();
    rustix::process::kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
    child.wait().unwrap();
    taken.join().unwrap();
    assert!(out.len() > 1 << 19, "{}", out.len());
    assert!(still >= out.len(), "{still} of {}", out.len());
    let all: String = (0..count).map(at).collect();
    assert!(all.starts_with(&stdout(&run(&[&part]))) && Path::new(&part).exists());
}
