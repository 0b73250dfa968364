//! A case at work: its tools watch three processes in two cgroups that do the same.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use tests::block_trace::Collector;
use tests::cgroup::Cgroup;
use tests::disk::Disk;
use tests::kernel;
use tests::tool::Tool;
use tests::workload::Workload;

use super::cases::Case;

/// The distance in bytes between the areas of a disk that two processes use.
const PLACE: usize = 4 << 20;

/// A running case: its tools, each with another kind of owner, and the place of its work.
pub struct Watched {
    pub case: &'static Case,
    pub scratch: TempDir,
    pub disk: Option<Disk>,
    /// The disk's requests that no BPF program can observe; in a guest there are none.
    pub collector: Option<Collector>,
    pub cgroups: [Cgroup; 2],
    pub tools: Vec<(&'static str, Tool)>,
    // Last: its children must be removed first.
    pub parent: Cgroup,
}

/// Starts the tools of a case at once: attaching mostly waits for grace periods.
pub fn watch(
    case: &'static Case,
    on: &Path,
    kind: &str,
    bys: &[&'static str],
    room: &str,
    interval: Option<&str>,
) -> Watched {
    let groups = on.join("groups");
    std::fs::write(&groups, "none: nobody\nworkers: workl* # all three\n").expect("a file");
    let groups = groups.to_str().expect("UTF-8");
    let scratch = tempfile::tempdir_in(on).expect("a directory");
    let (disk, collector) = disk_of(case);
    let parent = Cgroup::new();
    let cgroups = [parent.child(), parent.child()];
    let start = |by: &'static str| {
        let filter: &[&str] = match by {
            "app" => &["--by", by, "--apps", groups],
            "top" => &["--by", "process", "--top", "1"],
            _ => &["--by", by],
        };
        let common = ["--cgroup", parent.path(), "--attach", kind, "--map-size", room, "-q"];
        let interval = [interval.unwrap_or(case.interval)];
        Tool::start(case.tool, &[&common[..], filter, case.options, &interval].concat())
    };
    // `--top` uses the same code in all tools: testing one is sufficient.
    let bys = bys.iter().filter(|by| **by != "top" || case.tool == "vfsstat");
    let tools = std::thread::scope(|scope| {
        let started: Vec<_> = bys.map(|by| (*by, scope.spawn(|| start(by)))).collect();
        started.into_iter().map(|(by, tool)| (by, tool.join().expect("it attaches"))).collect()
    });
    Watched { case, scratch, disk, collector, cgroups, tools, parent }
}

/// The disk that the work of a case needs, with room for four processes, and what tells of its requests that no BPF program
/// can observe.
pub fn disk_of(case: &Case) -> (Option<Disk>, Option<Collector>) {
    let disk = case.work.contains(&"DISK").then(|| Disk::over_file(16));
    let seen = disk.as_ref().filter(|_| kernel::of_guest().is_none());
    let collector = seen.map(|disk| Collector::start(&disk.name));
    (disk, collector)
}

/// A process that is about to do the work of a case in a cgroup, the one of this number, in a directory of its own in
/// `scratch`; with more options.
pub fn worker(
    case: &Case,
    scratch: &Path,
    disk: Option<&Disk>,
    number: usize,
    cgroup: &Cgroup,
    more: &[&str],
) -> Workload {
    let disk = disk.map_or_else(String::new, Disk::path);
    let own = scratch.join(number.to_string());
    std::fs::create_dir_all(&own).expect("a directory");
    let own = own.to_str().expect("UTF-8");
    let filled = |words: &[&str]| -> Vec<String> {
        let place = (number * PLACE).to_string();
        let fill =
            |word: &str| word.replace("DIRECTORY", own).replace("DISK", &disk).replace("PLACE", &place);
        words.iter().map(|word| fill(word)).collect()
    };
    let (prepare, mut args) = (filled(case.prepare), filled(case.work));
    if !prepare.is_empty() {
        Workload::run(&prepare.iter().map(String::as_str).collect::<Vec<_>>());
    }
    args.extend([case.joins, cgroup.path(), "--wait"].iter().chain(more).map(ToString::to_string));
    let mut workload = Workload::start(&args.iter().map(String::as_str).collect::<Vec<_>>());
    workload.until_says("ready");
    workload
}

/// Runs the work of a case in three processes, two in the first cgroup and one in the second;
/// returns their ids and the lines that they printed.
pub fn work(watched: &Watched, at_once: bool) -> Vec<(u32, Vec<Value>)> {
    let Watched { case, scratch, disk, cgroups, .. } = watched;
    let of = [&cgroups[0], &cgroups[0], &cgroups[1]];
    let start = |(number, cgroup)| worker(case, scratch.path(), disk.as_ref(), number, cgroup, &[]);
    let mut started: Vec<_> = of.into_iter().enumerate().map(start).collect();
    if at_once {
        started.iter_mut().for_each(Workload::go_on);
    }
    started.into_iter().map(|workload| (workload.id(), workload.finish())).collect()
}
