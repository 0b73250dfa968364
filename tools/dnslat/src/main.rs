//! dnslat: which names are asked for, by whom, of which server, and how long does the answer take?

use std::process::ExitCode;

fn main() -> ExitCode {
    dnslat::main()
}
