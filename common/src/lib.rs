//! What the tools share. A line belongs here once two tools need it.

pub mod apps;
pub mod banks;
pub mod batch;
mod btf;
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
pub mod top;
pub mod totals;
mod trampoline;
mod tried;

/// Whether anything in the running kernel's types has this name: false where it does not tell them.
pub fn kernel_names(name: &str) -> bool {
    kernel::Running::default().names(name)
}
