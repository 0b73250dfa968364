//! Whose work it was: what `--by` asks for, and how a record names it.

use std::io;

use clap::ValueEnum;
use libbpf_rs::OpenObject;
use schemars::JsonSchema;
use serde::Serialize;

use crate::globals::set_constant;
use crate::owners;

/// What a record is about, in the order of `enum by` in `bpf/include/owner.h`.
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
}

/// The options of tools that can tell whose work it was.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Options {
    /// A record for each process, comm or cgroup that was active, rather than for the system
    #[arg(long, value_name = "WHOM", value_enum, default_value_t, hide_possible_values = true)]
    pub by: By,

    /// With --by, how many are kept apart in an interval; what more there are is lost, and counted so
    #[arg(long, value_name = "N", default_value_t = 4096, requires = "by",
          value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub map_size: u32,
}

impl Options {
    /// What is asked for where a tool knows no owners, or where it does not matter whose work it is.
    pub(crate) const SYSTEM: &'static Self = &Self { by: By::System, map_size: 1 };

    /// Sets up an object before it is loaded.
    ///
    /// # Errors
    /// A mistake in the tool itself: the object knows no owners.
    pub(crate) fn configure(&self, object: &mut OpenObject) -> libbpf_rs::Result<()> {
        let set = set_constant(object, "by", &(self.by as u32).to_ne_bytes());
        set.map_err(|failure| io::Error::other(failure.message))?;
        owners::configure(object, self)
    }
}

/// Whose work a record tells of. Without `--by`, the system's: then it has none of these fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Owner {
    /// With --by process: the process; null in the record of an interval in which nothing happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<Option<u32>>,
    /// With --by process or comm: the command's name, at most 15 bytes; a process's as it was when first seen in the
    /// interval. Null as above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comm: Option<Option<String>>,
    /// With --by cgroup: the path below the mount point of cgroup v2, as `/proc/PID/cgroup` has it. Null as above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<Option<String>>,
}

impl Owner {
    /// The columns of a table, whichever of them there are.
    pub const WIDTHS: [(&'static str, usize); 2] = [("pid", 7), ("comm", 15)];

    /// Of an interval in which nothing happened.
    pub fn nobody(by: By) -> Self {
        let has = |whom: &[By]| whom.contains(&by);
        Self {
            pid: has(&[By::Process]).then_some(None),
            comm: has(&[By::Process, By::Comm]).then_some(None),
            cgroup: has(&[By::Cgroup]).then_some(None),
        }
    }

    /// A process.
    pub fn process(pid: u32, comm: String) -> Self {
        Self { pid: Some(Some(pid)), comm: Some(Some(comm)), ..Self::default() }
    }

    /// All threads of a name.
    pub fn comm(comm: String) -> Self {
        Self { comm: Some(Some(comm)), ..Self::default() }
    }

    /// A cgroup.
    pub fn cgroup(path: String) -> Self {
        Self { cgroup: Some(Some(path)), ..Self::default() }
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
        assert_eq!(json(&Owner::nobody(By::System)), "{}");
        assert_eq!(json(&Owner::nobody(By::Process)), r#"{"pid":null,"comm":null}"#);
        assert_eq!(json(&Owner::nobody(By::Cgroup)), r#"{"cgroup":null}"#);
        assert_eq!(json(&Owner::process(7, "dd".into())), r#"{"pid":7,"comm":"dd"}"#);
        assert_eq!(json(&Owner::comm("dd".into())), r#"{"comm":"dd"}"#);
    }
}
