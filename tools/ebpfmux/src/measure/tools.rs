//! The tools that measure a command, and what they are started with.

use std::path::Path;

use ::record::fields::{Kind, documents};
use cli::exit::{Failure, Result};

use crate::supervisor::child::CommandLine;

/// Without --run: what a command starts and how that ends, its requests to disks, what it waits for to be on disk, what it
/// sends and receives, and whether it is killed for lack of memory.
const USUAL: [&str; 5] = ["proclife -q 1", "biolat -q 1", "syncsnoop -q 1", "inetstat -q 1", "oomwatch -q 1"];

/// The command lines, for the tasks of this cgroup alone; with buckets, so that percentiles are of the whole run.
///
/// # Errors
/// When a command line of --run is none.
pub fn commands(run: &[String], cgroup: &Path) -> Result<Vec<CommandLine>> {
    let cgroup =
        cgroup.to_str().ok_or_else(|| Failure::failed("the path of this process's cgroup is not UTF-8"))?;
    let usual = if run.is_empty() { &USUAL[..] } else { &[] };
    let all = run.iter().map(String::as_str).chain(usual.iter().copied());
    all.map(|text| {
        let mut command = CommandLine::parse(text)?.with("--cgroup").with(cgroup);
        if has_buckets(command.name()) && !command.arguments().iter().any(|word| word == "--buckets") {
            command = command.with("--buckets");
        }
        Ok(command)
    })
    .collect()
}

fn has_buckets(tool: &str) -> bool {
    let mut intervals = documents(tool).into_iter().filter(|(events, _)| !events);
    intervals.any(|(_, fields)| fields.values().any(|field| field.kind == Kind::Buckets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_limited_to_the_cgroup_and_tell_buckets_where_they_have_some() {
        let lines = |run: &[&str]| {
            let run: Vec<String> = run.iter().map(ToString::to_string).collect();
            let commands = commands(&run, Path::new("/sys/fs/cgroup/x")).unwrap();
            commands.into_iter().map(|command| command.text).collect::<Vec<_>>()
        };
        assert_eq!(lines(&[]).len(), USUAL.len());
        assert_eq!(
            lines(&["proclife 1", "biolat 0.5", "fslat --buckets 1"]),
            [
                "proclife 1 --cgroup /sys/fs/cgroup/x",
                "biolat 0.5 --cgroup /sys/fs/cgroup/x --buckets",
                "fslat --buckets 1 --cgroup /sys/fs/cgroup/x",
            ]
        );
        assert!(commands(&["biolat 'x".to_owned()], Path::new("/x")).is_err());
    }
}
