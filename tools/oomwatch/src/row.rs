//! The records of oomwatch.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use common::measure::top;
use common::output::Row;
use common::owner::ancestry::{Ancestry, Process};
use common::owner::{By, Options, Owner};
use schemars::JsonSchema;
use serde::Serialize;

/// The memory that was short, by the numbers of `enum oom_constraint` in the kernel, and two more of
/// `bpf/oomwatch/cause.h`: unknown, and none.
pub const SCOPES: [Option<&str>; 6] =
    [Some("global"), Some("cpuset"), Some("mempolicy"), Some("memcg"), None, Some("sysrq")];

/// A process that the OOM killer killed, at the time of the kill.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Kill {
    /// The victim: the process.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 7))]
    pub pid: u32,
    /// Its command name, at most 15 bytes: that of its first thread.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 15))]
    pub comm: String,
    /// Its real user id, in the initial user namespace.
    #[schemars(extend("x-kind" = "key", "x-rank" = 4))]
    pub uid: u32,
    /// Anonymous memory that it had in RAM, in bytes.
    #[schemars(extend("x-kind" = "value", "x-rank" = 2, "x-unit" = "bytes"))]
    pub rss_anon_bytes: u64,
    /// Pages of files that it had mapped, in bytes.
    #[schemars(extend("x-kind" = "value", "x-unit" = "bytes"))]
    pub rss_file_bytes: u64,
    /// Shared memory (tmpfs, shared anonymous mappings) that it had mapped, in bytes.
    #[schemars(extend("x-kind" = "value", "x-unit" = "bytes"))]
    pub rss_shmem_bytes: u64,
    /// Its page tables, in bytes.
    #[schemars(extend("x-kind" = "value", "x-unit" = "bytes"))]
    pub pgtables_bytes: u64,
    /// Its /proc/PID/oom_score_adj: -999 to 1000, the higher the sooner it is chosen.
    #[schemars(extend("x-kind" = "value", "x-rank" = 3))]
    pub oom_score_adj: i32,
    /// How long it had lived, in seconds.
    #[schemars(extend("x-kind" = "value", "x-unit" = "seconds"))]
    pub age_s: f64,
    /// Its cgroup v2, as /proc/PID/cgroup has it outside of cgroup namespaces.
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-cut" = "start"))]
    pub cgroup: String,
    /// Where memory was short: global (the machine), memcg (a memory cgroup's limit), cpuset or mempolicy (the memory
    /// nodes that the trigger may use); sysrq: nowhere, a person requested the kill (SysRq-f). Null where that could
    /// not be seen.
    #[schemars(extend("x-kind" = "key", "x-rank" = 2, "x-width" = 9, "enum" = ["global", "cpuset", "mempolicy", "memcg", "sysrq", null]))]
    pub scope: Option<&'static str>,
    /// The memory cgroup whose limit was reached, from the root of its hierarchy. Null for other scopes.
    #[schemars(extend("x-kind" = "key"))]
    pub memcg: Option<String>,
    /// Its limit (memory.max; v1: memory.limit_in_bytes), in bytes. Null where there is none.
    #[schemars(extend("x-kind" = "value", "x-rank" = 2, "x-unit" = "bytes"))]
    pub limit_bytes: Option<u64>,
    /// What it used then, with all cgroups below it, in bytes.
    #[schemars(extend("x-kind" = "value", "x-rank" = 3, "x-unit" = "bytes"))]
    pub usage_bytes: Option<u64>,
    /// The process whose request for memory triggered the kill.
    #[schemars(extend("x-kind" = "key", "x-rank" = 4))]
    pub trigger_pid: u32,
    /// The command name of the thread that made it.
    #[schemars(extend("x-kind" = "key", "x-rank" = 3, "x-width" = 15))]
    pub trigger_comm: String,
    /// Its parent, only for --by.
    #[serde(skip)]
    pub ppid: u32,
    /// The parent's command name.
    #[serde(skip)]
    pub parent: String,
}

impl Row for Kill {
    const EVENT: bool = true;
}

/// How many processes were killed in an interval.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Kills {
    /// The owner of the killed processes, with --by.
    #[serde(flatten)]
    pub owner: Owner,
    /// Processes that the OOM killer killed.
    #[schemars(extend("x-kind" = "counter", "x-rank" = 2, "x-alarm" = true))]
    pub kills: u64,
}

impl Row for Kills {}

/// The kills of an interval, by owner.
pub struct KillCounts {
    by: By,
    room: usize,
    top: Option<u32>,
    ancestry: Option<Ancestry>,
    kills: BTreeMap<Owner, u64>,
    lost: u64,
}

impl KillCounts {
    /// None yet.
    pub fn new(options: &Options) -> Self {
        let ancestry = options.apps.clone().map(Ancestry::new);
        let room = options.map_size as usize;
        Self { by: options.by, room, top: options.top, ancestry, kills: BTreeMap::new(), lost: 0 }
    }

    /// Counts a kill, or a loss if there was no room for another owner.
    pub fn add(&mut self, kill: Kill) {
        let owner = match self.by {
            By::System => Owner::default(),
            By::Process => Owner::process(kill.pid, kill.comm),
            // All threads of a process die: the first one stands for them.
            By::Thread => Owner::thread(kill.pid, kill.pid, kill.comm),
            By::Parent => Owner::parent(kill.ppid, kill.parent),
            By::App => {
                let victim = Process { comm: kill.comm, ppid: kill.ppid };
                Owner::app(self.ancestry.as_mut().map(|ancestry| ancestry.group(&victim)).unwrap_or_default())
            }
            By::Comm => Owner::comm(kill.comm),
            By::Cgroup | By::Owner => Owner::cgroup(kill.cgroup),
        };
        let full = self.kills.len() >= self.room;
        match self.kills.entry(owner) {
            Entry::Occupied(kills) => *kills.into_mut() += 1,
            Entry::Vacant(_) if full => self.lost += 1,
            Entry::Vacant(new) => drop(new.insert(1)),
        }
    }

    /// The records of the interval that ends, and the losses; a record with zeros if no process was
    /// killed. With --top those with the most kills, and the others together.
    pub fn take(&mut self) -> (Vec<Kills>, u64) {
        let kills = std::mem::take(&mut self.kills).into_iter();
        let mut rows: Vec<_> = kills.map(|(owner, kills)| Kills { owner, kills }).collect();
        top::keep_largest(
            &mut rows,
            self.top,
            |row| row.kills,
            |others| Kills { owner: Owner::others(self.by), kills: others.iter().map(|row| row.kills).sum() },
        );
        if let Some(ancestry) = &mut self.ancestry {
            ancestry.next(HashMap::new());
        }
        if rows.is_empty() {
            rows.push(Kills { owner: Owner::unknown(self.by), kills: 0 });
        }
        (rows, std::mem::take(&mut self.lost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kill(pid: u32, comm: &str, cgroup: &str) -> Kill {
        Kill {
            pid,
            comm: comm.to_string(),
            uid: 0,
            rss_anon_bytes: 0,
            rss_file_bytes: 0,
            rss_shmem_bytes: 0,
            pgtables_bytes: 0,
            oom_score_adj: 0,
            age_s: 0.0,
            cgroup: cgroup.to_string(),
            scope: None,
            memcg: None,
            limit_bytes: None,
            usage_bytes: None,
            trigger_pid: 0,
            trigger_comm: String::new(),
            ppid: 5,
            parent: "sh".to_string(),
        }
    }

    fn counted(by: By, room: u32, top: Option<u32>) -> (Vec<(Owner, u64)>, u64) {
        let mut counts = KillCounts::new(&Options { by, apps: None, top, map_size: room });
        for (pid, comm, cgroup) in [(1, "a", "/x"), (2, "a", "/y"), (3, "b", "/x")] {
            counts.add(kill(pid, comm, cgroup));
        }
        let (rows, lost) = counts.take();
        assert_eq!(counts.take().0, [Kills { owner: Owner::unknown(by), kills: 0 }]);
        (rows.into_iter().map(|row| (row.owner, row.kills)).collect(), lost)
    }

    #[test]
    fn kills_are_counted_for_their_victims() {
        assert_eq!(counted(By::System, 1, None), (vec![(Owner::default(), 3)], 0));
        let comm = |comm: &str| Owner::comm(comm.to_string());
        assert_eq!(counted(By::Comm, 2, None), (vec![(comm("a"), 2), (comm("b"), 1)], 0));
        let parent = Owner::parent(5, "sh".to_string());
        assert_eq!(counted(By::Parent, 1, None), (vec![(parent, 3)], 0));
        assert_eq!(counted(By::Comm, 2, Some(1)), (vec![(comm("a"), 2), (Owner::others(By::Comm), 1)], 0));
        let cgroup = |path: &str| Owner::cgroup(path.to_string());
        assert_eq!(counted(By::Cgroup, 2, None), (vec![(cgroup("/x"), 2), (cgroup("/y"), 1)], 0));
        assert_eq!(counted(By::Process, 3, None).0.len(), 3);
    }

    #[test]
    fn who_finds_no_room_is_lost() {
        assert_eq!(counted(By::Process, 2, None).1, 1);
        assert_eq!(counted(By::Comm, 1, None).1, 1);
    }
}
