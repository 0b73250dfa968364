//! The two ways to run: latencies per interval, or a record for each operation.

use cli::exit::Result;
use common::bpf::mmap::words;
use common::hooks::Kind;
use common::kernel::pid_namespace;
use common::measure::events;
use common::measure::latency::{self, CallLatencies, Room};
use common::options::Common;
use common::session::Session;
use libbpf_rs::skel::{OpenSkel, Skel};

use crate::row::{FILE_SYSTEMS, OPS, Ops};
use crate::skel::types::{counter as Counter, counters};
use crate::skel::{FslatSkel, OpenFslatSkel};
use crate::{Args, TOOL, event, hook_names};

/// How many counters there are in a bank.
const COUNTERS: usize = words::<counters>();

/// The number of keys of the totals: `KEY` of `bpf/fslat.bpf.c`.
pub const KEYS: usize = FILE_SYSTEMS.len() * OPS.len();

/// Reads of cached files come fast, each with its path: some 3 000 of them.
const RING_BYTES: u32 = 4 * events::RING_BYTES;

/// Sets the constants and sizes that the kernel's side needs before it is loaded.
pub fn configure(open: &mut OpenFslatSkel<'_>, args: &Args, room: Room) -> libbpf_rs::Result<()> {
    let task_storage = common::kernel::running::tasks_hold_storage();
    if let Some(constants) = open.maps.rodata_data.as_deref_mut() {
        constants.min_ns = u64::from(args.min_us) * 1_000;
        constants.own_pid = pid_namespace::own_id();
    }
    // An unused map is not created; the code that would use it is never reached.
    open.maps.calls_in_task.set_autocreate(task_storage)?;
    open.maps.calls_by_thread.set_autocreate(!task_storage)?;
    latency::configure(open.open_object_mut(), room, args.events.then_some(RING_BYTES))
}

/// Sets for the BPF programs which operations of which file systems are watched by system calls.
pub fn by_syscall(session: &mut Session<FslatSkel<'_>>) {
    let mut seen = [0u32; OPS.len()];
    for hook in &session.plan.hooks {
        let by_calls = hook.chosen.iter().any(|program| program.kind == Kind::Tracepoint);
        if let (true, Some((fs, op))) = (by_calls, hook_names::parts(hook.hook)) {
            seen[op] |= 1 << fs;
        }
    }
    debug_assert!(FILE_SYSTEMS.len() < 32);
    if let Some(data) = session.skel.maps.bss_data.as_deref_mut() {
        data.by_syscall = seen;
    }
}

/// Records at the end of each interval.
pub fn intervals(session: &Session<FslatSkel<'static>>, args: &Args, room: Room) -> Result<()> {
    let latencies = CallLatencies::of(session.skel.object(), room, &args.owner)?;
    session.latencies::<COUNTERS, _>(TOOL, &args.common, latencies, Counter::LOST.0 as usize, |deltas| {
        Ops::of(deltas, args.owner.by, args.buckets)
    })
}

/// A record for each operation, until asked to end.
pub fn events(session: &Session<FslatSkel<'static>>, common: &Common) -> Result<()> {
    session.events::<COUNTERS, _>(TOOL, common, Counter::LOST.0 as usize, event::decode, |_| true)
}
