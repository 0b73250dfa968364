//! The group of a process: by its own name, or else that of its nearest ancestor with a group.

use std::collections::HashMap;

use super::apps::{Apps, NO_GROUP};
use crate::kernel::pid_namespace::ProcIds;

/// The search for ancestors ends here.
const MAX_ANCESTORS: usize = 64;

/// The known data of a process.
#[derive(Clone)]
pub struct Process {
    /// Its command's name.
    pub comm: String,
    /// Its parent's id.
    pub ppid: u32,
}

/// The parents of processes that were active and of those that exist.
pub struct Ancestry {
    apps: Apps,
    /// Those that were active in this interval, and in the one before: a parent may have exited
    /// before its child is reported.
    active: [HashMap<u32, Process>; 2],
    /// The groups of ancestors that were looked up in this interval.
    found: HashMap<u32, Option<String>>,
    /// Reads the data of an existing process.
    read: fn(u32) -> Option<Process>,
}

impl Ancestry {
    /// No process is known yet.
    pub fn new(apps: Apps) -> Self {
        // In a PID namespace /proc has other processes under the kernel's ids, or none.
        let read = if ProcIds::now() == ProcIds::Kernel { read } else { |_| None };
        Self { apps, active: Default::default(), found: HashMap::new(), read }
    }

    /// An interval has ended: these processes were active in it.
    pub fn next(&mut self, active: HashMap<u32, Process>) {
        self.found.clear();
        self.active.swap(0, 1);
        self.active[0] = active;
    }

    /// The group of a process that was active in this interval.
    pub fn group_of_active(&mut self, pid: u32) -> String {
        match self.active[0].get(&pid).cloned() {
            Some(process) => self.group(&process),
            None => NO_GROUP.to_string(),
        }
    }

    /// The group of a process.
    pub fn group(&mut self, process: &Process) -> String {
        let own = self.apps.group(&process.comm).map(str::to_string);
        own.or_else(|| self.inherited(process.ppid)).unwrap_or_else(|| NO_GROUP.to_string())
    }

    /// The group of the nearest ancestor with a group.
    fn inherited(&mut self, parent: u32) -> Option<String> {
        if let Some(found) = self.found.get(&parent) {
            return found.clone();
        }
        let (mut pid, mut group, mut steps) = (parent, None, MAX_ANCESTORS);
        while let Some(ancestor) = self.ancestor(pid).filter(|_| steps > 0) {
            // A manager's group is only for itself.
            if self.apps.is_manager(&ancestor.comm) {
                break;
            }
            group = self.apps.group(&ancestor.comm).map(str::to_string);
            if group.is_some() {
                break;
            }
            (pid, steps) = (ancestor.ppid, steps - 1);
        }
        self.found.insert(parent, group.clone());
        group
    }

    fn ancestor(&self, pid: u32) -> Option<Process> {
        let known = || self.active.iter().find_map(|active| active.get(&pid).cloned());
        (pid != 0).then(|| (self.read)(pid).or_else(known)).flatten()
    }
}

/// From `/proc/PID/stat`: the name is in parentheses and may contain some itself.
fn read(pid: u32) -> Option<Process> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse(&String::from_utf8_lossy(&stat))
}

/// The data of a process, from the text of its `stat`.
pub(crate) fn parse(stat: &str) -> Option<Process> {
    let (comm, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
    Some(Process { comm: comm.to_string(), ppid: rest.split_whitespace().nth(1)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(comm: &str, ppid: u32) -> Process {
        Process { comm: comm.to_string(), ppid }
    }

    fn ancestry(name: &str, text: &str) -> Ancestry {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        let apps = Apps::read(file.to_str().unwrap()).unwrap();
        // 30 is a manager's child, 20 one of 10; 9 is its own parent.
        let read = |pid: u32| match pid {
            1 => Some(process("systemd", 0)),
            9 => Some(process("odd", 9)),
            10 => Some(process("make", 1)),
            20 => Some(process("sh", 10)),
            30 => Some(process("sh", 1)),
            _ => None,
        };
        Ancestry { read, ..Ancestry::new(apps) }
    }

    #[test]
    fn a_process_without_a_group_has_its_nearest_ancestors() {
        let mut ancestry = ancestry("groups", "build: make cc\nsystemd: systemd\n");
        let active = [("cc", 0), ("x", 20), ("x", 30), ("systemd", 0), ("x", 9), ("x", 77)];
        let pids = [100, 101, 102, 103, 104, 105];
        ancestry.next(pids.into_iter().zip(active.map(|(comm, ppid)| process(comm, ppid))).collect());
        let groups = pids.map(|pid| ancestry.group_of_active(pid));
        assert_eq!(groups, ["build", "build", "other", "systemd", "other", "other"]);
    }

    #[test]
    fn parents_that_have_gone_are_known_if_they_were_active() {
        let mut ancestry = ancestry("groups", "build: make cc\n");
        let child = || HashMap::from([(78, process("x", 77))]);
        let mut both = child();
        both.insert(77, process("sh", 10));
        let groups = [both, child(), child()].map(|active| {
            ancestry.next(active);
            ancestry.group_of_active(78)
        });
        assert_eq!(groups, ["build", "build", "other"]);
    }

    #[test]
    fn names_with_parentheses_are_read() {
        let odd = parse("7 (a) (b) S 3 7 7 0").unwrap();
        assert_eq!((odd.comm.as_str(), odd.ppid), ("a) (b", 3));
        assert!(parse("7 (a").is_none());
    }
}
