//! Attribution: what `--by` selects, and how a record names the owner.

pub mod ancestry;
pub mod apps;
pub mod cgroup_mounts;
pub mod cgroups;
pub mod comm;
pub mod filter;
pub mod glob;
pub mod new_cgroups;
mod processes;
pub mod users;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, ValueEnum};
use cli::exit::{Failure, Result};
use cli::kernel_files::cgroup2_mount;
use schemars::JsonSchema;
use serde::Serialize;

use crate::bpf::layouts::{self, named_owner};
use crate::kernel::pid_namespace::{ProcIds, proc_hides_processes};
use apps::Apps;

/// The name of all owners that `--top` does not list separately.
pub const OTHERS: &str = "(other)";

/// The kind of owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// The whole system.
    #[default]
    System,
    /// Each process.
    Process,
    /// Each command: all threads of one name.
    Comm,
    /// Each cgroup v2.
    Cgroup,
    /// Each thread.
    Thread,
    /// Each process that started others: the work of its children.
    Parent,
    /// Each group of processes that a file names.
    App,
    /// Each memory cgroup whose memory it is, whichever task runs: for tools that ask [`or_owner`].
    #[value(skip)]
    Owner,
}

impl By {
    /// The number that the BPF programs know it by.
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::System => layouts::by::BY_SYSTEM.0,
            Self::Process => layouts::by::BY_PROCESS.0,
            Self::Comm => layouts::by::BY_COMM.0,
            Self::Cgroup => layouts::by::BY_CGROUP.0,
            Self::Thread => layouts::by::BY_THREAD.0,
            Self::Parent => layouts::by::BY_PARENT.0,
            Self::App => layouts::by::BY_APP.0,
            Self::Owner => layouts::by::BY_OWNER.0,
        }
    }

    /// Whether it is a cgroup, whose path is to be found.
    pub(crate) fn is_cgroup(self) -> bool {
        matches!(self, Self::Cgroup | Self::Owner)
    }

    /// Its name on the command line.
    fn of_argument(name: &str) -> Option<Self> {
        if name == OWNER { Some(Self::Owner) } else { Self::from_str(name, false).ok() }
    }
}

/// The name of [`By::Owner`] on the command line.
const OWNER: &str = "owner";

/// The option `--by` of a tool that can tell whose memory it is: it takes `owner`, too.
pub fn or_owner(by: Arg) -> Arg {
    let names = By::value_variants().iter().filter_map(By::to_possible_value);
    let names = names.chain([PossibleValue::new(OWNER)]);
    let help = by.get_help().map(ToString::to_string).unwrap_or_default();
    by.value_parser(
        PossibleValuesParser::new(names).try_map(|name| By::of_argument(&name).ok_or("no such owner")),
    )
    .help(format!("{help}; or owner: the memory cgroup whose memory it is, whichever task runs"))
}

/// The options of tools with attribution.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// One record per active process, thread, parent (what its children do), comm, cgroup or app, instead of one for
    /// the system
    #[arg(long, value_name = "OWNER", value_enum, default_value_t, hide_possible_values = true)]
    pub by: By,

    /// With --by app: the groups, in the syntax of Netdata's apps_groups.conf (`group: name name* *name 'a name'`);
    /// processes in none belong to the group other
    #[arg(long, value_name = "FILE", required_if_eq("by", "app"), value_parser = Apps::read)]
    pub apps: Option<Apps>,

    /// With --by, only the N busiest owners of an interval, by the record's first number unless noted below; all others
    /// together in one record named (other)
    #[arg(long, value_name = "N", requires = "by", value_parser = clap::value_parser!(u32).range(1..))]
    pub top: Option<u32>,

    /// With --by, limits the keys tracked per interval; events beyond it are counted in lost
    #[arg(long, value_name = "N", default_value_t = 4096, requires = "by",
          value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub map_size: u32,
}

impl Options {
    /// For tools without owners, or if the owner does not matter.
    pub const SYSTEM: &'static Self = &Self { by: By::System, apps: None, top: None, map_size: 1 };

    /// Refuses options that conflict, or that cannot be honored here.
    ///
    /// # Errors
    /// A usage error for `--apps` without `--by app`; status 3 for `--by cgroup` without cgroup v2.
    pub fn check(&self) -> Result<()> {
        match self.by {
            By::Cgroup if cgroup2_mount().is_none() => Err(cgroup_mounts::no_cgroup2("--by cgroup")),
            By::Owner if cgroup_mounts::memory_mount().is_none() => {
                Err(Failure::unsupported("--by owner: no hierarchy of memory cgroups is mounted"))
            }
            By::App => Ok(()),
            _ if self.apps.is_some() => Err(Failure::usage("--apps is for --by app")),
            _ => Ok(()),
        }
    }

    /// What is less than the options promise on this system, as notes.
    pub fn notes(&self) -> Vec<String> {
        let in_namespace = || ProcIds::now() != ProcIds::Kernel;
        match self.by {
            By::Cgroup => cgroup_mounts::note_of_v1().into_iter().collect(),
            By::App if in_namespace() => vec![few_ancestors("/proc has other process ids than the kernel")],
            // What is attached has no capabilities.
            By::App if proc_hides_processes() => vec![few_ancestors("/proc hides processes (hidepid)")],
            _ => Vec::new(),
        }
    }
}

/// The note about `--by app` where `/proc` does not show ancestors.
fn few_ancestors(why: &str) -> String {
    format!("--by app: {why}, so only ancestors that were active in the last two intervals are known")
}

/// The owner of a record. Without `--by` it is the system, which has none of these fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
pub struct Owner {
    /// With --by process or thread: the process; null in the record of an interval in which nothing happened, and in
    /// that of the others with --top.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 7))]
    pub pid: Option<Option<u32>>,
    /// With --by thread: the thread; equal to pid for a process's first thread. Null as above.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 7))]
    pub tid: Option<Option<u32>>,
    /// With --by process, thread or comm: the command's name, at most 15 bytes; a process's is that of its first thread,
    /// a process's and thread's as it was when first seen in the interval. `(other)` with --top: all others. Null where
    /// nothing happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 15))]
    pub comm: Option<Option<String>>,
    /// With --by parent: the process whose children did it. Null as pid is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 7))]
    pub ppid: Option<Option<u32>>,
    /// With --by parent: its command's name. `(other)` and null as comm is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-width" = 15))]
    pub parent: Option<Option<String>>,
    /// With --by cgroup: the path below the mount point of cgroup v2, as `/proc/PID/cgroup` has it. `(other)` and null
    /// as comm is. With --by owner: the same of the memory cgroup, which may be one of v1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 1, "x-cut" = "start"))]
    pub cgroup: Option<Option<String>>,
    /// With --by app: the group; `other` of processes that are in none. `(other)` and null as comm is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "key", "x-rank" = 1))]
    pub app: Option<Option<String>>,
}

impl Owner {
    /// How many bytes the BPF programs describe one by: a `struct named_owner`.
    pub const RAW_BYTES: usize = size_of::<named_owner>();

    /// For an interval in which nothing happened, or an owner that is not known.
    pub fn unknown(by: By) -> Self {
        let has = |kinds: &[By]| kinds.contains(&by);
        Self {
            pid: has(&[By::Process, By::Thread]).then_some(None),
            tid: has(&[By::Thread]).then_some(None),
            comm: has(&[By::Process, By::Thread, By::Comm]).then_some(None),
            ppid: has(&[By::Parent]).then_some(None),
            parent: has(&[By::Parent]).then_some(None),
            cgroup: by.is_cgroup().then_some(None),
            app: has(&[By::App]).then_some(None),
        }
    }

    /// The same if the BPF programs knew none, and so reported the owner with all bytes 0. With `--by app` they know only
    /// processes, which user space groups.
    pub fn or_unknown(self, by: By) -> Self {
        let unknown = match by {
            By::System | By::Owner | By::App => false,
            By::Process | By::Thread => self.pid == Some(Some(0)),
            By::Parent => self.ppid == Some(Some(0)) && self.parent == Some(Some(String::new())),
            By::Comm => self.comm == Some(Some(String::new())),
            By::Cgroup => {
                self.cgroup.as_ref().is_some_and(|path| path.as_deref() == Some(cgroups::NO_CGROUP))
            }
        };
        if unknown { Self::unknown(by) } else { self }
    }

    /// All owners that `--top` does not list separately: named so, without a number.
    pub fn others(by: By) -> Self {
        let mut owner = Self::unknown(by);
        let names = [&mut owner.comm, &mut owner.parent, &mut owner.cgroup, &mut owner.app];
        names.into_iter().flatten().for_each(|name| *name = Some(OTHERS.to_string()));
        owner
    }

    /// Its identity: the numbers if there are any, without the names, which may change.
    pub fn key(&self) -> Self {
        let mut key = self.clone();
        if key.pid.is_some() {
            key.comm = None;
        }
        if key.ppid.is_some() {
            key.parent = None;
        }
        key
    }

    /// A process.
    pub fn process(pid: u32, comm: String) -> Self {
        Self { pid: Some(Some(pid)), comm: Some(Some(comm)), ..Self::default() }
    }

    /// A thread of a process.
    pub fn thread(pid: u32, tid: u32, comm: String) -> Self {
        Self { tid: Some(Some(tid)), ..Self::process(pid, comm) }
    }

    /// The children of a process.
    pub fn parent(ppid: u32, parent: String) -> Self {
        Self { ppid: Some(Some(ppid)), parent: Some(Some(parent)), ..Self::default() }
    }

    /// All threads of a name.
    pub fn comm(comm: String) -> Self {
        Self { comm: Some(Some(comm)), ..Self::default() }
    }

    /// A cgroup.
    pub fn cgroup(path: String) -> Self {
        Self { cgroup: Some(Some(path)), ..Self::default() }
    }

    /// A group of processes.
    pub fn app(name: String) -> Self {
        Self { app: Some(Some(name)), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(owner: &Owner) -> String {
        serde_json::to_string(owner).unwrap()
    }

    #[test]
    fn only_what_was_asked_for_is_a_field() {
        assert_eq!(json(&Owner::unknown(By::System)), "{}");
        assert_eq!(json(&Owner::unknown(By::Process)), r#"{"pid":null,"comm":null}"#);
        assert_eq!(json(&Owner::unknown(By::Cgroup)), r#"{"cgroup":null}"#);
        assert_eq!(json(&Owner::process(7, "dd".into())), r#"{"pid":7,"comm":"dd"}"#);
        assert_eq!(json(&Owner::thread(7, 8, "dd".into())), r#"{"pid":7,"tid":8,"comm":"dd"}"#);
        assert_eq!(json(&Owner::parent(7, "sh".into())), r#"{"ppid":7,"parent":"sh"}"#);
        assert_eq!(json(&Owner::comm("dd".into())), r#"{"comm":"dd"}"#);
    }

    #[test]
    fn an_unknown_owner_is_null() {
        let owners = [
            (Owner::process(0, String::new()), By::Process),
            (Owner::thread(0, 0, String::new()), By::Thread),
            (Owner::parent(0, String::new()), By::Parent),
            (Owner::comm(String::new()), By::Comm),
            (Owner::cgroup("(gone, id 0)".to_string()), By::Cgroup),
        ];
        for (owner, kind) in owners {
            assert_eq!(owner.or_unknown(kind), Owner::unknown(kind));
        }
        let known = Owner::process(7, "curl".to_string());
        assert_eq!(known.clone().or_unknown(By::Process), known);
    }

    #[test]
    fn the_others_have_a_name_and_no_number() {
        assert_eq!(json(&Owner::others(By::System)), "{}");
        assert_eq!(json(&Owner::others(By::Thread)), r#"{"pid":null,"tid":null,"comm":"(other)"}"#);
        assert_eq!(json(&Owner::others(By::Parent)), r#"{"ppid":null,"parent":"(other)"}"#);
        assert_eq!(json(&Owner::others(By::App)), r#"{"app":"(other)"}"#);
    }
}
