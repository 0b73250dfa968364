//! Refusals of what was requested: one line, and a status for scripts.
#![allow(clippy::expect_used, reason = "tests")]

use tests::programs::TOOLS;
use tests::refusal::{refuses, run};
use tests::{can_run, cgroup, kernel};

#[test]
fn check_tells_of_every_hook() {
    if !can_run() {
        return;
    }
    let hooks = |tool: &str| {
        let (code, out, stderr) = run(&format!("$BIN/{tool} --check"));
        // This machine's own kernel may refuse a tool, which is one line more.
        let refused = kernel::of_guest().is_none() && matches!(code, Some(3 | 4)) && stderr.len() == 1;
        assert!(refused || (code, stderr.len()) == (Some(0), 0), "{tool}: {code:?} {stderr:?}");
        let rows = out.lines().filter(|line| !line.starts_with(' ') && !line.starts_with("capabilities  "));
        rows.map(|line| line.split("  ").next().unwrap_or_default().to_string()).collect::<Vec<_>>()
    };
    for tool in TOOLS {
        assert!(!hooks(tool).is_empty(), "{tool} --check names no hook");
    }
    let all = ["forks", "execs", "exits", "reaped", "zombies", "fork_errors", "exec_errors"];
    assert_eq!(hooks("proclife"), all);
    assert_eq!(hooks("syncsnoop"), ["sync", "syncfs", "fsync", "fdatasync", "msync", "sync_file_range"]);
    assert_eq!(hooks("mountsnoop")[..3], ["mount", "umount", "fsopen"]);
    let shm = ["get", "attach", "detach", "control", "created", "destroyed", "exit_detaches"];
    assert_eq!(hooks("shmsnoop"), shm);
    assert_eq!(hooks("cachestat"), ["fetched", "dirtied", "reads", "faults"]);
    // Vectors that this kernel does not have are not worth a warning.
    assert_eq!(hooks("irqlat")[..3], ["hard", "soft", "local_timer"]);
    assert_eq!(hooks("tcplife"), ["states", "accepts"]);
    assert_eq!(hooks("sockls"), ["sockets", "tcp"]);
    assert_eq!(hooks("sockls -p 1 5"), ["sockets", "ends"]);
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
    let (code, out, stderr) = run(&format!("$BIN/vfsstat --check --kernel {at}"));
    assert_eq!((code, stderr.len()), (Some(3), 1), "{stderr:?}");
    assert!(out.contains("reads               fentry:vfs_read+vfs_readv"), "{out}");
    assert!(out.contains("writes              kprobe:vfs_write+vfs_writev"), "{out}");
    assert!(stderr[0].contains("cannot see opens") && stderr[0].contains("not in that kernel"), "{stderr:?}");
    refuses(&format!("$BIN/vfsstat --kernel {at}"), 2, &["--check"]);
}

#[test]
fn bad_usage() {
    refuses("$BIN/proclife --threads", 2, &["--events"]);
    refuses("$BIN/proclife --events 5", 2, &["--events"]);
    // It is a way to ask for events, which have no intervals.
    for tool in ["syncsnoop", "fslat", "dnslat"] {
        for more in ["5", "--buckets", "--by comm"] {
            refuses(&format!("$BIN/{tool} --min-us 5 {more}"), 2, &["--min-us", "cannot be used"]);
        }
    }
    refuses("$BIN/syncsnoop --events --min-us -5", 2, &["-5"]);
    refuses("$BIN/syncsnoop --events --buckets", 2, &["--buckets"]);
    refuses("$BIN/mountsnoop --events --buckets", 2, &["--buckets"]);
    refuses("$BIN/mountsnoop --events --by comm", 2, &["--events"]);
    refuses("$BIN/shmsnoop --events 5", 2, &["--events"]);
    refuses("$BIN/shmsnoop --events --by comm", 2, &["--events"]);
    refuses("$BIN/fslat --fs fat", 2, &["fat", "--fs", "overlay"]);
    refuses("$BIN/fslat --op ext4", 2, &["ext4", "--op", "getattr"]);
    refuses("$BIN/oomwatch --events 5", 2, &["--events"]);
    refuses("$BIN/oomwatch --events --by comm", 2, &["--events"]);
    refuses("$BIN/tcplife --events 5", 2, &["--events"]);
    refuses("$BIN/tcplife --port 0", 2, &["--port", "0"]);
    refuses("$BIN/tcplife --port 65536", 2, &["--port", "65536"]);
    refuses("$BIN/tcplife --port '!1024-1'", 2, &["--port", "1024-1"]);
    refuses("$BIN/tcplife --port no-such-service", 2, &["--port", "no-such-service", "/etc/services"]);
    refuses("$BIN/tcplife --cidr 10.0.0.0/33", 2, &["--cidr", "10.0.0.0/33", "2001:db8::/32"]);
    refuses("$BIN/tcplife --cidr localhost", 2, &["--cidr", "localhost"]);
    refuses("$BIN/tcplife --family 5", 2, &["--family", "5"]);
    refuses("$BIN/tcplife --max-open 0", 2, &["--max-open", "0"]);
    refuses("$BIN/tcplife --port $(seq -s, 33)", 2, &["--port", "32"]);
    refuses("$BIN/sockls --state closed", 2, &["--state closed", "INTERVAL"]);
    refuses("$BIN/sockls --state open", 2, &["--state", "open"]);
    refuses("$BIN/sockls --proto ip", 2, &["--proto", "ip"]);
    refuses("$BIN/sockls --listen --state closed 1", 2, &["--listen", "--state"]);
    refuses("$BIN/sockls --host x", 2, &["--resolve"]);
    refuses("$BIN/sockls --netns no-such-namespace", 2, &["--netns", "/run/netns/no-such-namespace"]);
    refuses("$BIN/sockls --sum fd", 2, &["--sum", "fd"]);
    refuses("$BIN/sockls --services /there/is/none", 2, &["--services", "/there/is/none", "No such file"]);
    refuses("$BIN/sockls --services <(echo 80 http)", 2, &["--services", ":1: ", "port = name"]);
    refuses("$BIN/sockls --max-open 0 1", 2, &["--max-open", "0"]);
    refuses("$BIN/sockls --max-closed 1048577 1", 2, &["--max-closed", "1048577"]);
    refuses("$BIN/biolat --disk no-such-disk", 2, &["--disk", "no-such-disk", "/sys/block"]);
    refuses("$BIN/biolat --disk /dev/null", 2, &["--disk", "/dev/null", "not a disk's device"]);
    refuses("$BIN/vfsstat --by app", 2, &["--apps"]);
    let groups = tempfile::NamedTempFile::new().expect("a file");
    refuses(&format!("$BIN/vfsstat --apps {}", groups.path().display()), 2, &["--apps is for --by app"]);
    refuses("$BIN/vfsstat --by app --apps /there/is/none", 2, &["/there/is/none", "No such file"]);
    // What might never end is refused at once.
    let dir = tempfile::tempdir().expect("a directory");
    let fifo = dir.path().join("fifo");
    let fifo = fifo.display();
    for (path, kind) in
        [(fifo.to_string(), "a FIFO"), ("/dev/zero".into(), "a device"), ("/etc".into(), "a folder")]
    {
        let line = format!("[ -p {fifo} ] || mkfifo {fifo}; timeout 60 $BIN/vfsstat --by app --apps {path}");
        refuses(&line, 2, &[&path, kind, "not a file"]);
    }
    let mistaken = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(mistaken.path(), "# groups\n\nweb: nginx\nsql postgres\n").expect("a file");
    let (path, line) = (mistaken.path().display(), format!("{}:4: no colon", mistaken.path().display()));
    refuses(&format!("$BIN/biolat --by app --apps {path}"), 2, &[&line]);
    refuses("$BIN/proclife --top 3", 2, &["--by"]);
    for top in ["0", "-3", "4294967296", "18446744073709551615"] {
        refuses(&format!("$BIN/proclife --by comm --top={top}"), 2, &["--top"]);
    }
    for room in ["0", "1048577", "4294967296"] {
        refuses(&format!("$BIN/proclife --by comm --map-size {room}"), 2, &["--map-size"]);
    }
    for slow in ["NaN", "1e400", ""] {
        refuses(&format!("$BIN/syncsnoop --events --min-us '{slow}'"), 2, &["--min-us"]);
    }
}

#[test]
fn what_is_not_there() {
    if !can_run() {
        return;
    }
    let mount = cgroup::mount();
    let (of_tasks, others) = TOOLS.into_iter().partition::<Vec<_>, _>(|tool| *tool != "irqlat");
    for tool in of_tasks {
        refuses(&format!("$BIN/{tool} --cgroup no/such/group"), 2, &["no/such/group", "no such cgroup"]);
        refuses(&format!("$BIN/{tool} --cgroup /etc"), 2, &["/etc"]);
        refuses(&format!("$BIN/{tool} --cgroup {}/cgroup.procs", mount.display()), 2, &["cgroup.procs"]);
        // A process that has exited and been reaped.
        refuses(&format!("true & wait $!; $BIN/{tool} -p $!"), 2, &["no such process"]);
        refuses(&format!("$BIN/{tool} -p 4194305"), 2, &["4194305", "no such process"]);
        refuses(&format!("$BIN/{tool} -p 0"), 2, &["0", "no such process"]);
        refuses(&format!("$BIN/{tool} -p 4294967296"), 2, &["4294967296"]);
        let long = "the kernel keeps 15 bytes of a name: 'sixteen-bytes-x'";
        refuses(&format!("$BIN/{tool} --comm sh,sixteen-bytes-xx"), 2, &["--comm", long, "--help"]);
        let unknown = "no such user in /etc/passwd: give its number";
        refuses(&format!("$BIN/{tool} --user root,no-such-user"), 2, &["--user", unknown, "--help"]);
        refuses(&format!("$BIN/{tool} --user 4294967295"), 2, &["--user", "4294967295"]);
        // Of those that compare names in the kernel.
        if !["sockls", "mapstat"].contains(&tool) {
            refuses(
                &format!("$BIN/{tool} --comm 'k*r'"),
                2,
                &["--comm 'k*r'", "* can only stand at the end"],
            );
        }
    }
    // An interrupt belongs to no process.
    for (tool, filter) in others
        .iter()
        .flat_map(|tool| ["-p 1", "--cgroup /", "--comm sh", "--user 0"].map(|filter| (tool, filter)))
    {
        refuses(&format!("$BIN/{tool} {filter}"), 2, &["--comm and --user", "no process", "--help"]);
    }
}

#[test]
fn stdout_that_cannot_be_written_to() {
    if !can_run() {
        return;
    }
    refuses("$BIN/proclife -q -o json 0.1 3 >/dev/full", 1, &["stdout"]);
    refuses("$BIN/biolat -q -o csv 0.1 3 >/dev/full", 1, &["stdout"]);
}
