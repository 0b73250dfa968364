//! The command line: `--name value`, bare flags, and `--` before the command line of another
//! program.

use std::collections::BTreeMap;
use std::io::Write;

/// Options that take no value.
const FLAGS: [&str; 16] = [
    "wait", "hold", "ia32", "pause", "timed", "lock", "together", "early", "dsync", "here", "mapped",
    "forked", "apart", "loss", "resolver", "six",
];

/// The parsed options.
pub struct Args {
    options: BTreeMap<String, String>,
    rest: Vec<String>,
}

impl Args {
    /// Parses the words after the subject.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Self {
        let mut options = BTreeMap::new();
        let mut rest = Vec::new();
        while let Some(word) = words.next() {
            match word.strip_prefix("--") {
                Some("") => rest.extend(words.by_ref()),
                Some(flag) if FLAGS.contains(&flag) => {
                    options.insert(flag.to_string(), String::new());
                }
                Some(name) => {
                    let value = words.next().unwrap_or_else(|| panic!("--{name} needs a value"));
                    options.insert(name.to_string(), value);
                }
                None => panic!("unexpected argument {word:?}"),
            }
        }
        Self { options, rest }
    }

    /// The value of an option.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// A count; 0 where it was not given.
    pub fn count(&self, name: &str) -> u64 {
        let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("--{name} {text}: not a count"));
        self.text(name).map_or(0, number)
    }

    /// The name of threads: this one, but for `--as`.
    pub fn name_of_threads(&self, usual: &str) -> String {
        self.text("as").unwrap_or(usual).to_string()
    }

    /// Joins the cgroup that this option names, by its directory, if it is given.
    pub fn join(&self, option: &str) {
        if let Some(cgroup) = self.text(option) {
            let procs = format!("{cgroup}/cgroup.procs");
            std::fs::write(&procs, "0").unwrap_or_else(|error| panic!("cannot join {procs}: {error}"));
        }
    }

    /// Whether a flag was given.
    pub fn has(&self, flag: &str) -> bool {
        self.options.contains_key(flag)
    }

    /// The words after `--`.
    pub fn rest(&self) -> &[String] {
        &self.rest
    }

    /// With `--wait`: prints `ready` and waits for a line on stdin.
    pub fn wait(&self) {
        self.pause("wait", "ready");
    }

    /// With `--hold`: prints `held` and waits for a line on stdin before cleaning up.
    pub fn hold(&self) {
        self.pause("hold", "held");
    }

    fn pause(&self, flag: &str, word: &str) {
        if self.has(flag) {
            self.say_and_wait(word);
        }
    }

    /// Prints this and waits for a line on stdin.
    pub fn say_and_wait(&self, word: &str) {
        let mut out = std::io::stdout();
        writeln!(out, "{word}").and_then(|()| out.flush()).expect("stdout takes a line");
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).expect("stdin gives a line or ends");
    }
}
