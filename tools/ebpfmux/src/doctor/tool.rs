//! A tool's own `--check`: whether it works here, by what, and what is missing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cli::text::visible;
use serde::{Deserialize, Serialize};

use crate::process::ask::{Answer, ask};

/// A hook, as a tool's `--check -o json` has it.
#[derive(Debug, Deserialize, Serialize)]
pub struct Hook {
    hook: String,
    rung: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    optional: bool,
    #[serde(default)]
    skipped: Option<String>,
    bound: Option<String>,
    passed: Vec<Passed>,
}

/// A better rung that was rejected.
#[derive(Debug, Deserialize, Serialize)]
struct Passed {
    rung: String,
    reason: String,
}

/// A capability, as it is in the same.
#[derive(Debug, Deserialize, Serialize)]
struct Capability {
    capability: String,
    reason: String,
    missing: bool,
}

/// Whether a tool works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Works {
    /// All its hooks take their best rungs, or others that see as much.
    Yes,
    /// It runs, and cannot see everything.
    Partly,
    /// The kernel cannot, or does not permit it.
    No,
    /// It did not tell.
    Unknown,
}

/// What a tool told.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// Its name.
    pub tool: String,
    /// The program that was asked.
    path: PathBuf,
    /// Whether it works.
    pub works: Works,
    /// The exit status of its `--check`; none if it was killed.
    pub status: Option<i32>,
    /// What it said last on stderr: what stands in the way, and the remedy.
    pub message: Option<String>,
    hooks: Vec<Hook>,
    capabilities: Vec<Capability>,
}

impl Checked {
    /// Asks the tool at this path, for at most this long.
    pub fn of(tool: &str, path: &Path, patience: Duration) -> Self {
        let answer = ask(path, &["--check", "-o", "json"], patience);
        Self { tool: tool.to_owned(), path: path.to_owned(), ..Self::read(tool, answer, patience) }
    }

    fn read(tool: &str, answer: std::io::Result<Answer>, patience: Duration) -> Self {
        let nothing = |message: String| Self {
            tool: String::new(),
            path: PathBuf::new(),
            works: Works::Unknown,
            status: None,
            message: Some(message),
            hooks: Vec::new(),
            capabilities: Vec::new(),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return nothing(format!("cannot be run: {error}")),
        };
        let text = String::from_utf8_lossy(&answer.stdout);
        let hooks: Vec<Hook> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let capabilities = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let said = String::from_utf8_lossy(&answer.stderr);
        let said = said.lines().last().map(|line| line.strip_prefix(&format!("{tool}: ")).unwrap_or(line));
        let code = answer.status.and_then(|status| status.code());
        let blind = |hook: &Hook| hook.bound.is_some() || hook.missing().is_some();
        let (works, message) = match (answer.status, code) {
            (None, _) => {
                let seconds = patience.as_secs_f64();
                let message =
                    format!("did not answer within {seconds} s and was killed (-d SECONDS: wait longer)");
                (Works::Unknown, Some(message))
            }
            (_, Some(0)) if hooks.is_empty() => (Works::Unknown, Some("told nothing".to_owned())),
            (_, Some(0)) if hooks.iter().any(blind) => (Works::Partly, None),
            (_, Some(0)) => (Works::Yes, None),
            (_, Some(3 | 4)) => (Works::No, said.map(str::to_owned)),
            (Some(status), _) => {
                let how = crate::supervisor::child::describe(status);
                (Works::Unknown, Some(said.map_or(how, str::to_owned)))
            }
        };
        Self { works, status: code, message, hooks, capabilities, ..nothing(String::new()) }
    }

    /// The capabilities that are missing.
    fn missing(&self) -> impl Iterator<Item = &Capability> {
        self.capabilities.iter().filter(|capability| capability.missing)
    }

    /// The kinds of hooks that it takes.
    pub fn by(&self) -> String {
        let mut kinds: Vec<&str> = self
            .hooks
            .iter()
            .filter_map(|hook| hook.kind.as_deref())
            .flat_map(|kinds| kinds.split('+'))
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        visible(&kinds.join(" ")).into_owned()
    }

    /// What is to be said beside: what it cannot see, what is missing, and what to do; each once, with its hooks.
    pub fn remarks(&self) -> Vec<String> {
        let mut said: Vec<(String, Vec<&str>)> = Vec::new();
        let mut say = |what: String, hook| match said.iter_mut().find(|(known, _)| *known == what) {
            Some((_, hooks)) => hooks.push(hook),
            None => said.push((what, vec![hook])),
        };
        for hook in &self.hooks {
            if let Some(bound) = &hook.bound {
                say(bound.clone(), &hook.hook);
            }
            if let Some(why) = hook.missing() {
                let what = if hook.optional { "skipped" } else { "missing" };
                say(format!("{what}, {why}"), &hook.hook);
            }
        }
        let said = said.into_iter().map(|(what, hooks)| format!("{}: {what}", hooks.join(", ")));
        let rights = self.missing().map(|need| format!("without {}: {}", need.capability, need.reason));
        let message = self.message.iter().cloned();
        message.chain(rights).chain(said).map(|line| visible(&line).into_owned()).collect()
    }
}

impl Hook {
    /// Why it has no rung, if that is a lack.
    fn missing(&self) -> Option<&str> {
        match (&self.rung, &self.skipped) {
            (Some(_), _) => None,
            (None, Some(why)) => Some(why),
            (None, None) if self.optional => None,
            (None, None) => Some("not in this kernel"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn checked(status: Option<i32>, stdout: &str, stderr: &str) -> Checked {
        let answer = Answer {
            status: status.map(|code| ExitStatus::from_raw(code << 8)),
            stdout: stdout.as_bytes().to_vec(),
            stderr: stderr.as_bytes().to_vec(),
        };
        Checked::read("t", Ok(answer), Duration::from_secs(7))
    }

    const ALL: &str = r#"{"hook":"reads","rung":"fentry:r","kind":"fentry","programs":1,"optional":false,"bound":null,"passed":[]}"#;

    #[test]
    fn what_a_tool_tells_is_summed_up() {
        let all = checked(Some(0), ALL, "");
        assert_eq!((all.works, all.by(), all.remarks()), (Works::Yes, "fentry".to_owned(), vec![]));
        let bound = r#"{"hook":"reads","rung":"kprobe:r","kind":"kprobe+tp_btf","programs":1,"optional":false,"bound":"no io_uring","passed":[]}"#;
        let other = bound.replace("reads", "writes");
        let none = r#"{"hook":"faults","rung":null,"kind":null,"programs":0,"optional":true,"skipped":"refused","bound":null,"passed":[{"rung":"x","reason":"refused"}]}"#;
        let absent = r#"{"hook":"apic","rung":null,"kind":null,"programs":0,"optional":true,"bound":null,"passed":[{"rung":"x","reason":"not in this kernel"}]}"#;
        let partly = checked(Some(0), &format!("{bound}\n{other}\n{none}\n{absent}\n"), "");
        assert_eq!((partly.works, partly.by()), (Works::Partly, "kprobe tp_btf".to_owned()));
        assert_eq!(partly.remarks(), ["reads, writes: no io_uring", "faults: skipped, refused"]);
        assert_eq!(checked(Some(0), &format!("{ALL}\n{absent}\n"), "").works, Works::Yes);
    }

    #[test]
    fn one_that_cannot_says_what_is_missing_and_what_to_do() {
        let needs = r#"{"capability":"CAP_BPF","reason":"programs","missing":true}"#;
        let refused = checked(Some(4), needs, "note: x\nt: CAP_BPF missing: run it as root\n");
        assert_eq!((refused.works, refused.status), (Works::No, Some(4)));
        assert_eq!(refused.remarks(), ["CAP_BPF missing: run it as root", "without CAP_BPF: programs"]);
        let silent = checked(None, "", "");
        assert!(silent.works == Works::Unknown && silent.remarks()[0].contains("within 7 s"), "{silent:?}");
        let odd = checked(Some(0), "what?\n\x1b[31m", "");
        assert_eq!(odd.remarks(), ["told nothing"]);
        let usage = checked(Some(2), "", "t: there is no \x1b[31mconfig\n");
        assert_eq!(
            (usage.works, usage.remarks()),
            (Works::Unknown, vec!["there is no \\x1b[31mconfig".to_owned()])
        );
    }
}
