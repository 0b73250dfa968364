//! What the tools share. A line belongs here once two tools need it.

pub mod banks;
mod btf;
mod check;
pub mod cli;
pub mod clock;
mod described;
pub mod events;
pub mod exit;
pub mod filter;
mod globals;
pub mod hist;
pub mod hooks;
pub mod interval;
mod kernel;
pub mod meter;
pub mod output;
mod overhead;
pub mod plan;
mod privilege;
pub mod session;
pub mod signals;
mod trampoline;
mod tried;

use crate::exit::Result;

/// Prints what `--check` asks for.
///
/// # Errors
/// When stdout cannot be written to.
pub fn print_check(plan: &plan::Plan, common: &cli::Common) -> Result<()> {
    check::print(plan, common.output)
}
