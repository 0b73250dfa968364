//! What the BPF programs count: under a key for each protocol, or for each protocol and family.

use cli::exit::Result;
use common::bpf::plain::Plain;
use common::kernel::running::{kernel_names, tasks_hold_storage};
use common::measure::per_key::{self, KeyDelta, PerKey, Total, busiest};
use common::owner::{By, Options};
use libbpf_rs::{MapCore, Object, num_possible_cpus};

use crate::Args;
use crate::row::{FIGURES, Figures, PROTOS};
use crate::skel::OpenInetstatSkel;
use crate::skel::types::{endpoint_filter, figure as Figure, stats};

// SAFETY: generated from the C struct: integers, and arrays and structs of them.
unsafe impl Plain for endpoint_filter {}
// SAFETY: as above.
unsafe impl Plain for stats {}

impl Total for stats {
    type Head = Self;
}

/// Keys of a protocol, of which only the first is used without --split family.
pub const FAMILIES: [u8; 2] = [4, 6];
const KEYS: usize = PROTOS.len() * FAMILIES.len();

/// `BPF_F_NO_PREALLOC` of `linux/bpf.h`.
const NO_PREALLOC: u32 = 1;

/// A bank for each processor: entries are small, and these programs run often.
fn banks() -> u32 {
    (num_possible_cpus().unwrap_or(1) as u32).next_power_of_two()
}

/// Whether who used a socket matters: what happens to it in an interrupt has an owner.
pub fn remembers_users(args: &Args) -> bool {
    args.owner.by != By::System || args.common.filters()
}

/// Sets the constants and sizes that the kernel's side needs before it is loaded.
pub fn configure(
    open: &mut OpenInetstatSkel<'_>,
    args: &Args,
    endpoints: &endpoint_filter,
) -> libbpf_rs::Result<()> {
    let (banks, remembers, task_storage) = (banks(), remembers_users(args), tasks_hold_storage());
    open.maps.stats.set_max_entries(per_key::entries(KEYS as u32, banks))?;
    if remembers {
        open.maps.users.set_max_entries(args.max_sockets)?;
        // From 6.1 on memory is allocated with the entries; earlier kernels need it preallocated, or
        // print a warning.
        open.maps.users.set_map_flags(if kernel_names("bpf_mem_alloc") { NO_PREALLOC } else { 0 })?;
        open.maps.users_of_others.set_max_entries(args.max_sockets.min(MOST_OTHERS))?;
    }
    // An unused map is not created; the code that would use it is never reached.
    open.maps.calls_in_task.set_autocreate(task_storage)?;
    open.maps.calls_by_thread.set_autocreate(!task_storage)?;
    if let Some(constants) = open.maps.rodata_data.as_deref_mut() {
        constants.endpoint_filter = *endpoints;
        constants.split_family = args.split.is_some();
        constants.remember_users = remembers;
        constants.task_storage = task_storage;
        constants.bank_mask = banks - 1;
    }
    Ok(())
}

/// Entries of the map that forgets those used longest ago, which are allocated beforehand.
const MOST_OTHERS: u32 = 8192;

/// The totals of a loaded object.
pub fn of<'a>(object: &'a Object, map: &dyn MapCore, options: &Options) -> Result<PerKey<'a, stats>> {
    PerKey::of(object, map, banks(), options)
}

/// What was counted since the last call: under each key the busiest owner first; with --top the others last.
pub fn since_last(totals: &mut PerKey<'_, stats>, options: &Options) -> Result<Vec<KeyDelta<Figures>>> {
    let added = totals.since_last(0..KEYS, |sum: &mut Figures, more| add(sum, &more.value[..FIGURES]))?;
    let calls = |sum: &Figures| sum[Figure::SENDS.0 as usize] + sum[Figure::RECEIVES.0 as usize];
    Ok(busiest(added, options, calls, |sum, more| add(sum, more)))
}

fn add(sum: &mut Figures, more: &[u64]) {
    sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}
