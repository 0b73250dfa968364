//! What the tool's own programs cost and miss, by the kernel's statistics, interval by interval.

use std::cell::Cell;
use std::io::{Error, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use cli::exit::{Failure, Result};
use cli::interval::ProgDelta;
use libbpf_rs::{Link, Object};

use crate::kernel::diagnosis::{Step, diagnose};
use crate::kernel::restrictions::Restrictions;

/// The kernel's statistics of a set of programs, since they were loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunStats {
    /// Nanoseconds spent in the programs; 0 unless statistics are on.
    pub ns: u64,
    /// How often they ran; 0 unless statistics are on.
    pub runs: u64,
    /// Events that a program did not see, because it was interrupted by another run of itself on
    /// the same processor, or because a return probe had no room for more concurrent calls.
    pub missed: u64,
}

impl RunStats {
    /// The difference to earlier statistics.
    pub fn since(self, before: Self) -> Self {
        Self {
            ns: self.ns.wrapping_sub(before.ns),
            runs: self.runs.wrapping_sub(before.runs),
            missed: self.missed.wrapping_sub(before.missed),
        }
    }
}

/// Reads the kernel's statistics of the tool's own programs.
pub struct ProgStats {
    programs: Vec<OwnedFd>,
    links: Vec<OwnedFd>,
    seen: Cell<RunStats>,
    /// Held while the kernel must keep statistics.
    statistics: Option<OwnedFd>,
}

impl ProgStats {
    /// Keeps descriptors of the loaded programs of objects and of the links of their probes;
    /// `statistics` is held while the kernel must keep them.
    ///
    /// # Errors
    /// When there are no more descriptors.
    pub fn new<'a>(
        objects: impl IntoIterator<Item = &'a Object>,
        links: impl Iterator<Item = &'a Link>,
        statistics: Option<OwnedFd>,
    ) -> Result<Self> {
        let unkept = |error| Failure::failed(format!("cannot keep a descriptor: {error}"));
        let programs = objects.into_iter().flat_map(Object::progs_mut);
        let loaded = programs.filter(|program| program.autoload());
        let programs = loaded.map(|program| program.as_fd().try_clone_to_owned());
        let programs = programs.collect::<std::io::Result<_>>().map_err(unkept)?;
        let links = links.map(|link| link.as_fd().try_clone_to_owned());
        let links = links.collect::<std::io::Result<_>>().map_err(unkept)?;
        Ok(Self { programs, links, seen: Cell::default(), statistics })
    }

    /// Whether the statistics are readable with the remaining capabilities.
    pub fn works(&self) -> bool {
        run_stats(&self.programs).is_some()
    }

    /// What the programs cost and missed since the last call.
    pub fn since_last(&self) -> ProgDelta {
        let Some(mut now) = run_stats(&self.programs) else { return ProgDelta::default() };
        now.missed += missed_calls(&self.links);
        let cost = now.since(self.seen.replace(now));
        ProgDelta { missed: cost.missed, cost: self.statistics.is_some().then_some((cost.ns, cost.runs)) }
    }
}

/// Turns the kernel's statistics of programs on, for as long as the descriptor lives.
pub fn enable() -> Result<OwnedFd> {
    // SAFETY: takes no pointers.
    let fd = unsafe { libbpf_sys::bpf_enable_stats(libbpf_sys::BPF_STATS_RUN_TIME) };
    if fd < 0 {
        let error = Error::from_raw_os_error(-fd);
        let denied = error.kind() == ErrorKind::PermissionDenied;
        return Err(match diagnose(Step::Statistics, denied, "", &Restrictions::gather()) {
            Some(diagnosis) => diagnosis.into(),
            None => Failure::unsupported(format!(
                "--overhead: this kernel does not account for BPF programs ({error}): needs Linux 5.8"
            )),
        });
    }
    // SAFETY: a descriptor that the kernel has just returned, and that has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The kernel's statistics of these programs; `None` if they are not readable.
pub fn run_stats<F: AsFd>(programs: &[F]) -> Option<RunStats> {
    let mut cost = RunStats::default();
    for program in programs {
        let info = info(program.as_fd())?;
        cost.ns += info.run_time_ns;
        cost.runs += info.run_cnt;
        cost.missed += info.recursion_misses;
    }
    Some(cost)
}

/// What the kernel tells of a program; `None` if this process may not know.
pub fn info(program: BorrowedFd<'_>) -> Option<libbpf_sys::bpf_prog_info> {
    let mut info = libbpf_sys::bpf_prog_info::default();
    let mut len = size_of_val(&info) as u32;
    // SAFETY: `info` is zeroed, as the kernel wants it, and `len` is its size.
    let error =
        unsafe { libbpf_sys::bpf_prog_get_info_by_fd(program.as_raw_fd(), &raw mut info, &raw mut len) };
    (error == 0).then_some(info)
}

/// Calls that probes missed, by the links for which the kernel counts them: of a kprobe or
/// kretprobe, from Linux 6.7 on (kernel commit 3acf8ace6823, "bpf: Add missed value to kprobe perf
/// link info").
pub fn missed_calls<F: AsFd>(links: &[F]) -> u64 {
    links.iter().filter_map(|link| missed_by(link.as_fd())).sum()
}

fn missed_by(link: BorrowedFd<'_>) -> Option<u64> {
    let mut info = libbpf_sys::bpf_link_info::default();
    let mut len = size_of_val(&info) as u32;
    // SAFETY: `info` is zeroed, as the kernel wants it, and `len` is its size.
    let error = unsafe { libbpf_sys::bpf_link_get_info_by_fd(link.as_raw_fd(), &raw mut info, &raw mut len) };
    if error != 0 || info.type_ != libbpf_sys::BPF_LINK_TYPE_PERF_EVENT {
        return None;
    }
    // SAFETY: for a link on a perf event the kernel fills in these fields, and leaves unknown ones
    // 0.
    let event = unsafe { info.__bindgen_anon_1.perf_event };
    let probe =
        [libbpf_sys::BPF_PERF_EVENT_KPROBE, libbpf_sys::BPF_PERF_EVENT_KRETPROBE].contains(&event.type_);
    // SAFETY: plain numbers, whichever of the union's structures they belong to.
    probe.then_some(unsafe { event.__bindgen_anon_1.kprobe.missed })
}
