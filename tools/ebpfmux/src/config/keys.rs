//! The keys of a file outside of `[[run]]`: each long option is one, and those of `[serve]`, `[record]` and `[otlp]` may
//! stand in a table of their own.

use std::time::Duration;

use clap::{Arg, ArgAction, CommandFactory};
use cli::exit::Result;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::place::Place;
use super::suggest::suggestion;
use super::value::{Takes, seconds, text, words};
use crate::args::Args;

/// The tables, and in each the key of the option that has its name.
const TABLES: [(&str, &str); 3] = [("serve", "listen"), ("record", "folder"), ("otlp", "url")];
/// Options that make no sense in a file.
const ELSEWHERE: [&str; 11] = [
    "run",
    "config",
    "validate",
    "generate",
    "help",
    "version",
    "check",
    "live",
    "command",
    "summary",
    "summary_file",
];
/// Keys that are no option.
const FILES: &str = "files";
const RUN: &str = "run";
/// How long commands run that do not say so themselves.
pub const LIFETIME: &str = "lifetime";

/// What a key says.
#[derive(Debug)]
pub struct Said {
    /// The key as it was written: `serve.token`.
    pub key: String,
    /// The option: `--serve-token`. None for the names of files.
    pub option: String,
    /// The words of a command line that say the same.
    pub words: Vec<String>,
    /// Where the value stands.
    pub at: usize,
}

/// What is said, the tables of `[[run]]`, and the lifetime for all of these.
type Read<'a> = (Vec<Said>, &'a [Spanned<DeValue<'a>>], Option<Duration>);

/// Reads all keys.
///
/// # Errors
/// Bad usage, with the line.
pub fn read<'a>(table: &'a DeTable<'a>, place: &Place) -> Result<Read<'a>> {
    let known = options();
    let (mut said, mut runs, mut lifetime): (Vec<Said>, &[_], _) = (Vec::new(), &[], None);
    for (key, value) in table {
        let (name, at) = (key.get_ref().as_ref(), value.span().start);
        let wrong = |message: String| place.failure(at, &message);
        match (name, value.get_ref()) {
            (RUN, DeValue::Array(entries)) => runs = entries,
            (RUN, _) => return Err(wrong("commands are tables: [[run]]".into())),
            (LIFETIME, value) => lifetime = Some(seconds(LIFETIME, value).map_err(wrong)?),
            (FILES, DeValue::Array(names)) => {
                // One that begins with a dash would be an option.
                let path = |name: String| match name.starts_with('-') && name != "-" {
                    true => format!("./{name}"),
                    false => name,
                };
                let names = names.iter().map(|name| text("a name in files", name.get_ref()).map(path));
                let words = names.collect::<std::result::Result<_, _>>().map_err(wrong)?;
                said.push(Said { key: FILES.into(), option: String::new(), words, at });
            }
            (FILES, _) => return Err(wrong("files is an array of names".into())),
            (name, DeValue::Table(inner)) => {
                let Some((_, main)) = TABLES.iter().find(|(table, _)| *table == name) else {
                    let tables = TABLES.iter().map(|(table, _)| *table).chain([RUN]);
                    let at = key.span().start;
                    return Err(place
                        .failure(at, &format!("no table is called '{name}'{}", suggestion(name, tables))));
                };
                for (key, value) in inner {
                    let inner = key.get_ref().as_ref();
                    let option = if inner == *main { name.to_owned() } else { format!("{name}-{inner}") };
                    let names =
                        known.iter().filter_map(|(option, _)| option.strip_prefix(name)?.strip_prefix('-'));
                    let alike = || suggestion(inner, names.chain([*main]));
                    said.push(one(&known, &format!("{name}.{inner}"), &option, alike, (key, value), place)?);
                }
            }
            (name, _) => {
                let alike = || {
                    let others = [FILES, LIFETIME, RUN];
                    suggestion(name, known.iter().map(|(option, _)| option.as_str()).chain(others))
                };
                said.push(one(&known, name, name, alike, (key, value), place)?);
            }
        }
    }
    Ok((said, runs, lifetime))
}

/// The options with what they take.
fn options() -> Vec<(String, Takes)> {
    let command = Args::command();
    let of = |arg: &Arg| Some((arg.get_long()?.to_owned(), takes(arg)));
    command.get_arguments().filter_map(of).filter(|(name, _)| !ELSEWHERE.contains(&name.as_str())).collect()
}

fn takes(arg: &Arg) -> Takes {
    match arg.get_action() {
        ArgAction::Append => Takes::Several,
        ArgAction::Set if arg.get_num_args().is_some_and(|number| number.min_values() == 0) => {
            Takes::Optional
        }
        ArgAction::Set => Takes::One,
        _ => Takes::Nothing,
    }
}

/// What a key says that is an option.
fn one(
    known: &[(String, Takes)],
    key: &str,
    option: &str,
    alike: impl FnOnce() -> String,
    (name, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>),
    place: &Place,
) -> Result<Said> {
    let Some((_, takes)) = known.iter().find(|(known, _)| known == option) else {
        return Err(place.failure(name.span().start, &format!("no key is called '{key}'{}", alike())));
    };
    let (option, at) = (format!("--{option}"), value.span().start);
    let words = words(&option, *takes, value.get_ref()).map_err(|message| place.failure(at, &message))?;
    Ok(Said { key: key.to_owned(), option, words, at })
}
