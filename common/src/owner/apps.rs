//! Groups of processes by their names (`--apps`), in the syntax of Netdata's `apps_groups.conf`.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use cli::regular_file::{self, Refused};

use super::glob;

/// The group of processes that are in no group of the file.
pub const NO_GROUP: &str = "other";
/// The longest command name that the kernel keeps, without the NUL of `TASK_COMM_LEN`.
pub(crate) const COMM_MAX: usize = 15;
/// The largest accepted file. Netdata's own has less than 20 KiB.
const MAX_BYTES: u64 = 1 << 20;
/// Processes that start others of all kinds: their children do not inherit their group. Netdata's
/// own list for Linux.
const MANAGERS: &str = "init systemd containerd-shim-runc-v2 dumb-init gnome-shell docker-init tini spawn-plugins \
                        openrc-run.sh crond plasmashell xfwm4";

/// The groups of a file. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Apps(Arc<Groups>);

#[derive(Debug)]
struct Groups {
    /// In the file's order: the first that matches is taken.
    rules: Vec<Rule>,
    managers: Vec<String>,
}

#[derive(Debug)]
struct Rule {
    pattern: String,
    group: String,
}

impl Apps {
    /// The groups of a file.
    ///
    /// # Errors
    /// A message that names the file and, for a mistake in it, the line.
    pub fn read(path: &str) -> Result<Self, String> {
        let bytes = read_file(path).map_err(|what| format!("{path}: {what}"))?;
        Self::parse(&String::from_utf8_lossy(&bytes)).map_err(|(line, what)| format!("{path}:{line}: {what}"))
    }

    /// The groups of a file's text; or the number of a line, and what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut groups =
            Groups { rules: Vec::new(), managers: patterns(&words(MANAGERS).unwrap_or_default()) };
        for (index, line) in text.lines().enumerate() {
            groups.add(line).map_err(|what| (index + 1, what))?;
        }
        Ok(Self(Arc::new(groups)))
    }

    /// The group of a command of this name, without its ancestors.
    pub(crate) fn group(&self, comm: &str) -> Option<&str> {
        let matches = |rule: &&Rule| glob::matches(&rule.pattern, comm);
        self.0.rules.iter().find(matches).map(|rule| rule.group.as_str())
    }

    /// Whether a command of this name starts others that are unrelated to it.
    pub(crate) fn is_manager(&self, comm: &str) -> bool {
        self.0.managers.iter().any(|pattern| glob::matches(pattern, comm))
    }
}

impl Groups {
    /// One line of the file.
    fn add(&mut self, line: &str) -> Result<(), String> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let (group, names) = line.split_once(':').ok_or("no colon after the group's name")?;
        let (group, names) = (group.trim(), words(names)?);
        // Netdata's prefixes: a group that is not drawn, and a group that is debugged.
        let bare = group.trim_start_matches(['-', '~', '+']);
        let hidden = group[..group.len() - bare.len()].contains(['-', '~']);
        if bare.is_empty() {
            return Err("no group before the colon".to_string());
        }
        if bare.contains(char::is_whitespace) || bare.contains(['"', '\'', '*', '#']) {
            return Err(format!("{bare}: not a name of a group: spaces, quotes, * and # are not allowed"));
        }
        if names.is_empty() {
            return Err(format!("{bare}: no process names after the colon"));
        }
        match bare {
            "managers" => {
                if names.iter().any(|name| name == "clear") {
                    self.managers.clear();
                }
                self.managers.extend(patterns(&names));
            }
            // To look for the program in the command line, which is not read here.
            "interpreters" => {}
            _ => self.rules.extend(names.iter().map(|name| {
                let hidden = hidden || name.starts_with(['-', '~']);
                Rule { pattern: pattern(name), group: if hidden { NO_GROUP } else { bare }.to_string() }
            })),
        }
        Ok(())
    }
}

/// The content of a regular file.
fn read_file(path: &str) -> Result<Vec<u8>, String> {
    let file = regular_file::open(Path::new(path)).map_err(|refused| match refused {
        Refused::Special(kind) => format!("{kind}, not a file"),
        Refused::Failed(error) => error.to_string(),
    })?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    match bytes.len() as u64 > MAX_BYTES {
        true => Err(format!("larger than {} KiB", MAX_BYTES >> 10)),
        false => Ok(bytes),
    }
}

fn patterns(names: &[String]) -> Vec<String> {
    names.iter().map(|name| pattern(name)).collect()
}

/// A name as it is compared: without prefixes, and no longer than the kernel keeps one.
fn pattern(name: &str) -> String {
    let bare = name.trim_start_matches(['-', '~', '+']);
    match bare.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= COMM_MAX).last() {
        Some(end) if !bare.contains('*') => bare[..end].to_string(),
        _ => bare.to_string(),
    }
}

/// The words of the rest of a line: separated by spaces, unless in quotes of either kind, up to a
/// comment.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next().filter(|first| *first != '#') {
        let (word, after) = match first {
            '"' | '\'' => rest[1..].split_once(first).ok_or(format!("{rest}: an unclosed quote"))?,
            _ => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        if !word.is_empty() {
            words.push(word.to_string());
        }
        rest = after.trim_start();
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group<'a>(apps: &'a Apps, comm: &str) -> &'a str {
        apps.group(comm).unwrap_or("-")
    }

    #[test]
    fn names_are_found_whole_or_in_part_and_the_first_match_counts() {
        let apps = Apps::parse(
            "# a comment\n\nsql: mysqld* postgres 'Plex Media' # \"not here\nweb:\t*httpd *ngin*\n\
             sql: \"it's\" md*_raid*\nlate: mysqld2 NetworkManager-dispatcher\n-quiet: cron\nx: ~at +dd\n",
        )
        .unwrap();
        let comms =
            ["mysqld2", "postgres", "postgres2", "Plex Media", "lightd", "nginx", "it's", "md12_raid1"];
        let groups = comms.map(|comm| group(&apps, comm));
        assert_eq!(groups, ["sql", "sql", "-", "sql", "-", "web", "sql", "sql"]);
        assert_eq!(["xhttpd", "httpd", "httpd2"].map(|comm| group(&apps, comm)), ["web", "web", "-"]);
        // As the kernel cuts it.
        assert_eq!(group(&apps, "NetworkManager-"), "late");
        assert_eq!(["cron", "at", "dd"].map(|comm| group(&apps, comm)), ["other", "other", "x"]);
    }

    #[test]
    fn managers_are_the_default_ones_and_those_of_the_file() {
        let apps = Apps::parse("managers: mine*\ninterpreters: python\na: python").unwrap();
        let managers = ["systemd", "containerd-shim", "mine2", "a"].map(|comm| apps.is_manager(comm));
        assert_eq!(managers, [true, true, true, false]);
        assert_eq!(group(&apps, "python"), "a");
        let apps = Apps::parse("managers: clear mine").unwrap();
        assert_eq!(["systemd", "mine"].map(|comm| apps.is_manager(comm)), [false, true]);
    }

    #[test]
    fn a_mistake_is_reported_with_its_line() {
        let mistake = |text: &str| Apps::parse(text).unwrap_err();
        assert_eq!(mistake("a: b\nc d e"), (2, "no colon after the group's name".to_string()));
        assert_eq!(mistake("a: 'b"), (1, "'b: an unclosed quote".to_string()));
        assert_eq!(mistake("\n\n: b").0, 3);
        assert_eq!(mistake("a:").0, 1);
        assert_eq!(mistake("a b: c").0, 1);
        let missing = Apps::read("/there/is/none").unwrap_err();
        assert!(missing.starts_with("/there/is/none: "), "{missing}");
        assert_eq!(Apps::read("/dev/zero").unwrap_err(), "/dev/zero: a device, not a file");
        let large = tempfile::NamedTempFile::new().unwrap();
        large.as_file().set_len(MAX_BYTES).unwrap();
        let path = large.path().to_str().unwrap();
        assert!(Apps::read(path).unwrap_err().contains(": no colon"));
        large.as_file().set_len(MAX_BYTES + 1).unwrap();
        assert!(Apps::read(path).unwrap_err().ends_with(": larger than 1024 KiB"));
    }
}
