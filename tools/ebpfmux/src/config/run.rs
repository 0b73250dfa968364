//! The commands of a file: each `[[run]]` names a tool, and its options by their long names.

use std::process::{Command, Stdio};
use std::time::Duration;

use cli::exit::{Failure, Result};
use cli::shortage::Shortage;
use record::fields::tools;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::LIFETIME;
use super::place::Place;
use super::suggest::suggestion;
use super::value::{Takes, seconds, text, words};
use crate::supervisor::child::CommandLine;
use crate::supervisor::planned::{Planned, free_name};

/// Reads the commands.
///
/// # Errors
/// Bad usage, with the line.
pub fn read(
    entries: &[Spanned<DeValue<'_>>],
    lifetime: Option<Duration>,
    place: &Place,
) -> Result<Vec<Planned>> {
    let mut planned: Vec<Planned> = Vec::new();
    for entry in entries {
        let DeValue::Table(table) = entry.get_ref() else {
            return Err(place.failure(entry.span().start, "a command is a table: [[run]]"));
        };
        let read = Entry { table, at: entry.span().start, place };
        let command = read.command()?;
        let given = read.text("name")?;
        let taken = |name: &str| planned.iter().any(|planned| planned.name == name);
        if let Some((at, name)) = given.as_ref().filter(|(_, name)| taken(name)) {
            return Err(place.failure(*at, &format!("two commands are called '{name}'")));
        }
        let name = given.map_or_else(|| free_name(command.name(), taken), |(_, name)| name);
        let lifetime = read.seconds()?.or(lifetime);
        planned.push(Planned { name, command, lifetime });
    }
    Ok(planned)
}

/// An option, as `TOOL --generate options` tells it: `common/cli/src/generate/options.rs`.
#[derive(Deserialize)]
struct Told {
    option: String,
    takes: String,
}

/// A table of `[[run]]`.
struct Entry<'a> {
    table: &'a DeTable<'a>,
    at: usize,
    place: &'a Place,
}

impl Entry<'_> {
    fn command(&self) -> Result<CommandLine> {
        match (self.text("tool")?, self.text("command")?) {
            (Some((at, tool)), None) => self.of_tool(at, &tool),
            (None, Some((at, line))) => {
                for (key, _) in self.table {
                    let own = ["command", "name", LIFETIME];
                    if !own.contains(&key.get_ref().as_ref()) {
                        let message =
                            format!("'{}' is a key of a tool: write it into command", key.get_ref());
                        return Err(self.place.failure(key.span().start, &message));
                    }
                }
                let wrong = |failure: Failure| {
                    self.place.failure(
                        at,
                        failure.message.trim_start_matches("--run").trim_start_matches([':', ' ']),
                    )
                };
                CommandLine::parse(&line).map_err(wrong)
            }
            _ => Err(self.place.failure(self.at, "[[run]] has either tool or command")),
        }
    }

    /// A tool with its options, which it has been asked about.
    fn of_tool(&self, at: usize, tool: &str) -> Result<CommandLine> {
        let options = self.options_of(at, tool)?;
        let mut line = vec![tool.to_owned()];
        for (key, value) in self.table {
            let name = key.get_ref().as_ref();
            if ["tool", "name", LIFETIME, "interval", "count"].contains(&name) {
                continue;
            }
            let Some((_, takes)) = options.iter().find(|(option, _)| option == name) else {
                let others = ["interval", "count", "name", LIFETIME];
                let alike = suggestion(name, options.iter().map(|(option, _)| option.as_str()).chain(others));
                let message = format!("{tool} has no option '{name}'{alike}");
                return Err(self.place.failure(key.span().start, &message));
            };
            let said = words(&format!("--{name}"), *takes, value.get_ref());
            line.extend(said.map_err(|message| self.place.failure(value.span().start, &message))?);
        }
        match (self.text("interval")?, self.text("count")?) {
            (None, Some((at, _))) => return Err(self.place.failure(at, "count needs an interval")),
            (interval, count) => {
                line.extend([interval, count].into_iter().flatten().map(|(_, number)| number))
            }
        }
        let command = CommandLine::of(line);
        self.is_taken(&command)?;
        Ok(command)
    }

    /// The options of a tool, as it tells them itself, with what they take.
    fn options_of(&self, at: usize, tool: &str) -> Result<Vec<(String, Takes)>> {
        let asks = ["--generate", "options"].map(str::to_owned);
        let asked = CommandLine::of([tool.to_owned()].into_iter().chain(asks).collect());
        let output = self.ask(at, &asked)?;
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let options = told.lines().map(|line| {
            let told: Told = serde_json::from_str(line).ok()?;
            let takes = match told.takes.as_str() {
                "nothing" => Takes::Nothing,
                "optional" => Takes::Optional,
                "value" => Takes::One,
                "values" => Takes::Several,
                _ => return None,
            };
            Some((told.option, takes))
        });
        let options: Option<Vec<_>> = options.collect();
        options.filter(|options| output.status.success() && !options.is_empty()).ok_or_else(|| {
            let message =
                format!("'{tool}' does not tell its options: write the whole line into command instead");
            self.place.failure(at, &message)
        })
    }

    /// Asserts that the tool takes these words: it prints its schema for them, which needs no rights.
    fn is_taken(&self, command: &CommandLine) -> Result<()> {
        let output = self.ask(self.at, &command.with("--schema"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or("it does not take these options");
        let of = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
            let key: &std::borrow::Cow<'_, str> = key.get_ref();
            let names = [format!("--{key} "), format!("--{key}'"), format!("[{}]", key.to_uppercase())];
            names.iter().any(|name| said.contains(name)).then(|| value.span().start)
        };
        Err(self.place.failure(self.table.iter().find_map(of).unwrap_or(self.at), said))
    }

    fn ask(&self, at: usize, command: &CommandLine) -> Result<std::process::Output> {
        let mut asked = Command::new(command.program());
        asked.args(command.arguments()).stdin(Stdio::null());
        asked.output().map_err(|error| match Shortage::of(&error) {
            Some(shortage) => shortage.failure(format_args!("cannot run '{}'", command.text), error),
            None => {
                let name = command.name();
                let message = format!("cannot run '{name}': {error}{}", suggestion(name, tools()));
                self.place.failure(at, &message)
            }
        })
    }

    fn value(&self, key: &str) -> Option<&Spanned<DeValue<'_>>> {
        self.table.get(key)
    }

    /// A text or number, and where it stands.
    fn text(&self, key: &str) -> Result<Option<(usize, String)>> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let at = value.span().start;
        let text = text(key, value.get_ref()).map_err(|message| self.place.failure(at, &message))?;
        Ok(Some((at, text)))
    }

    fn seconds(&self) -> Result<Option<Duration>> {
        let Some(value) = self.value(LIFETIME) else { return Ok(None) };
        let wrong = |message: String| self.place.failure(value.span().start, &message);
        seconds(LIFETIME, value.get_ref()).map(Some).map_err(wrong)
    }
}
