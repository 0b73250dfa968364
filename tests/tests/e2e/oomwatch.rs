//! oomwatch against kills of known processes for known limits.
#![allow(clippy::expect_used, reason = "tests")]

use jiff::Timestamp;
use serde_json::{Value, json};
use tests::caller_timing::reported_by;
use tests::hog::{Known, PAGE, Place, of_victim};
use tests::kernel;
use tests::records::{count, parse, sum};
use tests::tool::Tool;
use tests::{can_run, lock, memcg, programs};

const LIMIT: u64 = 64 << 20;
/// More pages than the limit allows.
const TOO_MANY: &str = "32768";
/// Memory charged to a cgroup that is not anonymous memory of a process: up to 64 pages per
/// processor charged ahead (MEMCG_CHARGE_BATCH), here of two; page tables, 132 KiB for the limit;
/// the kernel's objects for the process, its stack and mappings; and pages of its program's file
/// that it touched first.
const BESIDE: u64 = 2 << 20;
/// Pages that may be free below the limit when the kernel kills: mem_cgroup_out_of_memory() checks
/// again before it kills, and an allocation of more than 8 pages causes no kill; but pages that a
/// processor charged ahead may be returned just then, up to 64 (MEMCG_CHARGE_BATCH).
fn left() -> u64 {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    (8 + 64 * cpus) * PAGE
}

/// How the cause of a kill can be identified here.
fn kinds() -> impl Iterator<Item = &'static str> {
    ["fentry", "kprobe", "btf"].into_iter().filter(|kind| kernel::allows_or_refuses("oomwatch", kind))
}

fn watch(options: &[&str]) -> Tool {
    Tool::start("oomwatch", &[&["-q"], options].concat())
}

/// Waits for the records of this many kills, stops the tool, and returns all records.
fn kills_reported(tool: Tool, kills: usize) -> Vec<Value> {
    tool.until("the kills", |records| records.len() >= kills);
    let (records, lost) = reported_by(tool);
    // Where programs can be preempted, other events may be lost, but the records of all kills are
    // present.
    assert!(lost == 0 || kernel::preempts_programs(), "{lost} lost on {}", kernel::name());
    assert_eq!(records.len(), kills, "{records:?}");
    records
}

fn is_for_the_limit(record: &Value, memcg: &str) {
    assert_eq!((&record["scope"], &record["memcg"]), (&json!("memcg"), &json!(memcg)), "{record}");
    assert_eq!(record["limit_bytes"], LIMIT, "{record}");
    let usage = count(record, "usage_bytes");
    assert!(usage > LIMIT - left() && usage <= LIMIT, "{record}");
}

#[test]
fn a_process_that_reaches_its_limit() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    for kind in kinds() {
        let place = Place::new(LIMIT);
        let tool = watch(&["--attach", kind, "--cgroup", place.cgroup()]);
        let options =
            ["--name", "hog", "--uid", "12345", "--score", "7", "--anon", TOO_MANY, "--mapped", "--wait"];
        let before = Timestamp::now();
        let mut hog = place.hog(&options);
        hog.until_says("ready");
        let known = Known::of(hog.id());
        let at = Timestamp::now();
        hog.go_on();
        let pid = hog.id();
        hog.killed();
        let lasted = Timestamp::now().duration_since(before).as_secs_f64();
        let [record] = &kills_reported(tool, 1)[..] else { unreachable!("counted") };

        is_for_the_limit(record, &place.memcg.name());
        assert_eq!((&record["pid"], &record["comm"]), (&json!(pid), &json!("hog")), "{record}");
        assert_eq!((&record["uid"], &record["oom_score_adj"]), (&json!(12_345), &json!(7)));
        assert_eq!((&record["trigger_pid"], &record["trigger_comm"]), (&json!(pid), &json!("hog")));
        // It joined the memory cgroup, which may also be a v2 one, after the tool read its cgroup.
        let cgroup = if memcg::is_v2() { place.memcg.name() } else { known.cgroup.clone() };
        assert_eq!((&record["cgroup"], count(record, "rss_shmem_bytes")), (&json!(cgroup), known.shmem));
        let (anon, usage) = (count(record, "rss_anon_bytes"), count(record, "usage_bytes"));
        // Memory from before it joined is charged elsewhere.
        assert!(anon > usage - BESIDE && anon <= usage + known.anon, "{known:?}: {record}");
        let ts: Timestamp = record["ts"].as_str().and_then(|ts| ts.parse().ok()).expect("a time");
        assert!(ts >= at && ts <= Timestamp::now(), "{record}");
        let age = record["age_s"].as_f64().expect("a number");
        assert!(age > 0.0 && age <= lasted, "{age} of {lasted}");
        assert_eq!(place.memcg.kills(), 1, "the kernel's own account");
    }
}

#[test]
fn a_kill_that_another_cgroup_causes_names_the_trigger() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    for kind in kinds() {
        let parent = memcg::Memcg::new(Some(LIMIT));
        let (large, small) = (parent.child(), parent.child());
        let tool = watch(&["--attach", kind]);
        let victim =
            ["--name", "large", "--score", "1000", "--anon", "9001", "--shmem", "101", "--lock", "--hold"];
        let mut victim = tests::hog::start(&[&["--memcg", large.path()], &victim[..]].concat());
        victim.until_says("held");
        let known = Known::of(victim.id());
        let asks = ["--name", "small", "--anon", "8009"];
        let trigger = tests::hog::start(&[&["--memcg", small.path()], &asks[..]].concat());
        let (pid, trigger_pid) = (victim.id(), trigger.id());
        victim.killed();
        // There is memory for it now. But the victim's memory is only freed a moment after the
        // kernel has marked it as dead (exit_mmap of mm/mmap.c), and a process that allocates just
        // then is the next victim.
        let records = kills_reported(tool, if trigger.survives() { 1 } else { 2 });
        let [record] = of_victim(&records, pid)[..] else { panic!("{records:?}") };

        is_for_the_limit(record, &parent.name());
        assert_eq!((&record["comm"], &record["oom_score_adj"]), (&json!("large"), &json!(1000)));
        assert_eq!((&record["trigger_pid"], &record["trigger_comm"]), (&json!(trigger_pid), &json!("small")));
        assert_eq!(record["cgroup"], json!(known.cgroup), "{record}");
        // Exact to the page: none of it could be reclaimed, and the process has one thread.
        let [anon, file, shmem, tables] =
            ["rss_anon_bytes", "rss_file_bytes", "rss_shmem_bytes", "pgtables_bytes"]
                .map(|field| count(record, field));
        assert_eq!((anon, file, shmem), (known.anon, known.file, known.shmem), "{known:?}");
        assert!(anon >= 9_001 * PAGE && shmem >= 101 * PAGE && tables == known.tables, "{known:?}: {record}");
    }
}

#[test]
fn a_process_of_many_threads_dies_once() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let place = Place::new(LIMIT);
    let tool = watch(&["--cgroup", place.cgroup()]);
    // Threads that allocate while the process is dying are marked, too.
    let hog = place.hog(&["--name", "hog", "--threads", "16", "--anon", TOO_MANY]);
    let pid = hog.id();
    hog.killed();
    let records = kills_reported(tool, 1);
    assert_eq!((&records[0]["pid"], &records[0]["comm"]), (&json!(pid), &json!("hog")));
    is_for_the_limit(&records[0], &place.memcg.name());
}

#[test]
fn a_group_that_is_killed_together() {
    if !can_run() {
        return;
    }
    if !memcg::is_v2() {
        assert!(kernel::of_guest().is_none(), "guests have cgroup v2");
        return;
    }
    let _machine = lock::machine();
    for kind in kinds() {
        let place = Place::new(LIMIT);
        place.memcg.kill_as_a_group();
        let tool = watch(&["--attach", kind, "--cgroup", place.cgroup()]);
        let holds = ["--name", "small", "--anon", "257", "--hold"];
        let mut others = [place.hog(&holds), place.hog(&holds)];
        others.iter_mut().for_each(|other| other.until_says("held"));
        let hog = place.hog(&["--name", "large", "--anon", TOO_MANY]);
        let pids = [hog.id(), others[0].id(), others[1].id()];
        hog.killed();
        others.into_iter().for_each(|other| other.killed());
        let records = kills_reported(tool, 3);
        // The chosen victim is reported first.
        assert_eq!((&records[0]["pid"], &records[0]["comm"]), (&json!(pids[0]), &json!("large")));
        for pid in pids {
            let [record] = of_victim(&records, pid)[..] else { panic!("{records:?}") };
            is_for_the_limit(record, &place.memcg.name());
            assert_eq!(record["trigger_pid"], json!(pids[0]), "{record}");
        }
        assert!(records.windows(2).all(|two| two[0]["usage_bytes"] == two[1]["usage_bytes"]));
    }
}

#[test]
fn filters_and_counts_are_about_victims() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let places = [Place::new(LIMIT), Place::new(LIMIT)];
    let mut hogs =
        [0, 1].map(|n| places[n].hog(&["--name", ["one", "two"][n], "--anon", TOO_MANY, "--wait"]));
    hogs.iter_mut().for_each(|hog| hog.until_says("ready"));
    let pids = [hogs[0].id(), hogs[1].id()];
    let [first, second] = [hogs[0].pid(), hogs[1].pid()];
    let both = ["-p", first.as_str(), "-p", second.as_str()];
    let of_cgroup = watch(&["--cgroup", places[0].cgroup(), "--events"]);
    let of_process = watch(&["-p", &second]);
    let groups = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(groups.path(), "first: on*\nsecond: t*o\n").expect("a file");
    let apps = ["--by", "app", "--apps", groups.path().to_str().expect("UTF-8")];
    let others: [&[&str]; 3] = [&["--by", "thread"], &["--by", "parent"], &apps];
    // At once: attaching mostly waits for grace periods.
    let [thread, parent, app] = std::thread::scope(|scope| {
        let started = others.map(|by| scope.spawn(move || watch(&[&both[..], by, &["600"]].concat())));
        started.map(|tool| tool.join().expect("it attaches"))
    });
    let by = ["process", "comm", "cgroup"].map(|by| watch(&[&both[..], &["--by", by, "600"]].concat()));
    let full = watch(&[&both[..], &["--by", "process", "--map-size", "1", "600"]].concat());
    let system = watch(&[&both[..], &["600"]].concat());
    for mut hog in hogs {
        hog.go_on();
        hog.killed();
    }
    assert_eq!(kills_reported(of_cgroup, 1)[0]["pid"], json!(pids[0]));
    assert_eq!(kills_reported(of_process, 1)[0]["pid"], json!(pids[1]));

    let system = system.interrupt().records;
    assert_eq!((system.len(), count(&system[0], "kills"), count(&system[0], "lost")), (1, 2, 0));
    let [process, comm, cgroup] = by.map(|tool| tool.interrupt().records);
    let kills = |records: &[Value], field: &str| {
        let mut all: Vec<_> =
            records.iter().map(|one| (one[field].to_string(), count(one, "kills"))).collect();
        all.sort();
        all
    };
    let each = |mut names: Vec<String>| {
        names.sort();
        names.into_iter().map(|name| (name, 1)).collect::<Vec<_>>()
    };
    assert_eq!(kills(&process, "pid"), each(pids.map(|pid| pid.to_string()).to_vec()));
    assert_eq!(kills(&process, "comm"), each(vec![r#""one""#.into(), r#""two""#.into()]));
    assert_eq!(kills(&comm, "comm"), each(vec![r#""one""#.into(), r#""two""#.into()]));
    let path = |place: &Place| format!("{:?}", tests::cgroup::name(place.cgroup()));
    assert_eq!(kills(&cgroup, "cgroup"), each(places.iter().map(path).collect()));
    let [thread, parent, app] = [thread, parent, app].map(|tool| tool.interrupt().records);
    assert_eq!(kills(&thread, "tid"), each(pids.map(|pid| pid.to_string()).to_vec()));
    assert_eq!(kills(&parent, "ppid"), [(std::process::id().to_string(), 2)]);
    assert_eq!(kills(&app, "app"), each(vec![r#""first""#.into(), r#""second""#.into()]));
    let full = full.interrupt().records;
    assert_eq!((full.len(), sum(&full, "kills"), sum(&full, "lost")), (1, 1, 1), "{full:?}");
}

#[test]
fn an_idle_interval_has_a_record() {
    if !can_run() {
        return;
    }
    let place = Place::new(LIMIT);
    let tool = programs::built("oomwatch");
    let args = ["-q", "--cgroup", place.cgroup(), "--by", "comm", "0.1", "3"];
    let records = parse(&programs::succeed(tool.to_str().expect("UTF-8"), &args));
    assert_eq!(records.len(), 3);
    for record in records {
        assert!(record["comm"].is_null(), "{record}");
        assert_eq!((count(&record, "kills"), count(&record, "lost")), (0, 0));
    }
}
