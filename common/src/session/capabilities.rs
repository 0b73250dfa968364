//! Which capabilities a tool needs on this kernel with the hooks that it attaches: for `--check`,
//! and for authors of systemd units.

pub use caps::Capability;
use caps::{CapSet, CapsHashSet};
use rustix::process::{Resource, getrlimit};
use serde::Serialize;

use crate::hooks::Kind;
use crate::hooks::plan::Plan;
use crate::kernel::restrictions;
use crate::kernel::running::Running;

/// A capability that only this tool needs, and its purpose.
pub type ExtraCapability = (Capability, &'static str);

/// The reasons for the two capabilities that all tools need everywhere.
const PROGRAMS: &str = "BPF programs and maps";
const MEMORY: &str = "tracing programs, which read the kernel's memory";

/// A capability that a tool needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NeededCapability {
    /// By its name, `CAP_BPF`.
    pub capability: String,
    /// Its purpose, and what can replace it.
    pub reason: String,
    /// The caller does not have it.
    pub missing: bool,
}

/// The state before anything is loaded: libbpf changes it afterwards.
pub struct CallerCapabilities {
    /// The kernel counts BPF's memory against a limit that only a capability raises.
    memory_is_limited: bool,
    effective: CapsHashSet,
}

impl CallerCapabilities {
    /// The state of this process.
    pub fn current() -> Self {
        let may_not_be_raised = getrlimit(Resource::Memlock).maximum.is_some();
        Self {
            memory_is_limited: may_not_be_raised && restrictions::memlock().is_some(),
            effective: caps::read(None, CapSet::Effective).unwrap_or_default(),
        }
    }

    /// What every tool needs, whatever it attaches to.
    pub fn least(&self) -> Vec<NeededCapability> {
        let mut needs = NeededCapabilities { caller: self, all: Vec::new() };
        needs.least();
        needs.all
    }

    /// What a tool needs to attach as planned, or better if only a missing capability prevents it;
    /// and what it needs as `extra`.
    pub fn needed(
        &self,
        plan: &Plan,
        kernel: &Running,
        overhead: bool,
        extra: &[ExtraCapability],
    ) -> Vec<NeededCapability> {
        let mut needs = NeededCapabilities { caller: self, all: Vec::new() };
        needs.least();
        let chosen = |kind: Kind| plan.programs().filter(move |program| program.kind == kind);
        // Whether a rung whose name begins so was rejected because of this missing capability.
        let lacks = |capability: Capability, begin: &str| {
            let mut rejected = plan.hooks.iter().flat_map(|hook| &hook.rejected);
            rejected.any(|(rung, refusal)| refusal.lacks == Some(capability) && rung.starts_with(begin))
        };
        let admin = Capability::CAP_SYS_ADMIN;
        let unreadable = lacks(Capability::CAP_DAC_READ_SEARCH, "");
        let by_tracepoints =
            unreadable || lacks(admin, "tracepoint:") || chosen(Kind::Tracepoint).count() > 0;
        if by_tracepoints && (unreadable || kernel.tracefs_is_closed()) {
            needs.add(Capability::CAP_DAC_READ_SEARCH, "tracepoints in tracefs, which only root can read");
        }
        let by_perf = by_tracepoints || lacks(admin, "kprobe:") || chosen(Kind::Kprobe).count() > 0;
        if by_perf && restrictions::perf_asks_for_admin() {
            let reason = "kernel.perf_event_paranoid is above 2: or sysctl kernel.perf_event_paranoid=2";
            needs.add(admin, reason);
        }
        let of_modules = chosen(Kind::Fentry).any(|program| !kernel.types_have(program));
        if of_modules || lacks(admin, "fentry:") {
            needs.add(admin, "fentry on functions of modules");
        }
        if overhead {
            needs.add(admin, "--overhead: the kernel's statistics of BPF programs");
        }
        extra.iter().for_each(|(capability, reason)| needs.add(*capability, reason));
        needs.all
    }
}

struct NeededCapabilities<'a> {
    caller: &'a CallerCapabilities,
    all: Vec<NeededCapability>,
}

impl NeededCapabilities<'_> {
    fn least(&mut self) {
        self.add(Capability::CAP_BPF, PROGRAMS);
        self.add(Capability::CAP_PERFMON, MEMORY);
        if self.caller.memory_is_limited {
            let reason =
                "this kernel counts BPF's memory against RLIMIT_MEMLOCK: or a unit's LimitMEMLOCK=infinity";
            self.add(Capability::CAP_SYS_RESOURCE, reason);
        }
    }

    /// A capability with several reasons is listed once.
    fn add(&mut self, capability: Capability, reason: &str) {
        let name = capability.to_string();
        if let Some(need) = self.all.iter_mut().find(|need| need.capability == name) {
            need.reason = format!("{}; {reason}", need.reason);
            return;
        }
        let missing = !self.caller.covers(capability);
        self.all.push(NeededCapability { capability: name, reason: reason.to_string(), missing });
    }
}

impl CallerCapabilities {
    /// The kernel accepts CAP_SYS_ADMIN for the two capabilities that were split off from it
    /// (`bpf_capable` and `perfmon_capable` of `linux/capability.h`); root may read root's files.
    fn covers(&self, capability: Capability) -> bool {
        let instead = match capability {
            Capability::CAP_BPF | Capability::CAP_PERFMON => {
                self.effective.contains(&Capability::CAP_SYS_ADMIN)
            }
            Capability::CAP_DAC_READ_SEARCH => {
                rustix::process::geteuid().is_root() || self.effective.contains(&Capability::CAP_DAC_OVERRIDE)
            }
            _ => false,
        };
        instead || self.effective.contains(&capability)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capability_is_listed_once_with_all_reasons() {
        let caller = CallerCapabilities {
            memory_is_limited: true,
            effective: CapsHashSet::from([Capability::CAP_BPF, Capability::CAP_SYS_RESOURCE]),
        };
        let mut needs = NeededCapabilities { caller: &caller, all: Vec::new() };
        needs.least();
        needs.add(Capability::CAP_SYS_RESOURCE, "something else");
        let listed: Vec<_> = needs.all.iter().map(|need| (need.capability.as_str(), need.missing)).collect();
        assert_eq!(listed, [("CAP_BPF", false), ("CAP_PERFMON", true), ("CAP_SYS_RESOURCE", false)]);
        assert!(needs.all[2].reason.ends_with("LimitMEMLOCK=infinity; something else"));
    }

    #[test]
    fn the_old_right_to_all_covers_those_split_off() {
        let effective = CapsHashSet::from([Capability::CAP_SYS_ADMIN]);
        let caller = CallerCapabilities { memory_is_limited: false, effective };
        assert!(caller.least().iter().all(|need| !need.missing));
    }
}
