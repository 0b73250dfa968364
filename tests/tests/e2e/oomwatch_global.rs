//! oomwatch when the whole machine is out of memory: how it protects itself, and that it survives.
#![allow(clippy::expect_used, reason = "tests")]

use std::fs;
use std::io::Write;

use serde_json::json;
use tests::hog::{self, PAGE, of_victim};
use tests::records::{count, sum};
use tests::tool::Tool;
use tests::{can_run, kernel, lock};

/// Reserves memory for huge pages, which no process uses.
const RESERVE: &str = "/proc/sys/vm/nr_hugepages";
const LARGE_PAGE: u64 = 2 << 20;
/// The memory that remains.
const LEFT: u64 = 256 << 20;

/// The flags of a process's mappings whose file or name ends with this.
fn flags(pid: u32, end: &str) -> Vec<String> {
    let maps = fs::read_to_string(format!("/proc/{pid}/smaps")).expect("it runs");
    let mut of_it = false;
    let mut flags = Vec::new();
    for line in maps.lines() {
        // A mapping's first line begins with its addresses.
        if line.split(' ').next().is_some_and(|word| word.contains('-')) {
            of_it = line.ends_with(end);
        } else if of_it && line.starts_with("VmFlags:") {
            flags.push(format!("{line} "));
        }
    }
    flags
}

fn score(pid: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).expect("it runs").trim().to_string()
}

/// Whether this process may exclude another from the OOM killer.
fn may_protect() -> bool {
    const CAP_SYS_RESOURCE: u64 = 1 << 24;
    tests::bpf::capabilities(std::process::id(), "CapEff") & CAP_SYS_RESOURCE != 0
}

#[test]
fn it_keeps_its_memory_and_is_not_chosen() {
    if !can_run() {
        return;
    }
    let tool = Tool::start("oomwatch", &[]);
    for part in ["/oomwatch", "[heap]", "[stack]"] {
        let flags = flags(tool.pid(), part);
        assert!(!flags.is_empty() && flags.iter().all(|flags| flags.contains(" lo ")), "{part}: {flags:?}");
    }
    let score = score(&tool.pid().to_string());
    let stderr = tool.interrupt().stderr;
    if may_protect() {
        assert_eq!((score.as_str(), stderr.contains("protect itself")), ("-1000", false), "{stderr}");
    } else {
        assert!(stderr.contains("cannot protect itself") && stderr.contains("CAP_SYS_RESOURCE"));
    }
}

/// Reserved memory, released when dropped.
struct Reserved;

impl Reserved {
    fn all_but(left: u64) -> Self {
        let memory = fs::read_to_string("/proc/meminfo").expect("/proc/meminfo");
        let line = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:")).expect("its size");
        let available = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10;
        let pages = available.saturating_sub(left) / LARGE_PAGE;
        let reserved = Self;
        fs::write(RESERVE, pages.to_string()).expect("the kernel takes it");
        let got: u64 = fs::read_to_string(RESERVE).expect("a number").trim().parse().expect("a number");
        assert!(2 * got >= pages, "{got} of {pages} large pages");
        reserved
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let _ = fs::write(RESERVE, "0");
    }
}

/// Whether this machine is disposable.
fn may_run(otherwise: &str) -> bool {
    let may = kernel::of_guest().is_some();
    if !may {
        // Not eprintln: the test harness captures it.
        writeln!(std::io::stderr(), "not run here: it would {otherwise}").expect("stderr takes a line");
    }
    may
}

#[test]
fn a_kill_that_a_person_asks_for() {
    if !may_run("kill whatever is largest") {
        return;
    }
    let _machine = lock::machine();
    let tool = Tool::start("oomwatch", &["-q"]);
    let mut victim = hog::start(&["--name", "hog", "--score", "1000", "--anon", "257", "--hold"]);
    victim.until_says("held");
    fs::write("/proc/sysrq-trigger", "f").expect("root may");
    let pid = victim.id();
    victim.killed();
    tool.until("the kill", |records| !records.is_empty());
    let records = tool.interrupt().records;
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!((&record["pid"], &record["scope"]), (&json!(pid), &json!("sysrq")), "{record}");
    assert!(record["memcg"].is_null() && record["limit_bytes"].is_null(), "{record}");
    let trigger = record["trigger_comm"].as_str().expect("text");
    assert!(trigger.starts_with("kworker/"), "{record}");
}

#[test]
fn a_machine_without_memory() {
    if !may_run("take all memory of the machine") {
        return;
    }
    let _machine = lock::machine();
    for kind in ["fentry", "kprobe", "btf"] {
        let tool = Tool::start("oomwatch", &["-q", "--attach", kind]);
        // The tool protects itself; this program and its children must survive, too.
        fs::write("/proc/self/oom_score_adj", "-1000").expect("root may");
        let reserved = Reserved::all_but(LEFT);
        let pages = (4 * LEFT / PAGE).to_string();
        let victim = hog::start(&["--name", "hog", "--score", "1000", "--anon", &pages]);
        let pid = victim.id();
        victim.killed();
        tool.until("the kill", |records| !of_victim(records, pid).is_empty());
        drop(reserved);
        let ended = tool.interrupt();
        assert_eq!(sum(&ended.records, "lost"), 0, "{:?}", ended.records);
        let [record] = of_victim(&ended.records, pid)[..] else { panic!("{:?}", ended.records) };
        assert_eq!((&record["scope"], &record["comm"]), (&json!("global"), &json!("hog")), "{record}");
        assert!(
            ["memcg", "limit_bytes", "usage_bytes"].iter().all(|field| record[field].is_null()),
            "{record}"
        );
        assert_eq!(record["oom_score_adj"], 1000);
        // It used all memory: the rest are the kernel's reserves (vm.min_free_kbytes and per-CPU
        // lists) and some caches that could be reclaimed.
        let anon = count(record, "rss_anon_bytes");
        assert!(anon > LEFT / 2 && anon < 2 * LEFT, "{record}");
        assert!(count(record, "trigger_pid") > 0 && record["trigger_comm"] != "", "{record}");
    }
}
