//! A command that is to run, before it is started.

use std::time::Duration;

use super::child::CommandLine;

/// A command that is to run.
#[derive(Clone)]
pub struct Planned {
    /// Its name in requests, which no other has.
    pub name: String,
    /// The command line.
    pub command: CommandLine,
    /// How long it runs; then it is disabled.
    pub lifetime: Option<Duration>,
}

impl Planned {
    /// Commands, named after their first words.
    pub fn all(commands: impl IntoIterator<Item = CommandLine>) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for command in commands {
            let name = free_name(command.name(), |name| all.iter().any(|planned| planned.name == name));
            all.push(Self { name, command, lifetime: None });
        }
        all
    }
}

/// `biolat`, and for more commands of this name `biolat-2`, `biolat-3`.
pub fn free_name(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    std::iter::once(name.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
}
