//! `--pid` where the ids of processes are not the kernel's, or cannot be seen.
#![allow(clippy::expect_used, reason = "tests")]

use std::path::Path;

use serde_json::Value;
use tests::comparison::Comparison;
use tests::programs::TOOLS;
use tests::records::{parse, sum};
use tests::refusal::{refuses, run};
use tests::user::Programs;
use tests::{can_run, lock};

const FORKS: u64 = 101;

/// In a PID namespace with its own /proc: a workload, a tool that watches it by its id there, and another process that
/// does the like. The tool ends when the workload has ended.
const WATCH: &str = r#"
mkfifo "$DIR/go" && exec 9<>"$DIR/go"
"$BIN/workload" processes --forks "$FORKS" --wait <&9 >/dev/null & workload=$!
"$BIN/proclife" -p $workload -o json 3600 >"$DIR/out" 2>"$DIR/err" & tool=$!
until [ "$(ls /proc/$tool/task | wc -l)" -gt 1 ]; do kill -0 $tool || exit 1; sleep 0.05; done
for other in 1 2 3; do (true); done
echo >&9
wait $workload || exit 1
kill -TERM $tool
wait $tool && echo "$workload"
"#;

/// Its status, what it printed, and the lines of stderr.
fn in_namespace(script: &str, dir: &Path) -> (Option<i32>, String, Vec<String>) {
    let file = dir.join("script");
    std::fs::write(&file, script).expect("a file");
    run(&format!(
        "DIR={} FORKS={FORKS} BIN=$BIN unshare --pid --fork --mount-proc bash {}",
        dir.display(),
        file.display()
    ))
}

#[test]
fn a_process_of_a_pid_namespace_is_counted_by_its_id_there() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let dir = tempfile::tempdir().expect("a directory");
    let (code, id, said) = in_namespace(WATCH, dir.path());
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap_or_default();
    let (out, notes) = (read("out"), read("err"));
    assert_eq!(code, Some(0), "{said:?} {notes}");
    let records = parse(&out);
    let [record] = &records[..] else { panic!("{records:?}") };
    let fields = ["forks", "execs", "zombies"];
    let told = fields.map(|field| sum([record], field));
    Comparison::of("proclife", &[])
        .part("in a PID namespace")
        .lost(sum(&records, "lost"))
        .fields(&fields, &told, &[FORKS, 0, 0])
        .equal();
    let note = format!("--pid {}: in records it is ", id.trim());
    assert!(notes.contains(&note), "{note:?} is not in {notes:?}");
}

#[test]
fn the_self_test_is_not_reported_in_a_pid_namespace() {
    if !can_run() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    // Under a name of its own: other tests run the tool at the same time.
    let script = "cp $BIN/proclife $DIR/own_events && exec $DIR/own_events --events -q -o json -d 0.5";
    let (code, out, said) = in_namespace(script, dir.path());
    assert_eq!(code, Some(0), "{said:?}");
    let own: Vec<Value> = parse(&out).into_iter().filter(|event| event["comm"] == "own_events").collect();
    assert!(own.is_empty(), "{own:?}");
}

#[test]
fn an_id_that_does_not_exist_in_a_pid_namespace() {
    if !can_run() {
        return;
    }
    let line = "unshare --pid --fork --mount-proc bash -c '$BIN/proclife -p 4000000; exit $?'";
    refuses(line, 2, &["--pid 4000000", "no such process"]);
    // The ids in /proc are those of another namespace.
    refuses(
        "unshare --pid --fork $BIN/proclife -p 1",
        2,
        &["--pid 1", "another PID namespace", "mount -t proc"],
    );
}

#[test]
fn a_thread_is_not_taken_for_a_process() {
    let process = std::process::id();
    std::thread::spawn(move || {
        let thread = rustix::thread::gettid().as_raw_nonzero();
        for tool in TOOLS.into_iter().filter(|tool| *tool != "irqlat") {
            let parts = [&format!("--pid {thread}: "), &format!("process {process}: use --pid {process}")];
            refuses(&format!("$BIN/{tool} -p {thread}"), 2, &parts.map(|part| part.as_str()));
        }
    })
    .join()
    .expect("no panic");
}

#[test]
fn without_proc() {
    if !can_run() {
        return;
    }
    let apart =
        |line: &str| format!("unshare --mount bash -c 'mount -t tmpfs none /proc && exec '\"{line}\"");
    refuses(&apart("$BIN/proclife -p 1"), 3, &["--pid 1: /proc is not mounted", "mount -t proc proc /proc"]);
    // Cgroups are found where they usually are.
    let (code, out, said) = run(&apart("$BIN/vfsstat --by cgroup --attach tracepoint -q -o json 0.2 3"));
    assert_eq!(code, Some(0), "{said:?}");
    let cgroups: Vec<_> = parse(&out).into_iter().map(|record| record["cgroup"].clone()).collect();
    let is_path = |cgroup: &Value| cgroup.as_str().is_none_or(|path| path.starts_with('/'));
    assert!(cgroups.iter().all(is_path), "{cgroups:?}");
}

/// A tool has no capabilities once it has attached.
#[test]
fn ancestors_that_proc_hides() {
    if !can_run() {
        return;
    }
    let groups = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(groups.path(), "shells: bash\n").expect("a file");
    for (option, hidden) in [("hidepid=2", true), ("hidepid=0", false)] {
        let tool = format!("$BIN/proclife --by app --apps {} -o json 0.1 1", groups.path().display());
        let (code, _, said) = run(&format!(
            "unshare --mount bash -c 'mount -t proc -o {option} proc /proc && exec '\"{tool}\""
        ));
        assert_eq!(code, Some(0), "{said:?}");
        let noted = said.iter().any(|line| line.contains("--by app: /proc hides processes (hidepid)"));
        assert_eq!(noted, hidden, "{option}: {said:?}");
    }
}

#[test]
fn a_process_that_proc_hides() {
    if !can_run() {
        return;
    }
    let programs = Programs::new();
    let hidden = |pid: u32| {
        let tool = format!("{}/proclife -p {pid}", programs.folder());
        let user = format!("setpriv --reuid=65534 --regid=65534 --clear-groups -- {tool}");
        format!("unshare --mount bash -c 'mount -t proc -o hidepid=2 proc /proc && exec {user}'")
    };
    refuses(&hidden(1), 4, &["--pid 1: the process exists", "hidepid", "CAP_SYS_PTRACE"]);
    refuses(&hidden(4_194_305), 2, &["--pid 4194305: no such process"]);
}
