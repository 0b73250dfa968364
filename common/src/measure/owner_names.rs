//! From what the BPF programs know of owners to how records name them.

use std::collections::HashMap;

use cli::exit::Result;
use libbpf_rs::Object;

use crate::bpf::bytes::{chars, text};
use crate::bpf::layouts;
use crate::bpf::plain::{self, bytes_of};
use crate::owner::ancestry::{Ancestry, Process};
use crate::owner::cgroups::Cgroups;
use crate::owner::new_cgroups::NewCgroups;
use crate::owner::{By, Options, Owner};

/// What finds the owners' names.
pub struct OwnerNames<'a> {
    by: By,
    cgroups: Option<Cgroups>,
    new_cgroups: Option<NewCgroups<'a>>,
    ancestry: Option<Box<Ancestry>>,
}

impl<'a> OwnerNames<'a> {
    /// For a loaded object with `bpf/include/task_owner.h`.
    ///
    /// # Errors
    /// A mistake in the tool itself: the object has none.
    pub fn of(object: &'a Object, options: &Options) -> Result<Self> {
        // They are recorded from before the walk that finds the others.
        let new_cgroups = if options.by.is_cgroup() { NewCgroups::of(object)? } else { None };
        Ok(Self {
            by: options.by,
            cgroups: options.by.is_cgroup().then(|| Cgroups::of(options.by)),
            new_cgroups,
            ancestry: options.apps.clone().map(|apps| Box::new(Ancestry::new(apps))),
        })
    }

    /// Says that an interval ends now: cgroups that are created from now on belong to the next.
    pub fn mark(&mut self) {
        self.new_cgroups.iter_mut().for_each(NewCgroups::mark);
    }

    /// Begins to name the owners of the interval whose end was marked.
    pub fn begin(&mut self) -> Naming<'_, 'a> {
        let Self { cgroups, new_cgroups, .. } = self;
        if let Some(cgroups) = cgroups {
            cgroups.next(new_cgroups.iter_mut().flat_map(NewCgroups::read));
        }
        Naming { names: self, active: HashMap::new() }
    }

    /// The owner described by a `struct owner` and a `struct names`, at any time.
    pub(crate) fn owner(&mut self, key: &[u8], names: &[u8]) -> Option<Owner> {
        match &mut self.ancestry {
            Some(ancestry) => process(key, names).map(|(_, process)| Owner::app(ancestry.group(&process))),
            None => owner(key, names, self.by, &mut self.cgroups),
        }
    }

    /// Whether several owners of the BPF programs may have the same name.
    pub(crate) fn repeat(&self) -> bool {
        self.by == By::App || self.by.is_cgroup()
    }
}

/// Names the owners of an interval.
pub struct Naming<'n, 'a> {
    names: &'n mut OwnerNames<'a>,
    active: HashMap<u32, Process>,
}

impl Naming<'_, '_> {
    /// The owner described by a `struct owner` and a `struct names`. With --by app: its process, until the end.
    pub fn owner(&mut self, key: &[u8], names: &[u8]) -> Option<Owner> {
        let by = self.names.by;
        if by == By::App {
            self.active.extend(process(key, names));
        }
        owner(key, names, by, &mut self.names.cgroups)
    }

    /// Ends with these owners, which have been named before: only now are the parents of all processes known.
    pub fn end<'o>(self, owners: impl Iterator<Item = &'o mut Owner>) {
        if let Some(cgroups) = &mut self.names.cgroups {
            cgroups.drop_removed();
        }
        if let Some(ancestry) = &mut self.names.ancestry {
            ancestry.next(self.active);
            for owner in owners {
                let pid = owner.pid.flatten().unwrap_or_default();
                *owner = Owner::app(ancestry.group_of_active(pid));
            }
        }
    }
}

/// From the bytes of a `struct owner` and a `struct names`. With --by app: the process.
fn owner(key: &[u8], names: &[u8], by: By, cgroups: &mut Option<Cgroups>) -> Option<Owner> {
    let (key, _) = plain::copy::<layouts::owner>(key)?;
    let (names, _) = plain::copy::<layouts::names>(names)?;
    let (id, comm) = (key.id[0], || text(chars(&names.comm)));
    Some(match (by, cgroups) {
        (By::System, _) => Owner::default(),
        (By::Process, _) => Owner::process(id as u32, comm()),
        (By::Thread, _) => Owner::thread(names.pid, id as u32, comm()),
        (By::Parent, _) => Owner::parent(id as u32, comm()),
        (By::App, _) => Owner { pid: Some(Some(id as u32)), ..Owner::default() },
        (_, Some(cgroups)) => Owner::cgroup(cgroups.path(id)),
        _ => Owner::comm(text(bytes_of(&key.id))),
    })
}

/// With --by app: a process that was active, by its key and its `struct names`.
fn process(key: &[u8], names: &[u8]) -> Option<(u32, Process)> {
    let (key, _) = plain::copy::<layouts::owner>(key)?;
    let (names, _) = plain::copy::<layouts::names>(names)?;
    Some((key.id[0] as u32, Process { comm: text(chars(&names.comm)), ppid: names.pid }))
}
