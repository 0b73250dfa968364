//! What the BPF programs keep for each owner: two banks, one filled while the other is read and
//! emptied.

use std::collections::HashMap;
use std::io;

use cli::exit::{Failure, Result};
use libbpf_rs::{Map, Object, OpenObject};

use super::halves::Halves;
use crate::bpf::batch;
use crate::bpf::bytes::{chars, text};
use crate::bpf::globals::{map, set_constant};
use crate::bpf::layouts;
use crate::bpf::plain::{self, Plain, bytes_of};
use crate::kernel::running::kernel_names;
use crate::owner::ancestry::{Ancestry, Process};
use crate::owner::cgroup_mounts::memory_mount;
use crate::owner::cgroups::Cgroups;
use crate::owner::new_cgroups::NewCgroups;
use crate::owner::{By, Options, Owner};

/// The maps, in the order of `owned_bank` in `bpf/include/owner.h`.
const BANKS: [&str; 2] = ["owned_0", "owned_1"];
/// The maps of entries that are allocated beforehand, in the same order.
const SPARES: [&str; 2] = ["spare_0", "spare_1"];
/// How many of them: more than the owners whose work ends in one interrupt.
const SPARE: u32 = 64;
/// `BPF_F_NO_PREALLOC` of `linux/bpf.h`.
const NO_PREALLOC: u32 = 1;

/// Sets up an object before it is loaded: the kind of owner, and the size of the banks.
///
/// # Errors
/// A mistake in the tool itself: the object has no owners.
pub(crate) fn configure(object: &mut OpenObject, options: &Options) -> libbpf_rs::Result<()> {
    let set = set_constant(object, "by", &options.by.number().to_ne_bytes());
    set.map_err(|failure| io::Error::other(failure.message))?;
    if let (By::Owner, Some((_, hierarchy))) = (options.by, memory_mount()) {
        let set = set_constant(object, "new_cgroups_hierarchy", &hierarchy.to_ne_bytes());
        set.map_err(|failure| io::Error::other(failure.message))?;
    }
    size(object, options)
}

/// Sizes the banks, or omits them.
fn size(object: &mut OpenObject, options: &Options) -> libbpf_rs::Result<()> {
    // From 6.1 on memory is allocated with the entries; earlier kernels need it preallocated, or
    // print a warning.
    let comes_later = options.by != By::System && kernel_names("bpf_mem_alloc");
    let flags = if comes_later { NO_PREALLOC } else { 0 };
    for mut map in object.maps_mut() {
        let is_in = |names: [&str; 2]| names.iter().any(|name| map.name() == *name);
        match (options.by, is_in(BANKS), is_in(SPARES)) {
            (_, false, false) => {}
            // The code that would use it is never reached.
            (By::System, ..) => map.set_autocreate(false)?,
            (_, true, _) => map.set_max_entries(options.map_size).and_then(|()| map.set_map_flags(flags))?,
            (_, _, true) => map.set_max_entries(if comes_later { SPARE } else { 1 })?,
        }
    }
    Ok(())
}

/// What one owner did under one key.
pub struct Owned<T> {
    /// The owner.
    pub owner: Owner,
    /// A number for the kind of work, which the tool defines.
    pub key: usize,
    /// The total of the interval.
    pub total: T,
}

/// The two banks.
pub struct Owners<'a> {
    /// Each with its spare entries.
    banks: [[Map<'a>; 2]; 2],
    /// Whether an owner was in a bank and in its spare entries.
    twice: bool,
    halves: Halves<'a>,
    by: By,
    cgroups: Option<Cgroups>,
    new_cgroups: Option<NewCgroups<'a>>,
    ancestry: Option<Box<Ancestry>>,
}

impl<'a> Owners<'a> {
    /// The banks of a loaded object.
    ///
    /// # Errors
    /// A mistake in the tool itself: the object has none.
    pub fn of(object: &'a Object, options: &Options) -> Result<Self> {
        // They are recorded from before the walk that finds the others.
        let new_cgroups = if options.by.is_cgroup() { NewCgroups::of(object)? } else { None };
        Ok(Self {
            banks: [
                [map(object, BANKS[0])?, map(object, SPARES[0])?],
                [map(object, BANKS[1])?, map(object, SPARES[1])?],
            ],
            twice: false,
            halves: Halves::of(object, "owned_bank")?,
            by: options.by,
            cgroups: options.by.is_cgroup().then(|| Cgroups::of(options.by)),
            new_cgroups,
            ancestry: options.apps.clone().map(|apps| Box::new(Ancestry::new(apps))),
        })
    }

    /// Everything since the last call, in no order. An owner may occur several times under a key, see
    /// `repeat`: a group of processes once for each process, a cgroup's path for each cgroup that had
    /// it, and any owner that found no memory at first.
    ///
    /// # Errors
    /// When the kernel refuses to let the banks be read.
    pub fn flip_and_drain<T: Plain>(&mut self) -> Result<Vec<Owned<T>>> {
        let Self { banks, halves, twice, by, cgroups, new_cgroups, ancestry } = self;
        let full = halves.flip_and(|| new_cgroups.iter_mut().for_each(NewCgroups::mark));
        let mut taken = Vec::new();
        let mut active = HashMap::new();
        if let Some(cgroups) = cgroups {
            cgroups.next(new_cgroups.iter_mut().flat_map(NewCgroups::read));
        }
        let [bank, spare] = &banks[full];
        let mut drain = |map| {
            let before = taken.len();
            batch::drain(map, |key, value| {
                taken.extend(decode(key, value, *by, cgroups));
                if *by == By::App {
                    active.extend(process(key, value.get(size_of::<T>()..).unwrap_or_default()));
                }
            })
            .map_err(|error| Failure::failed(format!("cannot read the map of --by: {error}")))?;
            Ok::<_, Failure>(taken.len() > before)
        };
        drain(bank)?;
        *twice = drain(spare)?;
        if let Some(cgroups) = cgroups {
            cgroups.drop_removed();
        }
        if let Some(ancestry) = ancestry {
            ancestry.next(active);
            // Only now are all parents known.
            for owned in &mut taken {
                let pid = owned.owner.pid.flatten().unwrap_or_default();
                owned.owner = Owner::app(ancestry.group_of_active(pid));
            }
        }
        Ok(taken)
    }

    /// The owner described by a `struct owner` and a `struct names`.
    pub(crate) fn owner(&mut self, key: &[u8], names: &[u8]) -> Option<Owner> {
        match &mut self.ancestry {
            Some(ancestry) => process(key, names).map(|(_, process)| Owner::app(ancestry.group(&process))),
            None => owner(key, names, self.by, &mut self.cgroups),
        }
    }

    /// Whether an owner may have occurred several times under a key in the last call.
    pub(crate) fn repeat(&self) -> bool {
        self.twice || self.by == By::App || self.by.is_cgroup()
    }
}

/// From the bytes of a `struct owner` and a `struct owned`. With --by app: of the process.
fn decode<T: Plain>(key: &[u8], value: &[u8], by: By, cgroups: &mut Option<Cgroups>) -> Option<Owned<T>> {
    let (total, names) = plain::copy(value)?;
    let owner = owner(key, names, by, cgroups)?;
    Some(Owned { owner, key: plain::copy::<layouts::owner>(key)?.0.key as usize, total })
}

/// From the bytes of a `struct owner` and a `struct names`. With --by app: the process.
fn owner(key: &[u8], names: &[u8], by: By, cgroups: &mut Option<Cgroups>) -> Option<Owner> {
    let (key, _) = plain::copy::<layouts::owner>(key)?;
    let (names, _) = plain::copy::<layouts::names>(names)?;
    let (id, comm) = (key.id[0], || text(chars(&names.comm)));
    Some(match (by, cgroups) {
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
