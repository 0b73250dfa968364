//! Diagnosis of refusals by the kernel: one line that names the cause and the remedy, and a status
//! for scripts.

use tests::can_run;
use tests::kernel::{self, Allows};
use tests::programs::TOOLS;
use tests::refusal::{refuses, run};

/// Every tool, and what takes another way before it attaches.
fn command_lines() -> impl Iterator<Item = &'static str> {
    TOOLS.into_iter().chain(["proclife --events", "biolat --overhead"])
}

/// With a seccomp filter that refuses these calls with this error.
fn confined(calls: &str, errno: &str, line: &str) -> String {
    format!("$BIN/workload confine --deny {calls} --errno {errno} -- $BIN/{line}")
}

/// In a mount namespace of its own, after these preparations.
fn unshared(prepare: &str, line: &str) -> String {
    format!("unshare --mount bash -c '{prepare} && exec '\"$BIN/{line}\"")
}

/// With everything in `/sys/kernel` hidden except the kernel's BTF.
const ONLY_TYPES: &str = "mkdir /tmp/types.$$ && mount --bind /sys/kernel/btf /tmp/types.$$ && \
    mount -t tmpfs none /sys/kernel && mkdir /sys/kernel/btf && mount --move /tmp/types.$$ /sys/kernel/btf && \
    rmdir /tmp/types.$$";
/// With tracefs unmounted, but its mount point present.
const NO_TRACEFS: &str = "mount -t tmpfs none /sys/kernel/tracing && if [ -d /sys/kernel/debug/tracing ]; \
    then mount -t tmpfs none /sys/kernel/debug; fi";

/// The hooks that proclife skips without tracepoints of system calls. Failing forks can also be
/// seen by a function, if it can be traced.
fn without_tracepoints() -> &'static [&'static str] {
    match kernel::allows("fentry") {
        Allows::Yes => &["exec_errors"],
        Allows::Not { .. } => &["fork_errors", "exec_errors"],
    }
}

#[test]
fn a_kernel_without_tracefs() {
    if !can_run() {
        return;
    }
    let tracepoints = "vfsstat --attach tracepoint 0.1 1";
    refuses(&unshared(ONLY_TYPES, tracepoints), 3, &["no /sys/kernel/tracing", "CONFIG_FTRACE=y"]);
    // A tool for which it is optional prints a note and runs.
    let (code, out, stderr) = run(&unshared(ONLY_TYPES, "proclife -o json 0.1 2"));
    assert_eq!((code, out.lines().count()), (Some(0), 2), "{stderr:?}");
    for hook in without_tracepoints() {
        let skips = |line: &&String| line.contains(&format!("skips optional hook {hook}"));
        assert!(stderr.iter().find(skips).is_some_and(|line| line.contains("CONFIG_FTRACE")), "{stderr:?}");
    }
}

#[test]
fn tracefs_that_is_not_mounted() {
    if !can_run() {
        return;
    }
    // Root mounts it, with a note.
    let (code, _, stderr) = run(&unshared(NO_TRACEFS, "vfsstat --attach tracepoint 0.1 1"));
    assert_eq!(code, Some(0), "{stderr:?}");
    assert!(stderr[0].contains("mounted tracefs at /sys/kernel/tracing"), "{stderr:?}");
    // Without permission, the message has the remedy.
    let tracer = "setpriv --bounding-set=-sys_admin -- $BIN/vfsstat --attach tracepoint 0.1 1";
    let parts = [
        "tracefs is not mounted",
        "Operation not permitted",
        "as root",
        "mount -t tracefs tracefs /sys/kernel/tracing",
    ];
    refuses(&format!("unshare --mount bash -c '{NO_TRACEFS} && exec {tracer}'"), 4, &parts);
}

#[test]
fn a_filter_that_refuses_bpf() {
    if !can_run() {
        return;
    }
    for errno in ["EPERM", "ENOSYS"] {
        for tool in command_lines() {
            let line = confined("bpf,perf_event_open", errno, tool);
            let parts = ["seccomp filter", "bpf(2)", errno, "allow bpf and perf_event_open", "container"];
            refuses(&line, 4, &parts);
        }
    }
    refuses(&confined("bpf", "EPERM", "vfsstat --check"), 4, &["seccomp filter", "bpf(2)"]);
}

#[test]
fn a_filter_that_refuses_perf_events() {
    if !can_run() {
        return;
    }
    for errno in ["EPERM", "ENOSYS"] {
        let line = confined("perf_event_open", errno, "vfsstat --attach tracepoint 0.1 1");
        let parts = ["seccomp filter", "perf_event_open(2)", errno, "allow bpf and perf_event_open"];
        refuses(&line, 4, &parts);
        if std::path::Path::new("/sys/bus/event_source/devices/kprobe").exists() {
            refuses(&confined("perf_event_open", errno, "vfsstat --attach kprobe 0.1 1"), 4, &parts);
        }
        let (code, out, stderr) = run(&confined("perf_event_open", errno, "proclife -o json 0.1 2"));
        assert_eq!((code, out.lines().count()), (Some(0), 2), "{stderr:?}");
        for hook in without_tracepoints() {
            let skips = |line: &&String| line.contains(&format!("skips optional hook {hook}"));
            assert!(stderr.iter().find(skips).is_some_and(|line| line.contains("seccomp")), "{stderr:?}");
        }
        // Typed tracepoints only need bpf(2) for attaching.
        let (code, _, stderr) = run(&confined("perf_event_open", errno, "biolat -q -o json 0.1 2"));
        assert_eq!((code, stderr.len()), (Some(0), 0), "{stderr:?}");
    }
}

#[test]
fn root_in_a_user_namespace() {
    if !can_run() {
        return;
    }
    for tool in command_lines() {
        refuses(&format!("unshare --user --map-root-user $BIN/{tool}"), 4, &["user namespace", "outside"]);
    }
}

#[test]
fn statistics_without_the_right_to_them() {
    if !can_run() {
        return;
    }
    let line = "setpriv --bounding-set=-sys_admin $BIN/biolat --overhead 0.1 1";
    refuses(line, 4, &["--overhead", "CAP_SYS_ADMIN"]);
}

#[test]
fn too_little_memory_may_be_locked() {
    if !can_run() {
        return;
    }
    let line = |tool| format!("ulimit -l 64; setpriv --bounding-set=-sys_resource $BIN/{tool} -o json 0.1 1");
    for tool in ["proclife", "biolat", "vfsstat"] {
        if kernel::release() < (5, 11) {
            let parts = ["RLIMIT_MEMLOCK", "64 KiB", "ulimit -l", "LimitMEMLOCK=", "CAP_SYS_RESOURCE"];
            refuses(&line(tool), 4, &parts);
        } else {
            assert_eq!(run(&line(tool)).0, Some(0), "the kernel counts it elsewhere");
        }
    }
}

#[test]
fn a_paranoid_kernel() {
    if !can_run() {
        return;
    }
    // Distribution kernels that require more than mainline does.
    let tracer = "ulimit -l unlimited; setpriv --bounding-set=-sys_admin";
    let line = format!("{tracer} $BIN/vfsstat --attach tracepoint 0.1 1");
    let level = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap_or_default();
    if level.trim() == "3" {
        refuses(&line, 4, &["kernel.perf_event_paranoid is 3", "CAP_SYS_ADMIN", "perf_event_paranoid=2"]);
    } else {
        assert_eq!(run(&line).0, Some(0));
    }
}

#[test]
fn a_kernel_that_lets_no_function_be_watched_is_not_taken_for_something_else() {
    if !can_run() {
        return;
    }
    let (code, out, stderr) = run("$BIN/vfsstat --attach fentry 0.1 1");
    match code {
        Some(0) => assert_eq!(out.lines().count(), 1),
        Some(4) => {
            assert_eq!((out.as_str(), stderr.len()), ("", 1), "{stderr:?}");
            assert!(
                stderr[0].contains("not permitted to load: this kernel refuses function tracing"),
                "{stderr:?}"
            );
        }
        other => panic!("{other:?}: {stderr:?}"),
    }
}
