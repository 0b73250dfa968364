//! The cgroups that were created since the tool was started, from the BPF program of
//! `bpf/include/new_cgroups.h`.

use std::sync::atomic::{AtomicU64, Ordering};

use cli::exit::Result;
use libbpf_rs::{Object, OpenObject};

use crate::bpf::bytes::{chars, text};
use crate::bpf::globals::{map, shared_u64};
use crate::bpf::layouts::new_cgroup;
use crate::bpf::mmap::MappedArray;

/// The program that records them.
pub const PROGRAM: &str = "cgroup_created";
/// Its map.
const MAP: &str = "new_cgroups";

/// A cgroup that was created.
pub struct NewCgroup {
    /// Its id.
    pub id: u64,
    /// The id of its parent.
    pub parent: u64,
    /// Its own name, without the path.
    pub name: String,
}

/// The ring of the newest cgroups.
pub struct NewCgroups<'a> {
    ring: MappedArray<new_cgroup>,
    created: &'a AtomicU64,
    /// How many have been read.
    read: u64,
    /// How many can be read next.
    marked: u64,
}

/// Creates the ring before an object is loaded, if its program is loaded too.
pub(crate) fn configure(object: &mut OpenObject, loaded: bool) -> libbpf_rs::Result<()> {
    let ring = object.maps_mut().find(|map| map.name() == MAP);
    ring.map_or(Ok(()), |mut ring| ring.set_autocreate(loaded))
}

impl<'a> NewCgroups<'a> {
    /// The ring of a loaded object; `None` if its program could not be attached.
    ///
    /// # Errors
    /// A mistake in the tool itself: the object has no ring.
    pub fn of(object: &'a Object) -> Result<Option<Self>> {
        if !object.progs_mut().any(|program| program.name() == PROGRAM && program.autoload()) {
            return Ok(None);
        }
        let ring = MappedArray::map(&map(object, MAP)?)?;
        Ok(Some(Self { ring, created: shared_u64(object, "cgroups_created")?, read: 0, marked: 0 }))
    }

    /// Selects the entries so far for the next read. They are complete after all programs that run
    /// now have ended.
    pub fn mark(&mut self) {
        self.marked = self.created.load(Ordering::Acquire);
    }

    /// Reads the selected entries, the oldest first, without those that were overwritten.
    pub fn read(&mut self) -> impl Iterator<Item = NewCgroup> {
        let Self { ring, created, read, marked } = self;
        let room = ring.len() as u64;
        let first = (*read).max(marked.saturating_sub(room));
        *read = *marked;
        (first..*marked).filter_map(move |number| {
            let new_cgroup { id, parent, name } = ring.read((number % room) as usize);
            // From then on the entry is being overwritten.
            let is_complete = created.load(Ordering::Acquire) < number + room;
            is_complete.then(|| NewCgroup { id, parent, name: text(chars(&name)) })
        })
    }
}
