//! Names with any bytes in records of all forms.

use std::io::Read;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tests::cgroup::Cgroup;
use tests::programs::built;
use tests::tool::is_attached;
use tests::wait::{For, until};
use tests::workload::Workload;
use tests::{can_run, lock};

/// Queries of the part `names`.
const QUERIES: usize = 19;

/// Each query is a line of printable characters, whatever its name is.
#[test]
fn no_name_breaks_a_line_or_a_table() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let cgroup = Cgroup::new();
    let start = |form: &str| {
        let mut command = Command::new(built("dnslat"));
        command.args(["-q", "--events", "-o", form, "--cgroup", cgroup.path()]);
        command.stdout(Stdio::piped()).spawn().expect("the tool starts")
    };
    let mut tools = ["json", "csv", "table"].map(start);
    for tool in &tools {
        until(For::Attach, "dnslat", || is_attached(tool.id()).then_some(()));
    }
    Workload::run(&["dns", "--parts", "names", "--cgroup", cgroup.path()]);
    let mut lines = Vec::new();
    for tool in &mut tools {
        // It prints what it has seen before it ends.
        kill_process(Pid::from_child(tool), Signal::INT).expect("the tool runs");
        let mut text = String::new();
        tool.stdout.take().expect("piped").read_to_string(&mut text).expect("UTF-8");
        assert!(tool.wait().expect("it ends").success());
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        lines.push(text.lines().map(str::to_string).collect::<Vec<_>>());
    }
    let [json, csv, table] = <[_; 3]>::try_from(lines).expect("three");
    // CSV has one line of names, a table two.
    assert_eq!([json.len(), csv.len(), table.len()], [QUERIES, QUERIES + 1, QUERIES + 2]);
    let name = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).expect("JSON");
        record["name"].as_str().expect("a name").to_string()
    };
    let names: Vec<_> = json.iter().map(|line| name(line)).collect();
    assert!(names.iter().all(|name| name.bytes().all(|byte| (0x21..0x7f).contains(&byte))), "{names:?}");
    assert!(names.contains(&r#"\010{"a":1}\013\027[31m,;.ok"#.to_string()), "{names:?}");
    assert!(names.iter().any(|name| name.len() == 253), "{names:?}");
    // In a table the name is the last word.
    let last: Vec<_> = table[2..].iter().filter_map(|line| line.split(' ').next_back()).collect();
    assert_eq!(last, names);
    let mut reader = csv::Reader::from_reader(csv.join("\n").into_bytes().leak() as &[u8]);
    let at = reader.headers().expect("names").iter().position(|name| name == "name").expect("a column");
    let fields: Vec<_> = reader.records().map(|record| record.expect("a record")[at].to_string()).collect();
    assert_eq!(fields, names);
}
