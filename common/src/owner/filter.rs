//! `--pid`, `--cgroup`, `--comm` and `--user`: what the user named, checked, and passed to the BPF programs.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use cli::exit::{Failure, Result};
use cli::kernel_files::{cgroup2_mount, is_cgroup2};
use cli::usage;

use super::cgroup_mounts::no_cgroup2;
use super::comm;
use super::processes;
use super::users::User;
use crate::bpf::layouts::{self, comm_rule, user_rule};
use crate::bpf::plain::{bytes_of, length};
use crate::kernel::pid_namespace::ProcIds;
use crate::options::Common;

/// How many the BPF programs compare.
const MAX_PIDS: usize = length(|of: &layouts::filter| &of.pid);
const MAX_COMMS: usize = length(|of: &layouts::filter| &of.comm);
const MAX_USERS: usize = length(|of: &layouts::filter| &of.user);

/// Which tasks to observe.
#[derive(Default)]
pub struct Filter {
    pids: Vec<u32>,
    /// Whether these are ids of a PID namespace other than the kernel's.
    in_namespace: bool,
    cgroup: Option<(u64, OwnedFd)>,
    /// What is excluded stands first: the first that a task matches decides.
    comms: Vec<comm_rule>,
    users: Vec<user_rule>,
}

impl Filter {
    /// The tasks that the options name; whatever their names if the tool itself decides by these.
    ///
    /// # Errors
    /// Status 2 for what is not there or too much, and as for `processes::check`.
    pub fn of(common: &Common, without_comm: bool) -> Result<Self> {
        let comms = if without_comm { &[][..] } else { &common.comm };
        let (comms, users) = (comm_rules(comms)?, user_rules(&common.user)?);
        Ok(Self { comms, users, ..Self::new(&common.pid, common.cgroup.as_deref())? })
    }

    /// Checks that the processes and the cgroup exist, so that a typing error is not a silent zero.
    fn new(pids: &[u32], cgroup: Option<&Path>) -> Result<Self> {
        if pids.len() > MAX_PIDS {
            return Err(Failure::usage(format!(
                "--pid can be given {MAX_PIDS} times at most: use --cgroup for more"
            )));
        }
        let ids = if pids.is_empty() { ProcIds::Kernel } else { ProcIds::now() };
        pids.iter().try_for_each(|pid| processes::check(*pid, ids))?;
        let in_namespace = ids != ProcIds::Kernel;
        let cgroup = cgroup.map(open_cgroup).transpose()?;
        Ok(Self { pids: pids.to_vec(), in_namespace, cgroup, ..Self::default() })
    }

    /// Replaces ids of a PID namespace by the kernel's, which BPF programs compare and records
    /// have. Returns a note for each.
    ///
    /// # Errors
    /// When the kernel's ids cannot be found out; status 2 if a process has ended.
    pub(crate) fn use_kernel_ids(&mut self) -> Result<Vec<String>> {
        if !self.in_namespace {
            return Ok(Vec::new());
        }
        let kernel = processes::by_kernel(&self.pids)?;
        let note =
            |(pid, id)| format!("--pid {pid}: in records it is {id}, its id in the initial PID namespace");
        let notes = self.pids.iter().zip(&kernel).map(note).collect();
        (self.pids, self.in_namespace) = (kernel, false);
        Ok(notes)
    }

    /// Whether only some tasks pass.
    pub fn is_set(&self) -> bool {
        !self.pids.is_empty() || self.cgroup.is_some() || !self.comms.is_empty() || !self.users.is_empty()
    }

    /// The bytes of the BPF programs' constant `filter`.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut raw = layouts::filter {
            cgroup_id: self.cgroup.as_ref().map_or(0, |(id, _)| *id),
            pids: self.pids.len() as u32,
            comms: self.comms.len() as u32,
            users: self.users.len() as u32,
            other_comms: u32::from(self.comms.iter().all(|rule| rule.excluded != 0)),
            other_users: u32::from(self.users.iter().all(|rule| rule.excluded != 0)),
            ..Default::default()
        };
        raw.pid[..self.pids.len()].copy_from_slice(&self.pids);
        raw.comm[..self.comms.len()].copy_from_slice(&self.comms);
        raw.user[..self.users.len()].copy_from_slice(&self.users);
        bytes_of(&raw).to_vec()
    }

    /// The cgroup's descriptor, for the map `filter_cgroup`.
    pub(crate) fn cgroup_fd(&self) -> Option<i32> {
        self.cgroup.as_ref().map(|(_, fd)| fd.as_raw_fd())
    }
}

fn comm_rules(comms: &[String]) -> Result<Vec<comm_rule>> {
    usage::at_most(MAX_COMMS, comms, "--comm")?;
    let mut rules = comms.iter().map(|text| comm::rule(text)).collect::<Result<Vec<_>>>()?;
    rules.sort_by_key(|rule| rule.excluded == 0);
    Ok(rules)
}

fn user_rules(users: &[User]) -> Result<Vec<user_rule>> {
    usage::at_most(MAX_USERS, users, "--user")?;
    let rule = |user: &User| user_rule { uid: user.uid, excluded: u32::from(user.excluded) };
    let mut rules: Vec<_> = users.iter().map(rule).collect();
    rules.sort_by_key(|rule| rule.excluded == 0);
    Ok(rules)
}

/// Opens a cgroup v2 directory, named by its path or by its path below the mount point.
fn open_cgroup(path: &Path) -> Result<(u64, OwnedFd)> {
    let shown = path.display();
    let mount = cgroup2_mount();
    let below = mount.as_ref().map(|mount| mount.join(path.strip_prefix("/").unwrap_or(path)));
    let candidates = [Some(path.to_path_buf()), below];
    let Some(found) = candidates.into_iter().flatten().find(|path| is_cgroup2(path)) else {
        return Err(match mount {
            None => no_cgroup2(&format!("--cgroup {shown}")),
            Some(mount) => Failure::usage(format!(
                "--cgroup {shown}: no such cgroup (v2 cgroups are the directories below {})",
                mount.display()
            )),
        });
    };
    let opened = File::open(&found).and_then(|file| Ok((file.metadata()?.ino(), file)));
    // The inode number of a cgroup's directory is its id (kernfs, 64-bit).
    let (id, file) = opened.map_err(|error| Failure::usage(format!("--cgroup {shown}: {error}")))?;
    Ok((id, file.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_c_struct() {
        let filter = Filter { pids: vec![7, 9], ..Filter::default() };
        let bytes = filter.to_bytes();
        let pids = 8 + 40 * MAX_COMMS + 8 * MAX_USERS;
        let counts = pids + 4 * MAX_PIDS;
        assert_eq!(bytes.len(), counts + 6 * 4);
        assert_eq!(bytes[pids..pids + 8], [7, 0, 0, 0, 9, 0, 0, 0]);
        assert_eq!(bytes[counts..counts + 4], [2, 0, 0, 0]);
    }

    #[test]
    fn what_is_left_out_stands_first_and_alone_passes_all_others() {
        let filter = |comms: &[&str], users: &[&str]| {
            let comms: Vec<_> = comms.iter().map(ToString::to_string).collect();
            let users: Vec<_> = users.iter().map(|user| User::parse(user).unwrap()).collect();
            let (comms, users) = (comm_rules(&comms)?, user_rules(&users)?);
            let filter = Filter { comms, users, ..Filter::default() };
            let excluded = (
                filter.comms.iter().map(|rule| rule.excluded).collect::<Vec<_>>(),
                filter.users.iter().map(|rule| (rule.uid, rule.excluded)).collect::<Vec<_>>(),
            );
            let (raw, _) = crate::bpf::plain::copy::<layouts::filter>(&filter.to_bytes()).unwrap();
            Ok::<_, Failure>((excluded, raw.other_comms, raw.other_users, filter.is_set()))
        };
        let (excluded, comms, users, is_set) = filter(&["a", "!b", "c"], &["7", "!8"]).unwrap();
        assert_eq!(excluded, (vec![1, 0, 0], vec![(8, 1), (7, 0)]));
        assert_eq!((comms, users, is_set), (0, 0, true));
        let (_, comms, users, is_set) = filter(&["!b"], &[]).unwrap();
        assert_eq!((comms, users, is_set), (1, 1, true));
        assert!(!filter(&[], &[]).unwrap().3);
        assert!(filter(&["a"; MAX_COMMS + 1], &[]).unwrap_err().message.contains("--comm can be given 16"));
        assert!(filter(&[], &["1"; MAX_USERS + 1]).unwrap_err().message.contains("--user can be given 32"));
    }

    #[test]
    fn what_does_not_exist_is_named() {
        let gone = Filter::new(&[4_194_305], None).err().unwrap();
        assert_eq!(gone.message, "--pid 4194305: no such process");
        let many = Filter::new(&[1; MAX_PIDS + 1], None).err().unwrap();
        assert!(many.message.contains("32 times"), "{many}");
    }
}
