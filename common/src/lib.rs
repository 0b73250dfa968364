//! What the tools share. A line belongs here once two tools need it.

pub mod banks;
pub mod btf;
pub mod bytes;
mod check;
pub mod cli;
pub mod clock;
mod described;
mod diagnosis;
pub mod events;
pub mod exit;
mod facts;
pub mod filter;
mod globals;
pub mod hist;
pub mod hooks;
pub mod interval;
mod kernel;
pub mod meter;
pub mod output;
mod overhead;
pub mod path;
pub mod plan;
mod privilege;
mod said;
pub mod session;
pub mod signals;
pub mod totals;
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
