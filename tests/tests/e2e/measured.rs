//! `ebpfmux -- COMMAND`: the work of one command, counted exactly while others do the same; how it ends, and what is left.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tests::comparison::Comparison;
use tests::disk::Disk;
use tests::programs::built;
use tests::records::{count, with};
use tests::user::Programs;
use tests::wait::{For, until};
use tests::{can_run, lock};

const FORKS: u64 = 120;
const EXECS: u64 = 41;
const FAILING: u64 = 8;
const READS: u64 = 67;
const BYTES: u64 = 8192;

fn ebpfmux(arguments: &[&str]) -> Command {
    let mut command = Command::new(built("ebpfmux"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The status, stdout and stderr. The command's cgroup is gone then.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mux = ebpfmux(arguments).spawn().expect("ebpfmux runs");
    let cgroup = format!("ebpfmux-{}", mux.id());
    let Output { status, stdout, stderr } = mux.wait_with_output().expect("it ends");
    assert!(!beside(&cgroup).exists(), "{cgroup} is left");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (status.code(), text(&stdout), text(&stderr))
}

/// A cgroup below this program's own.
fn beside(name: &str) -> PathBuf {
    let own = std::fs::read_to_string("/proc/self/cgroup").expect("/proc");
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")).expect("cgroup v2").to_owned();
    tests::cgroup::mount().join(own).join(name)
}

/// What `--summary json` prints.
fn summary(stderr: &str) -> Value {
    let line = stderr.lines().find(|line| line.starts_with('{'));
    serde_json::from_str(line.unwrap_or_else(|| panic!("no summary: {stderr}"))).expect("JSON")
}

fn totals(summary: &Value, tool: &str) -> Vec<Value> {
    let totals = summary["totals"].as_array().expect("the sums");
    with(totals, "tool", tool).into_iter().cloned().collect()
}

#[test]
fn a_commands_work_is_counted_exactly_beside_the_same_work() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let disk = Disk::over_file(16);
    let workload = built("workload");
    let workload = workload.to_str().expect("UTF-8");
    let (forks, execs, failing) = (FORKS.to_string(), EXECS.to_string(), FAILING.to_string());
    let processes = ["processes", "--forks", &forks, "--execs", &execs, "--failing-execs", &failing];
    let (reads, bytes, path) = (READS.to_string(), BYTES.to_string(), disk.path());
    let io = ["io", "--file", &path, "--reads", &reads, "--bytes", &bytes];
    let over = AtomicBool::new(false);
    let over = &over;
    std::thread::scope(|scope| {
        let all: [&[&str]; 2] = [&processes, &io];
        for arguments in all {
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    Command::new(workload).args(arguments).stdin(Stdio::null()).output().expect("it runs");
                }
            });
        }
        let (code, _, stderr) = run(&[&["--summary", "json", "--", workload], &processes[..]].concat());
        assert_eq!(code, Some(0), "{stderr}");
        let of_processes = summary(&stderr);
        // The command is a program on a disk, too, which the kernel may have to read again.
        let biolat = format!("biolat --disk {} --buckets 1", disk.name);
        let ours = ["--run", &biolat, "--summary", "json", "--", workload];
        let (code, _, stderr) = run(&[&ours, &io[..]].concat());
        assert_eq!(code, Some(0), "{stderr}");
        let of_io = summary(&stderr);
        over.store(true, Ordering::Relaxed);
        let [counted] = &totals(&of_processes, "proclife")[..] else { panic!("{of_processes}") };
        // The command itself was there before it was in its cgroup, and ends like the others.
        Comparison::of("proclife", &["1"])
            .lost(count(counted, "lost"))
            .field("forks", count(counted, "forks"), FORKS)
            .field("execs", count(counted, "execs"), EXECS + 1)
            .field("exits", count(counted, "exits"), FORKS + 1)
            .field("exec_errors", count(counted, "exec_errors"), FAILING)
            .equal();
        let biolat = totals(&of_io, "biolat");
        let [counted] = with(&biolat, "op", "read")[..] else { panic!("{of_io}") };
        Comparison::of("biolat", &["1"])
            .lost(biolat.iter().map(|record| count(record, "lost")).sum())
            .field("count", count(counted, "count"), READS)
            .field("bytes", count(counted, "bytes"), READS * BYTES)
            .equal();
        assert!(counted["p99_us"].is_number(), "{counted}");
        for summary in [of_processes, of_io] {
            assert_eq!((&summary["complete"], &summary["status"]), (&true.into(), &0.into()), "{summary}");
            let used = |name: &str| summary[name].as_f64().expect("the cgroup tells");
            assert!(used("user_s") + used("system_s") > 0.0 && used("elapsed_s") > 0.0, "{summary}");
        }
    });
}

#[test]
fn the_commands_end_is_that_of_ebpfmux() {
    if !can_run() {
        return;
    }
    let one = ["--run", "proclife 1"];
    let ends = |words: &[&str]| run(&[&one[..], &["--"], words].concat());
    assert_eq!(ends(&["sh", "-c", "echo out; echo err >&2; exit 7"]).0, Some(7));
    let (code, stdout, stderr) = ends(&["sh", "-c", "echo out; kill -9 $$"]);
    assert_eq!((code, stdout.as_str()), (Some(128 + 9), "out\n"), "{stderr}");
    assert!(stderr.contains("killed by signal 9"), "{stderr}");
    let (code, _, stderr) = ends(&["/no/such/program"]);
    assert_eq!(
        (code, stderr.as_str()),
        (Some(127), "ebpfmux: cannot run /no/such/program: No such file or directory (os error 2)\n")
    );
    assert_eq!(ends(&["/"]).0, Some(126));
    // Its stdin, and quiet.
    let mut mux =
        ebpfmux(&["-q", "--run", "proclife 1", "--", "cat"]).stdin(Stdio::piped()).spawn().expect("it runs");
    std::io::Write::write_all(&mut mux.stdin.take().expect("a pipe"), b"through\n").expect("it reads");
    let Output { stdout, stderr, .. } = mux.wait_with_output().expect("it ends");
    assert_eq!((stdout, stderr), (b"through\n".to_vec(), Vec::new()));
    // A tool that cannot do it: the command is not run.
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("ran");
    let touch = ["--", "touch", file.to_str().expect("UTF-8")];
    let (code, _, stderr) = run(&[&["--run", "proclife --nonsense"], &touch[..]].concat());
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("the command was not run: 'proclife --nonsense"), "{stderr}");
    let programs = Programs::new();
    let other = programs.run::<&str>(&[], "ebpfmux").args(touch).output().expect("setpriv runs");
    let stderr = String::from_utf8_lossy(&other.stderr);
    assert_eq!(other.status.code(), Some(4), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(!file.exists(), "the command was run");
}

#[test]
fn a_command_that_leaves_others_behind_ends_at_once() {
    if !can_run() {
        return;
    }
    let line = "setsid sleep 30 >/dev/null 2>&1 & echo $!";
    let (code, stdout, stderr) = run(&["--run", "proclife 1", "--", "sh", "-c", line]);
    assert_eq!(code, Some(0), "{stderr}");
    let pid = Pid::from_raw(stdout.trim().parse().expect("a pid")).expect("not 0");
    assert!(stderr.contains("the command left sleep (pid "), "{stderr}");
    kill_process(pid, Signal::KILL).expect("it was left alone");
}

#[test]
fn conditions_are_about_the_sums() {
    if !can_run() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let report = dir.path().join("report.xml");
    let ten = "for i in 1 2 3 4 5 6 7 8 9 10; do (exit 0); done";
    let with = |bound: &str, more: &[&str]| {
        let bound = format!("proclife.forks < {bound}");
        run(&[&["--run", "proclife 0.1", "--assert", &bound], more, &["--", "bash", "-c", ten]].concat())
    };
    let (code, _, stderr) = with("11", &[]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stderr.starts_with("bash -c '") && stderr.contains(", 10 forks") && stderr.ends_with(", lost 0\n"),
        "{stderr}"
    );
    let (code, _, stderr) =
        with("10", &["--summary", "junit", "--summary-file", report.to_str().expect("UTF-8")]);
    assert_eq!(code, Some(5), "{stderr}");
    assert!(stderr.contains("--assert 'proclife.forks < 10' does not hold"), "{stderr}");
    let xml = std::fs::read_to_string(&report).expect("a report");
    assert!(xml.contains(r#"tests="2" failures="1""#) && xml.contains("proclife.forks &lt; 10"), "{xml}");
    let (code, _, stderr) = with("x", &[]);
    assert_eq!(code, Some(2), "{stderr}");
}

/// What one that was killed leaves is removed by the next.
#[test]
fn no_cgroup_is_left_for_long() {
    if !can_run() {
        return;
    }
    let mut mux = ebpfmux(&["--run", "proclife 1", "--", "sleep", "30"]).spawn().expect("it runs");
    let cgroup = beside(&format!("ebpfmux-{}", mux.id()));
    let processes = || std::fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    let pid = until(For::Attach, "the command", || processes().trim().parse().ok());
    mux.kill().and_then(|()| mux.wait()).expect("it is killed");
    assert!(cgroup.exists(), "nobody has removed it");
    kill_process(Pid::from_raw(pid).expect("not 0"), Signal::KILL).expect("it ran on");
    until(For::End, "the command's end", || processes().is_empty().then_some(()));
    assert_eq!(run(&["--run", "proclife 1", "--", "true"]).0, Some(0));
    assert!(!cgroup.exists(), "it is left");
}

/// The end that it was asked for is the command's; Ctrl-C is the command's alone.
#[test]
fn signals_go_to_the_command() {
    if !can_run() {
        return;
    }
    let line = "trap 'echo asked; exit 3' TERM; echo ready; while :; do sleep 0.1; done";
    let mut mux: Child =
        ebpfmux(&["--run", "proclife 1", "--", "bash", "-c", line]).spawn().expect("it runs");
    let stdout = mux.stdout.take().expect("a pipe");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(stdout));
    assert_eq!(lines.next().expect("a line").expect("UTF-8"), "ready");
    let pid = Pid::from_child(&mux);
    kill_process(pid, Signal::INT).expect("it runs");
    kill_process(pid, Signal::TERM).expect("it runs");
    let status = until(For::End, "its end", || mux.try_wait().expect("a child"));
    assert_eq!(status.code(), Some(3));
    assert_eq!(lines.next().expect("a line").expect("UTF-8"), "asked");
}
