//! What the BPF programs keep for each owner: two banks, one filled while the other is read and
//! emptied.

use std::io;

use cli::exit::{Failure, Result};
use libbpf_rs::{Map, Object, OpenObject};

use super::halves::Halves;
use super::owner_names::{Naming, OwnerNames};
use crate::bpf::batch;
use crate::bpf::globals::{map, set_constant};
use crate::bpf::layouts;
use crate::bpf::plain::{self, Plain};
use crate::kernel::running::kernel_names;
use crate::owner::cgroup_mounts::memory_mount;
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
    names: OwnerNames<'a>,
}

impl<'a> Owners<'a> {
    /// The banks of a loaded object.
    ///
    /// # Errors
    /// A mistake in the tool itself: the object has none.
    pub fn of(object: &'a Object, options: &Options) -> Result<Self> {
        Ok(Self {
            names: OwnerNames::of(object, options)?,
            banks: [
                [map(object, BANKS[0])?, map(object, SPARES[0])?],
                [map(object, BANKS[1])?, map(object, SPARES[1])?],
            ],
            twice: false,
            halves: Halves::of(object, "owned_bank")?,
        })
    }

    /// Everything since the last call, in no order. An owner may occur several times under a key, see
    /// `repeat`: a group of processes once for each process, a cgroup's path for each cgroup that had
    /// it, and any owner that found no memory at first.
    ///
    /// # Errors
    /// When the kernel refuses to let the banks be read.
    pub fn flip_and_drain<T: Plain>(&mut self) -> Result<Vec<Owned<T>>> {
        let Self { banks, halves, twice, names } = self;
        let full = halves.flip_and(|| names.mark());
        let mut naming = names.begin();
        let mut taken = Vec::new();
        let [bank, spare] = &banks[full];
        let mut drain = |map| {
            let before = taken.len();
            batch::drain(map, |key, value| taken.extend(decode(key, value, &mut naming)))
                .map_err(|error| Failure::failed(format!("cannot read the map of --by: {error}")))?;
            Ok::<_, Failure>(taken.len() > before)
        };
        drain(bank)?;
        *twice = drain(spare)?;
        naming.end(taken.iter_mut().map(|owned: &mut Owned<T>| &mut owned.owner));
        Ok(taken)
    }

    /// The owner described by a `struct owner` and a `struct names`.
    pub(crate) fn owner(&mut self, key: &[u8], names: &[u8]) -> Option<Owner> {
        self.names.owner(key, names)
    }

    /// Whether an owner may have occurred several times under a key in the last call.
    pub(crate) fn repeat(&self) -> bool {
        self.twice || self.names.repeat()
    }
}

/// From the bytes of a `struct owner` and a `struct owned`. With --by app: of the process.
fn decode<T: Plain>(key: &[u8], value: &[u8], naming: &mut Naming<'_, '_>) -> Option<Owned<T>> {
    let (total, names) = plain::copy(value)?;
    let owner = naming.owner(key, names)?;
    Some(Owned { owner, key: plain::copy::<layouts::owner>(key)?.0.key as usize, total })
}
