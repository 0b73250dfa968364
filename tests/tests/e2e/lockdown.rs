//! A kernel in lockdown: the tools do what is still possible, and otherwise print why it is not.
//!
//! Lockdown lasts until the next boot. This test therefore runs only in a disposable guest of
//! `scripts/vm-test`, as the last one.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use serde_json::Value;
use tests::caller_timing::reported_by;
use tests::doctor::{Told, first_statuses};
use tests::programs::TOOLS;
use tests::records::sum;
use tests::refusal::{refuses, run};
use tests::tool::Tool;
use tests::user::Programs;
use tests::wait::{For, until};
use tests::{can_run, kernel};

const LOCKDOWN: &str = "/sys/kernel/security/lockdown";
/// What the doctor is asked about.
const DIAGNOSED: [&str; 3] = ["biolat", "dcstat", "swapstat"];

/// The records of the two ends of a connection, both with an owner.
fn both_ends(records: &[Value]) -> Option<[Value; 2]> {
    let other = |one: &Value| {
        let mirrored = |other: &&Value| {
            [&one["local_port"], &one["remote_port"]] == [&other["remote_port"], &other["local_port"]]
        };
        records.iter().find(mirrored).cloned()
    };
    let owned = records.iter().filter(|end| !end["pid"].is_null());
    owned.filter_map(|one| Some([one.clone(), other(one)?])).find(|two| !two[1]["pid"].is_null())
}

#[test]
fn a_kernel_that_lets_no_program_read_its_memory() {
    if kernel::of_guest().is_none() {
        // Not eprintln: the test harness captures it.
        let why = "not run here: it would lock the kernel down until the next boot";
        return writeln!(std::io::stderr(), "{why}").unwrap_or_default();
    }
    if !can_run() {
        return;
    }
    // Of integrity, which is less, the tools see nothing.
    let lock = |level| fs::write(LOCKDOWN, level).unwrap_or_else(|error| panic!("{LOCKDOWN}: {error}"));
    // Each of its tools attaches, which takes seconds in a guest: three of them, each of another sort.
    let programs = Programs::of(&DIAGNOSED);
    let mux = programs.folder().to_string() + "/ebpfmux";
    let doctor =
        || Told::by(Command::new(&mux).args(["--check", "-o", "json"]).env("PATH", programs.folder()));
    let before = first_statuses(DIAGNOSED);
    lock("integrity");
    let integrity = doctor();
    integrity.is_summed_up();
    assert_eq!(integrity.system["lockdown"], "integrity");
    assert_eq!(integrity.statuses(), before, "{:?}", integrity.tools);
    lock("confidentiality");
    let told = doctor();
    told.is_summed_up();
    assert_eq!((told.status, &told.system["lockdown"]), (Some(4), &"confidentiality".into()));
    for (tool, works) in [("biolat", "no"), ("dcstat", "no"), ("swapstat", "yes")] {
        assert_eq!(told.tools[tool]["works"], works, "{:?}", told.tools[tool]);
    }
    assert!(told.message("biolat").contains("locked down"), "{:?}", told.tools["biolat"]);
    let parts = ["the kernel is locked down (confidentiality)", "boot it with lockdown=integrity"];
    let refused = [
        "biolat",
        "biolat --overhead",
        "vfsstat",
        "vfsstat --attach fentry",
        "vfsstat --attach kprobe",
        "vfsstat --attach tracepoint",
        "dcstat",
        "dcstat --attach kprobe",
        "proclife --events",
        "cachestat --attach kprobe",
        "fslat --fs ext4 --attach tracepoint",
        "fslat --fs ext4 --attach kprobe --events",
        "oomwatch",
        "swapstat --by owner",
        "irqlat",
    ];
    for tool in refused {
        refuses(&format!("$BIN/{tool}"), 4, &parts);
    }
    // Counting needs only the events.
    let (code, out, stderr) = run("$BIN/proclife -o json 0.1 2");
    assert_eq!((code, out.lines().count(), stderr.len()), (Some(0), 2, 0), "{stderr:?}");
    // Programs that read memory through typed pointers only work, too.
    let working = ["cachestat -q", "fslat --fs ext4 --attach fentry", "tcplife --by comm", "swapstat"];
    for tool in working {
        let (code, out, stderr) = run(&format!("$BIN/{tool} -o json 0.1 2"));
        assert_eq!((code, stderr.len()), (Some(0), 0), "{stderr:?}");
        assert!(out.lines().count() >= 2, "{tool}");
    }
    // The other tools do one or the other.
    let named = |tool: &&str| {
        refused.iter().chain(&working).chain(&["proclife"]).any(|line| line.split(' ').next() == Some(*tool))
    };
    for tool in TOOLS.into_iter().filter(|tool| !named(tool)) {
        let (code, out, stderr) = run(&format!("$BIN/{tool} -q -o json 0.1 2"));
        match code {
            Some(0) => assert!(out.lines().count() >= 2, "{tool}: {out}"),
            _ => assert!(code == Some(4) && stderr[0].contains(parts[0]), "{tool}: {code:?} {stderr:?}"),
        }
    }
    // Connections are reported as without lockdown.
    let tool = Tool::start("tcplife", &["-p", &std::process::id().to_string()]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let connect = || {
        let mut client = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
        client.write_all(b"locked").expect("a buffer has room");
        let mut server = listener.accept().expect("a connection").0;
        server.read_exact(&mut [0; 6]).expect("six bytes");
    };
    // Retried, in case the kernel skipped a program.
    let ends = until(For::Record, "both ends of a connection", || {
        connect();
        tool.seen(both_ends)
    });
    assert_eq!([sum(&ends, "tx_bytes"), sum(&ends, "rx_bytes")], [6, 6], "{ends:?}");
    assert!(ends.iter().all(|end| end["pid"] == std::process::id()), "{ends:?}");
    reported_by(tool);
    // Where the system does not show lockdown, the verifier's log does.
    let line = format!("unshare --mount bash -c 'umount {} && exec '\"$BIN/biolat\"", "/sys/kernel/security");
    refuses(&line, 4, &parts);
}
