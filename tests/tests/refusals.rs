//! What a tool says when it cannot do what was asked: one line, and a status for scripts.
#![allow(clippy::expect_used, reason = "tests")]

use tests::kernel::{self, Allows};
use tests::programs::TOOLS;
use tests::records;
use tests::refusal::{refuses, run};
use tests::{can_run, cgroup};

/// A user without any right.
const NOBODY: &str =
    "setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs";
/// A user with the two rights that tracing needs.
const TRACER: &str = "setpriv --reuid=65534 --regid=65534 --clear-groups \
    --inh-caps=-all,+bpf,+perfmon --ambient-caps=-all,+bpf,+perfmon";

/// Where other users reach the programs: the directories above the build's may be closed to them.
fn reachable() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o755)).tempdir();
    let dir = dir.expect("a temporary directory");
    for tool in TOOLS {
        std::fs::copy(tests::programs::built(tool), dir.path().join(tool)).expect("a copy");
    }
    dir
}

#[test]
fn without_rights() {
    if !can_run() {
        return;
    }
    let dir = reachable();
    for tool in [
        "proclife",
        "biolat",
        "proclife --events",
        "biolat --check",
        "syncsnoop",
        "syncsnoop --events",
        "dcstat",
        "cachestat",
        "fslat",
        "oomwatch",
        "irqlat",
        "tcplife",
        "tcplife --port 80 1",
    ] {
        let line = format!("{NOBODY} {}/{tool}", dir.path().display());
        refuses(&line, 4, &["CAP_BPF", "CAP_PERFMON"]);
        let one = "setpriv --reuid=65534 --clear-groups --inh-caps=-all,+bpf --ambient-caps=-all,+bpf";
        let line = format!("{one} {}/{tool}", dir.path().display());
        refuses(&line, 4, &["CAP_PERFMON"]);
        assert!(!run(&line).2[0].contains("CAP_BPF"), "what is there is not missing");
    }
}

#[test]
fn what_needs_no_rights() {
    if !can_run() {
        return;
    }
    let dir = reachable();
    for option in ["--schema", "--help", "--version"] {
        for tool in TOOLS {
            let (code, out, said) = run(&format!("{NOBODY} {}/{tool} {option}", dir.path().display()));
            assert_eq!((code, said.len()), (Some(0), 0), "{tool} {option}: {said:?}");
            assert!(!out.is_empty());
        }
    }
}

#[test]
fn with_the_two_rights_that_tracing_needs() {
    if !can_run() {
        return;
    }
    let dir = reachable();
    let at = dir.path().display();
    // Before Linux 5.11 maps count as locked memory.
    let room = "ulimit -l unlimited 2>/dev/null;";
    let (code, out, said) = run(&format!("{room} {TRACER} {at}/biolat -q 0.1 3"));
    assert_eq!((code, said.len()), (Some(0), 0), "{said:?}");
    assert!(records::parse(&out).len() >= 3);

    // Tracepoints of system calls are in tracefs, which is root's; all else is there.
    let (code, out, said) = run(&format!("{room} {TRACER} {at}/proclife 0.1 3"));
    assert_eq!(code, Some(0), "{said:?}");
    let all = records::parse(&out);
    assert_eq!(all.len(), 3);
    // Failing forks a function tells as well, where it can be watched.
    let watched = kernel::allows("fentry") == Allows::Yes;
    assert!(all.iter().all(|record| record["fork_errors"].is_null() != watched));
    assert!(all.iter().all(|record| record["exec_errors"].is_null()));
    assert!(all.iter().all(|record| record["forks"].is_u64() && record["zombies"].is_u64()));
    let without: &[&str] = if watched { &["exec_errors"] } else { &["fork_errors", "exec_errors"] };
    for hook in without {
        assert!(said.iter().any(|line| line.contains("without") && line.contains(hook)), "{hook}: {said:?}");
    }
    let (code, out, _) = run(&format!("{room} {TRACER} {at}/proclife --check"));
    assert_eq!(code, Some(0), "optional hooks are no failure: {out}");
    assert!(out.contains("goes without"), "{out}");
}

#[test]
fn check_tells_of_every_hook() {
    if !can_run() {
        return;
    }
    let hooks = |tool: &str| {
        let (code, out, said) = run(&format!("$BIN/{tool} --check"));
        assert_eq!((code, said.len()), (Some(0), 0), "{said:?}");
        let rows = out.lines().filter(|line| !line.starts_with(' '));
        rows.map(|line| line.split("  ").next().unwrap_or_default().to_string()).collect::<Vec<_>>()
    };
    let all = ["forks", "execs", "exits", "reaped", "zombies", "fork_errors", "exec_errors"];
    assert_eq!(hooks("proclife"), all);
    assert_eq!(hooks("syncsnoop"), ["sync", "syncfs", "fsync", "fdatasync", "msync", "sync_file_range"]);
    assert_eq!(hooks("cachestat"), ["fetched", "dirtied", "reads", "faults"]);
    // Vectors that this kernel has not are nothing to be warned of.
    assert_eq!(hooks("irqlat")[..3], ["hard", "soft", "local_timer"]);
    assert_eq!(hooks("tcplife"), ["states", "accepts"]);
    assert_eq!(hooks("biolat"), ["requests"]);
    assert_eq!(hooks("biolat -p 1"), ["requests of tasks"]);
}

#[test]
fn another_kernel_is_planned_for_by_its_types() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let at = dir.path().display();
    refuses(&format!("$BIN/vfsstat --check --kernel {at}"), 2, &["--kernel", "vmlinux"]);
    std::fs::write(dir.path().join("vmlinux"), b"\0vfs_read\0vfs_readv\0vfs_write\0").expect("a file");
    refuses(&format!("$BIN/vfsstat --check --kernel {at}"), 2, &["--kernel", "symbols"]);
    // vfs_writev has no type.
    std::fs::write(dir.path().join("symbols"), "vfs_read\nvfs_readv\nvfs_write\nvfs_writev\n")
        .expect("a file");
    let (code, out, said) = run(&format!("$BIN/vfsstat --check --kernel {at}"));
    assert_eq!((code, said.len()), (Some(3), 1), "{said:?}");
    assert!(out.contains("reads               fentry:vfs_read+vfs_readv"), "{out}");
    assert!(out.contains("writes              kprobe:vfs_write+vfs_writev"), "{out}");
    assert!(said[0].contains("cannot see opens") && said[0].contains("not in that kernel"), "{said:?}");
    refuses(&format!("$BIN/vfsstat --kernel {at}"), 2, &["--check"]);
}

#[test]
fn bad_usage() {
    for tool in TOOLS {
        for (options, part) in [
            ("--frobnicate", "--frobnicate"),
            ("x", "x"),
            ("0", "0"),
            ("1 0", "0"),
            ("-1", "-1"),
            ("1 2 3", "3"),
            ("-o xml", "xml"),
            ("-d soon", "soon"),
            ("-p init", "init"),
            ("-p", "--pid"),
            ("-q -v", "-q"),
            ("--attach magic", "magic"),
        ] {
            refuses(&format!("$BIN/{tool} {options}"), 2, &[tool, part, "--help"]);
        }
    }
    refuses("$BIN/proclife --threads", 2, &["--events"]);
    refuses("$BIN/proclife --events 5", 2, &["--events"]);
    refuses("$BIN/syncsnoop --min-us 5", 2, &["--events"]);
    refuses("$BIN/syncsnoop --events --min-us -5", 2, &["-5"]);
    refuses("$BIN/syncsnoop --events --buckets", 2, &["--buckets"]);
    refuses("$BIN/fslat --fs fat", 2, &["fat", "--fs", "overlay"]);
    refuses("$BIN/fslat --op ext4", 2, &["ext4", "--op", "getattr"]);
    refuses("$BIN/fslat --min-us 5", 2, &["--events"]);
    refuses("$BIN/oomwatch --events 5", 2, &["--events"]);
    refuses("$BIN/oomwatch --events --by comm", 2, &["--events"]);
    refuses("$BIN/tcplife --events 5", 2, &["--events"]);
    refuses("$BIN/tcplife --port 0", 2, &["--port", "0"]);
    refuses("$BIN/tcplife --port 65536", 2, &["--port", "65536"]);
    refuses("$BIN/tcplife --cidr 10.0.0.0/33", 2, &["--cidr", "10.0.0.0/33", "2001:db8::/32"]);
    refuses("$BIN/tcplife --cidr localhost", 2, &["--cidr", "localhost"]);
    refuses("$BIN/tcplife --family 5", 2, &["--family", "5"]);
    refuses("$BIN/tcplife --max-open 0", 2, &["--max-open", "0"]);
    refuses("$BIN/tcplife --port $(seq -s, 33)", 2, &["--port", "32"]);
}

#[test]
fn what_is_not_there() {
    if !can_run() {
        return;
    }
    let mount = cgroup::mount();
    for tool in TOOLS.into_iter().filter(|tool| *tool != "irqlat") {
        refuses(&format!("$BIN/{tool} --cgroup no/such/group"), 2, &["no/such/group", "no such cgroup"]);
        refuses(&format!("$BIN/{tool} --cgroup /etc"), 2, &["/etc"]);
        refuses(&format!("$BIN/{tool} --cgroup {}/cgroup.procs", mount.display()), 2, &["cgroup.procs"]);
        // A process that was, and is reaped.
        refuses(&format!("true & wait $!; $BIN/{tool} -p $!"), 2, &["no such process"]);
        refuses(&format!("$BIN/{tool} -p 4194305"), 2, &["4194305", "no such process"]);
    }
    // What is nobody's can be asked for by nobody.
    for filter in ["-p 1", "--cgroup /"] {
        refuses(&format!("$BIN/irqlat {filter}"), 2, &["--pid and --cgroup", "nobody's", "--help"]);
    }
}

#[test]
fn stdout_that_cannot_be_written_to() {
    if !can_run() {
        return;
    }
    refuses("$BIN/proclife -q -o json 0.1 3 >/dev/full", 1, &["stdout"]);
    refuses("$BIN/biolat -q -o json 0.1 3 >/dev/full", 1, &["stdout"]);
    refuses("$BIN/syncsnoop -q -o json 0.1 3 >/dev/full", 1, &["stdout"]);
    refuses("$BIN/cachestat -q -o json 0.1 3 >/dev/full", 1, &["stdout"]);
    refuses("$BIN/fslat -q -o json 0.1 3 >/dev/full", 1, &["stdout"]);
    refuses("$BIN/oomwatch -q -o json 0.1 3 >/dev/full", 1, &["stdout"]);
    refuses("$BIN/tcplife -q -o json 0.1 3 >/dev/full", 1, &["stdout"]);
}
