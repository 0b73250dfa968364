//! What fits on the command line of `ebpfmux`: commands, and the names in expressions and lists of fields.

mod run;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;

use clap_complete::CompletionCandidate;
use record::fields::{Field, Kind, fields_of, tools};

pub use run::commands;

/// The field whose values are names of disks.
const DISK: &str = "disk";

/// A list of fields, parted by commas.
pub fn fields(begin: &OsStr) -> Vec<CompletionCandidate> {
    list(begin, |_| true)
}

/// A list of keys, parted by commas.
pub fn keys(begin: &OsStr) -> Vec<CompletionCandidate> {
    list(begin, |field| field.kind == Kind::Key)
}

fn list(begin: &OsStr, wanted: impl Fn(&Field) -> bool) -> Vec<CompletionCandidate> {
    let Some(begin) = begin.to_str() else { return Vec::new() };
    let (before, name) =
        begin.rsplit_once(',').map_or(("", begin), |(before, name)| (&begin[..before.len() + 1], name));
    let given: Vec<&str> = before.split(',').collect();
    let found = names(name, wanted).into_iter().filter(|(name, _)| !given.contains(&name.as_str()));
    behind(before, found)
}

/// An expression of --where or --assert: its last name, or the text that the name before it is compared with.
pub fn expression(begin: &OsStr) -> Vec<CompletionCandidate> {
    let Some(begin) = begin.to_str() else { return Vec::new() };
    let from = begin.rfind(|c: char| !(c.is_alphanumeric() || "_.-".contains(c)));
    let (before, name) =
        begin.split_at(from.map_or(0, |at| at + begin[at..].chars().next().map_or(1, char::len_utf8)));
    if let Some(of) = before.strip_suffix(['"', '\'']).and_then(compared) {
        let quote = &before[before.len() - 1..];
        let values = match of.rsplit('.').next() {
            Some(DISK) => disks(),
            Some("tool") => tools().map(str::to_owned).collect(),
            _ => BTreeSet::new(),
        };
        let fits = values.into_iter().filter(|value| value.starts_with(name));
        return behind(before, fits.map(|value| (value + quote, String::new())));
    }
    behind(before, names(name, |_| true))
}

/// The name that what follows is compared with: `disk == `.
fn compared(text: &str) -> Option<&str> {
    let text = text.trim_end();
    let name = text.strip_suffix("==").or_else(|| text.strip_suffix("!="))?.trim_end();
    name.rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).next()
}

/// The names that begin so, with their meanings: `FIELD`, `TOOL.FIELD`, `TOOL.DISK.FIELD`.
fn names(begin: &str, wanted: impl Fn(&Field) -> bool) -> Vec<(String, String)> {
    let known: BTreeSet<&str> = tools().collect();
    let before = begin.rsplit_once('.').map_or("", |(before, _)| &begin[..before.len() + 1]);
    let of: Vec<&str> =
        match begin.split('.').next().filter(|tool| !before.is_empty() && known.contains(tool)) {
            Some(tool) => vec![tool],
            None if before.is_empty() => run::named(&known),
            None => return Vec::new(),
        };
    // Behind a field comes nothing.
    let middle = before.trim_end_matches('.').rsplit_once('.').map(|(_, middle)| middle);
    if fields_of(|tool| of.contains(&tool)).any(|(name, _)| Some(name.as_str()) == middle) {
        return Vec::new();
    }
    let mut found: Vec<(String, String)> = Vec::new();
    let (mut seen, mut of_disks) = (BTreeSet::new(), false);
    for (name, field) in fields_of(|tool| of.contains(&tool)) {
        of_disks |= name == DISK;
        let name = format!("{before}{name}");
        if wanted(&field) && name.starts_with(begin) && seen.insert(name.clone()) {
            found.push((name, field.description));
        }
    }
    if of_disks && before.split('.').count() == 2 {
        let plain = |disk: &String| disk.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let names = disks().into_iter().filter(plain).map(|disk| format!("{before}{disk}."));
        found.extend(names.filter(|name| name.starts_with(begin)).map(|name| (name, String::new())));
    }
    if before.is_empty() {
        let of_tools = of.iter().map(|tool| format!("{tool}.")).filter(|name| name.starts_with(begin));
        found.extend(of_tools.map(|name| (name, String::new())));
    }
    found
}

/// The disks that there are.
fn disks() -> BTreeSet<String> {
    let entries = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    // The kernel has ! in directories for / in names.
    entries.filter_map(|entry| Some(entry.file_name().into_string().ok()?.replace('!', "/"))).collect()
}

fn behind(before: &str, found: impl IntoIterator<Item = (String, String)>) -> Vec<CompletionCandidate> {
    let candidate = |(name, help): (String, String)| {
        CompletionCandidate::new(format!("{before}{name}")).help((!help.is_empty()).then(|| help.into()))
    };
    found.into_iter().map(candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(candidates: Vec<CompletionCandidate>) -> Vec<String> {
        candidates.into_iter().map(|one| one.get_value().to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_last_name_of_an_expression_is_completed() {
        let of = |begin: &str| values(expression(OsStr::new(begin)));
        assert!(of("p99").contains(&"p99_us".to_owned()));
        assert!(of("count > 0 && biolat.p99").contains(&"count > 0 && biolat.p99_us".to_owned()));
        assert!(of("!(biol").contains(&"!(biolat.".to_owned()));
        assert_eq!(of("tool == \"biol"), ["tool == \"biolat\""]);
        assert_eq!(of("proclife.fork"), ["proclife.forks", "proclife.fork_errors"]);
        for disk in disks() {
            assert!(of("biolat.disk != '").contains(&format!("biolat.disk != '{disk}'")), "{disk}");
        }
        for none in ["nosuch.p", "op == \"re", "biolat.p99_us.", "ü"] {
            assert!(of(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn the_last_field_of_a_list_is_completed_and_none_comes_twice() {
        let select = values(fields(OsStr::new("ts,host,p99")));
        assert!(select.contains(&"ts,host,p99_us".to_owned()) && !select.contains(&"p99_us".to_owned()));
        let by = values(keys(OsStr::new("disk,")));
        assert!(
            by.contains(&"disk,op".to_owned())
                && !by.iter().any(|list| list.ends_with(",disk") || list.ends_with("_us"))
        );
    }
}
