//! Completion of a command line by the program itself, which knows what there is now: processes, cgroups, tools, fields.
//!
//! The scripts of [`script`] have a shell run the program with its words and [`VARIABLE`]. Then it prints what fits, and
//! does nothing else.

use std::env;
use std::io;

use clap::Command;
use clap_complete::CompleteEnv;
use clap_complete::env::Shells;

use crate::exit::{Failure, Result};

/// The environment variable with which a shell asks: its value is the shell's name.
pub const VARIABLE: &str = "EBPF_FILTERS_COMPLETE";

/// Where packages have the programs. It comes before PATH, where another program may have the name of a tool: it would not
/// know the variable, and do what a tool does.
const PACKAGED: &str = "/usr/libexec/ebpf-filters";

/// Prints what fits if a shell asks for it; returns whether it did.
///
/// # Errors
/// If the shell is none that is known here, or stdout cannot be written to.
pub fn answer(command: impl Fn() -> Command) -> Result<bool> {
    let folder = env::current_dir().ok();
    let asked = CompleteEnv::with_factory(command).var(VARIABLE);
    asked.try_complete(env::args_os(), folder.as_deref()).map_err(|error| {
        Failure::failed(format!("{VARIABLE}: {}", error.to_string().trim().trim_start_matches("error: ")))
    })
}

/// The script by which a shell learns to ask the program, found by its name where packages have it, or in PATH.
///
/// # Errors
/// If there is none for this shell.
pub fn script(command: &Command, shell: &str) -> io::Result<String> {
    let name = command.get_name();
    let mut text = Vec::new();
    let known = Shells::builtins();
    let known = known.completer(shell).ok_or(io::ErrorKind::NotFound)?;
    known.write_registration(VARIABLE, name, name, name, &mut text)?;
    let text = String::from_utf8_lossy(&text);
    let path = match shell {
        "fish" => format!("PATH=\\\"{PACKAGED}:\\$PATH\\\" "),
        _ => format!("PATH=\"{PACKAGED}:$PATH\" "),
    };
    let asks = format!("{VARIABLE}=");
    let mut text = text.trim_start().replace(&asks, &(path + &asks));
    if shell == "zsh" {
        // The first time, zsh runs the file itself as the function `_NAME`.
        let function = name.replace('-', "_");
        text += &format!("[[ $funcstack[1] == _{name} ]] && _clap_dynamic_completer_{function} \"$@\"\n");
    }
    Ok(text)
}
