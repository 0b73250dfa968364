//! What the tools share. A line belongs here once two tools need it.

pub mod apps;
mod attach_target;
pub mod banks;
pub mod batch;
pub mod btf;
pub mod bytes;
mod cgroups;
mod check;
pub mod cli;
pub mod clock;
pub mod counted;
mod described;
mod diagnosis;
pub mod events;
pub mod exit;
mod facts;
pub mod filter;
mod glob;
pub mod globals;
pub mod hist;
pub mod hooks;
pub mod interval;
mod kernel;
pub mod latency;
pub mod lineage;
pub mod manual;
pub mod meter;
mod open;
pub mod output;
mod overhead;
pub mod owner;
mod owners;
pub mod path;
pub mod plan;
mod privilege;
pub mod rights;
mod said;
pub mod session;
pub mod signals;
pub mod target_btf;
pub mod top;
pub mod totals;
mod trampoline;
mod tried;

/// Whether anything in the running kernel's types has this name: false where it does not tell them.
pub fn kernel_names(name: &str) -> bool {
    btf::Types::running().is_some_and(|types| types.has_name(name))
}

/// Whether programs that watch functions and tracepoints may keep something with a task: kernel commit a10787e6d58c
/// ("bpf: Enable task local storage for tracing programs"), of Linux 5.13, has no name that types would tell. This
/// helper's came with the same version, and was not taken to older ones.
pub fn tasks_hold_storage() -> bool {
    kernel_names("BPF_FUNC_for_each_map_elem")
}
