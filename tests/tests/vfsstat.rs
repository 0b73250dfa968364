//! vfsstat against work whose numbers are known (`tests/src/bin/filework.rs`).

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use tests::cgroup::Cgroup;
use tests::records::sum;
use tests::tool::Tool;
use tests::{can_run, lock, programs, until};

/// What `filework` does, and what vfsstat must tell of it: 23 renames there and back and a failing one, and so on.
const EXPECTED: [(&str, u64); 22] = [
    ("reads", 4_099 + 17),
    ("read_bytes", (4_099 + 17) * 4_096),
    ("read_errors", 0),
    ("readvs", 17),
    ("writes", 2_053 + 13),
    ("write_bytes", 2_053 * 512 + 13 * 516),
    ("write_errors", 0),
    ("writevs", 13),
    ("opens", 101 + 401 + 37),
    ("open_errors", 37),
    ("creates", 101),
    ("unlinks", 101 + 3),
    ("unlink_errors", 3),
    ("mkdirs", 19 + 2),
    ("mkdir_errors", 2),
    ("rmdirs", 19 + 1),
    ("rmdir_errors", 1),
    ("renames", 2 * 23 + 1),
    ("rename_errors", 1),
    ("fsyncs", 211 + 5),
    ("fsync_errors", 0),
    ("lost", 0),
];

#[test]
fn known_work_is_counted_exactly() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let cgroup = Cgroup::new();
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory on a disk");
    let tool = Tool::start("vfsstat", &["--cgroup", cgroup.path(), "0.1"]);
    let mut work =
        Command::new(programs::built("filework")).arg(scratch.path()).spawn().expect("filework starts");
    let stat = format!("/proc/{}/stat", work.id());
    until("filework to stop", || fs::read_to_string(&stat).ok().filter(|stat| stat.contains(") T ")));
    fs::write(Path::new(cgroup.path()).join("cgroup.procs"), work.id().to_string())
        .expect("the cgroup takes it");
    kill_process(Pid::from_child(&work), Signal::CONT).expect("filework is there");
    assert!(work.wait().expect("filework ends").success());
    let before = tool.records().len();
    until("a whole interval", || (tool.records().len() > before + 1).then_some(()));
    let records = tool.interrupt().records;
    let told = EXPECTED.map(|(field, _)| (field, sum(&records, field)));
    assert_eq!(told, EXPECTED);
}
