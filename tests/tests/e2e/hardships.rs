//! What a machine does to a tool: it is stopped, limited, started fifty times at once, in odd surroundings.
#![allow(clippy::expect_used, reason = "tests")]

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustix::process::{Pid, Signal, kill_process};
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::memcg::Memcg;
use tests::programs::{TOOLS, built, shell};
use tests::records::{count, parse, sum};
use tests::refusal::{refuses, run};
use tests::tool::{Tool, is_attached};
use tests::wait::{For, until, until_still};
use tests::workload::Workload;
use tests::{can_run, lock};

const FORKS: u64 = 101;

fn forks_in(cgroup: &Cgroup) {
    Workload::run(&["processes", "--forks", &FORKS.to_string(), "--cgroup", cgroup.path()]);
}

#[test]
fn a_tool_that_was_stopped_reports_all() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let cgroup = Cgroup::new();
    let tool = Tool::start("proclife", &["-q", "--cgroup", cgroup.path(), "0.2"]);
    tool.until_records(1);
    tool.signal(Signal::STOP);
    forks_in(&cgroup);
    sleep(Duration::from_secs(1));
    tool.signal(Signal::CONT);
    tool.until("the forks", |records| sum(records, "forks") + sum(records, "lost") >= FORKS);
    let records = tool.interrupt().records;
    let lengths = records.iter().map(|record| record["interval_s"].as_f64().expect("a number"));
    assert!(lengths.fold(0.0, f64::max) >= 1.0, "an interval is as long as it took: {records:?}");
    let comparison = Comparison::of("proclife", &[]).part("stopped").lost(sum(&records, "lost"));
    comparison.field("forks", sum(&records, "forks"), FORKS).equal();
}

#[test]
fn a_reader_that_stops_for_a_while_loses_nothing() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let cgroup = Cgroup::new();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    rustix::pipe::fcntl_setpipe_size(&writer, 4096).expect("a small pipe");
    let mut command = Command::new(built("proclife"));
    command.args(["-q", "--cgroup", cgroup.path(), "0.02"]).stdin(Stdio::null()).stdout(writer);
    let mut child = command.spawn().expect("it starts");
    drop(command);
    let unread = || rustix::io::ioctl_fionread(&reader).ok();
    until(For::Record, "records", || unread().filter(|bytes| *bytes > 0));
    until_still("a full pipe", Duration::from_millis(500), unread);
    forks_in(&cgroup);
    let (mut forks, mut lost) = (0, 0);
    for line in BufReader::new(reader).lines() {
        let line = line.expect("text");
        let [record] = &parse(&line)[..] else { panic!("{line}") };
        (forks, lost) = (forks + count(record, "forks"), lost + count(record, "lost"));
        if forks + lost >= FORKS {
            break;
        }
    }
    // Its reader has gone.
    assert!(child.wait().expect("a child").success());
    Comparison::of("proclife", &[]).part("a slow reader").lost(lost).field("forks", forks, FORKS).equal();
}

#[test]
fn a_signal_at_any_time_after_the_start_ends_it() {
    if !can_run() {
        return;
    }
    for delay in (0..400).step_by(20) {
        let mut command = Command::new(built("proclife"));
        command.args(["-q", "0.1"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        sleep(Duration::from_millis(delay));
        kill_process(Pid::from_child(&child), Signal::TERM).expect("it runs");
        let status = until(For::End, "its end", || child.try_wait().expect("a child"));
        // By its handler, or without one.
        let ended = status.success() || status.signal() == Some(Signal::TERM.as_raw());
        assert!(ended, "after {delay} ms: {status}");
    }
}

#[test]
fn fifty_at_once() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let start = |_| {
        let mut command = Command::new(built("proclife"));
        command.args(["-q", "0.5", "2"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("it starts")
    };
    let started: Vec<_> = (0..50).map(start).collect();
    for child in started {
        let output = child.wait_with_output().expect("a child");
        let records = parse(std::str::from_utf8(&output.stdout).expect("UTF-8"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !records.is_empty(), "{}: {said}", output.status);
    }
}

#[test]
fn limits_end_it_or_do_not_matter() {
    if !can_run() {
        return;
    }
    for limit in ["ulimit -s 64", "ulimit -c 0", "ulimit -l 0"] {
        let (code, out, said) = run(&format!("{limit}; $BIN/proclife -q -o json 0.1 2"));
        assert_eq!((code, out.lines().count()), (Some(0), 2), "{limit}: {said:?}");
    }
    // The kernel's signals for a file that is too large and for too much time kill what does not catch them.
    let dir = tempfile::tempdir().expect("a directory");
    for line in [
        format!("ulimit -f 0; $BIN/proclife -q -o json 0.1 3 > {}/file", dir.path().display()),
        "ulimit -t 1; $BIN/ebpfmux /dev/zero".to_owned(),
    ] {
        let output = shell(&line);
        let ends = [libc::SIGXFSZ, libc::SIGXCPU, libc::SIGKILL];
        let killed = |status: i32| ends.iter().any(|signal| status == 128 + signal);
        let right = output.status.signal().is_some_and(|signal| ends.contains(&signal))
            || output.status.code().is_some_and(|code| code == 1 || killed(code));
        assert!(right, "{line}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_few_megabytes_of_memory_are_enough() {
    if !can_run() {
        return;
    }
    for megabytes in [1, 4, 6, 10] {
        let memcg = Memcg::new(Some(megabytes << 20));
        let line = format!("echo $$ > {}/cgroup.procs && exec $BIN/proclife -q -o json 0.1 2", memcg.path());
        let output = shell(&line);
        let killed = output.status.signal() == Some(libc::SIGKILL);
        let whole = output.status.success() && output.stdout.lines().count() == 2;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(whole || megabytes == 1 && killed, "{megabytes} MB: {}: {said}", output.status);
    }
}

#[test]
fn surroundings_do_not_matter() {
    if !can_run() {
        return;
    }
    let tool = "$BIN/proclife -q -o json 0.1 2";
    for line in [
        format!("env -i {tool}"),
        format!("LANG=C LC_ALL=C TERM=dumb COLUMNS=20 {tool}"),
        format!("LC_ALL=tr_TR.UTF-8 TZ=Pacific/Kiritimati {tool}"),
        format!("TZ=:/none/such HOME=/none/such {tool}"),
        format!("unshare --mount bash -c 'mount -t tmpfs none /etc && exec '\"{tool}\""),
    ] {
        let (code, out, said) = run(&line);
        assert_eq!((code, said.len()), (Some(0), 0), "{line}: {said:?}");
        let records = parse(&out);
        assert_eq!(records.len(), 2, "{line}: {out}");
        for record in records {
            let ts = record["ts"].as_str().filter(|ts| ts.ends_with('Z')).expect("a time in UTC");
            let off = Timestamp::now().duration_since(ts.parse().expect("a time"));
            assert!(off.abs() < SignedDuration::from_mins(2), "{line}: {record}");
        }
    }
}

#[test]
fn arguments_that_are_no_text_are_refused() {
    let said = |line: &str| {
        let (code, out, said) = run(line);
        assert_eq!((code, out.as_str(), said.len()), (Some(2), "", 1), "{line}: {said:?}");
    };
    for tool in TOOLS {
        said(&format!("$BIN/{tool} $'\\xff'"));
        said(&format!("$BIN/{tool} -o $'\\xff'"));
    }
    if can_run() {
        refuses("$BIN/proclife --cgroup $'/\\xff'", 2, &["no such cgroup"]);
    }
    refuses("$BIN/ebpfmux $'/\\xff\\n'", 2, &["cannot read /", "No such file"]);
}

#[test]
fn what_it_says_of_itself_is_not_lost_silently() {
    for program in TOOLS.into_iter().chain(["ebpfmux"]) {
        let of_tool: &[&str] = if program == "ebpfmux" { &[] } else { &["--schema"] };
        for option in ["--help", "--version"].iter().chain(of_tool) {
            refuses(&format!("$BIN/{program} {option} >/dev/full"), 1, &["stdout"]);
        }
    }
    if can_run() {
        refuses("$BIN/proclife --check >/dev/full", 1, &["stdout"]);
    }
}

/// Processes whose names have everything in them that some form of output has a use for.
#[test]
fn names_are_whole_in_every_form() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    const NAMES: [&str; 13] = [
        "a\"b",
        "a\\b",
        "a\nb",
        "a,b",
        " a ",
        "'a'",
        "=1+cmd",
        "{}",
        "%s%n",
        "ü日",
        "\x1b]0;x\x07",
        "\u{202e}gpj",
        "a\tb",
    ];
    let dir = tempfile::tempdir().expect("a directory");
    let forms = ["json", "csv", "table"].map(|form| {
        let file = std::fs::File::create(dir.path().join(form)).expect("a file");
        let mut command = Command::new(built("proclife"));
        command.args(["--events", "-q", "-o", form]).stdin(Stdio::null()).stdout(file);
        let child = command.spawn().expect("it starts");
        until(For::Attach, form, || is_attached(child.id()).then_some(()));
        child
    });
    for name in NAMES {
        let path = dir.path().join(name);
        std::os::unix::fs::symlink("/bin/true", &path).expect("a link");
        let _ = Command::new(&path).status().expect("it is executed");
    }
    for mut child in forms {
        kill_process(Pid::from_child(&child), Signal::INT).expect("it runs");
        assert!(child.wait().expect("a child").success());
    }
    let read = |form: &str| std::fs::read_to_string(dir.path().join(form)).expect("UTF-8");
    let own = dir.path().to_str().expect("UTF-8");
    let records = parse(&read("json"));
    let is_own = |record: &&serde_json::Value| {
        record["event"] == "exec" && record["path"].as_str().is_some_and(|path| path.starts_with(own))
    };
    let names: Vec<_> =
        records.iter().filter(is_own).map(|record| record["comm"].as_str().expect("text")).collect();
    let lost = sum(&records, "lost");
    assert!(names == NAMES || lost > 0, "{names:?}, {lost} lost");
    // Python's reader of CSV is a strict one.
    let python = format!(
        "python3 -c 'import csv, json, sys\nfor row in csv.DictReader(open(sys.argv[1], newline=\"\"), strict=True):\n \
         if row[\"event\"] == \"exec\" and row[\"path\"].startswith(sys.argv[2]): print(json.dumps({{\"comm\": row[\"comm\"]}}))' {} {own}",
        dir.path().join("csv").display()
    );
    let (code, out, said) = run(&python);
    assert_eq!(code, Some(0), "{said:?}");
    let cells = parse(&out);
    let cells: Vec<_> = cells.iter().map(|row| row["comm"].as_str().expect("text")).collect();
    assert!(cells == NAMES || lost > 0, "{cells:?}");
    let table = read("table");
    assert!(!table.contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}'), "{table:?}");
}
