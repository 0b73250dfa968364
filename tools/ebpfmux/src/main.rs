//! `ebpfmux`: merges, re-windows, joins, checks, records and serves the streams of the tools.

use std::process::ExitCode;

fn main() -> ExitCode {
    ebpfmux::main()
}
