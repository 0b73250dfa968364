//! The command line that every tool shares.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, Parser, ValueEnum};
use cli::exit::{Failure, Result};
use cli::{generate, inherited};

use crate::hooks::Attach;

/// The output formats of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// One JSON object per line.
    Json,
    /// Comma-separated values (RFC 4180), header first.
    Csv,
    /// For a terminal.
    Table,
}

/// The options of every tool.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// Seconds between records; fractions allowed
    #[arg(value_name = "INTERVAL", default_value = "1", value_parser = seconds)]
    pub interval: Duration,

    /// Number of intervals; without it, no end
    #[arg(value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// json, csv or table [default: table on a terminal, else json]
    #[arg(short, long, value_name = "SHAPE", value_enum, hide_possible_values = true)]
    pub output: Option<Output>,

    /// Stop after this time, whatever the interval
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds)]
    pub duration: Option<Duration>,

    /// Only this process; repeatable
    #[arg(short, long, value_name = "PID")]
    pub pid: Vec<u32>,

    /// Only tasks in this cgroup v2 or below it
    #[arg(long, value_name = "PATH")]
    pub cgroup: Option<PathBuf>,

    /// Force a kind of hook where there is a choice: btf, fentry, kprobe or tracepoint
    #[arg(long, value_name = "KIND", value_enum, default_value_t, hide_possible_values = true)]
    pub attach: Attach,

    /// Try to attach; print the hooks used, why better ones were rejected, and the capabilities needed. Exit status:
    /// 0 all hooks, 3 one is missing, 4 not permitted
    #[arg(long)]
    pub check: bool,

    /// With --check: plan for another kernel. DIR has a copy of its /sys/kernel/btf and, in the file `symbols`, the
    /// third column of its /proc/kallsyms
    #[arg(long, value_name = "DIR", requires = "check")]
    pub kernel: Option<PathBuf>,

    /// Print the JSON Schema of the record and exit
    #[arg(long)]
    pub schema: bool,

    /// Print the manual page, docs/tools' page, a shell's completions or the options, and exit
    #[arg(long, value_name = "FORM", hide = true)]
    pub generate: Option<generate::Form>,

    /// Add what the tool's own programs cost and occupy: bpf_ns, bpf_runs, bpf_bytes, bpf_maps and bpf_keys
    #[arg(long)]
    pub overhead: bool,

    /// Print more on stderr: how it attached, and libbpf's log
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,

    /// Print only errors on stderr
    #[arg(short, long)]
    pub quiet: bool,
}

impl Common {
    /// Whether only some tasks are observed.
    pub fn filters(&self) -> bool {
        !self.pid.is_empty() || self.cgroup.is_some()
    }
}

/// A length of time in seconds, 10 ms to 10 years: shorter intervals cost more than they show.
fn seconds(text: &str) -> std::result::Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_string())?;
    if !(0.01..=315_360_000.0).contains(&seconds) {
        return Err("must be from 0.01 seconds to 10 years".to_string());
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// What `--help` says of every tool, after what it says of its own.
const OF_ALL_TOOLS: &str = "\
All tools:
  On a preemptible kernel (CONFIG_PREEMPT, PREEMPT_LAZY, PREEMPT_RT: Debian's from
  6.18 on, real-time kernels) a task can be preempted within a BPF program. Until
  that task runs on, the kernel skips the program for other tasks on that processor.
  lost counts each skipped run.
  lost cannot count an event that the kernel delivers to no tracer: then every tool
  is short of the kernel's own account alike. On one virtual machine all tracers see
  0.3 to 0.5 % fewer interrupts of the local timer than /proc/interrupts has.
  --check -o json prints an object per hook: hook, rung (null: none), programs (how
  many the rung has), optional, bound (what the rung cannot see, or null), passed
  (the better rungs that were rejected, each with rung and reason); and one per
  capability: capability, reason, missing.";

/// The definition of a tool's command line, with that text.
fn command<A: Parser>() -> Command {
    let command = A::command();
    let own = command.get_after_help().map(|help| format!("{help}\n\n")).unwrap_or_default();
    command.after_help(own + OF_ALL_TOOLS)
}

/// Parses the command line. `--help` and `--version` print and end the process, as users expect.
pub fn parse<A: Parser>() -> Result<A> {
    Ok(parse_matches(std::env::args_os(), |_| ())?.0)
}

/// The same, and whether the user gave one of these arguments: those with a default are present
/// either way.
pub fn parse_with_explicit<A: Parser>(arguments: &[&str]) -> Result<(A, bool)> {
    parse_matches(std::env::args_os(), |matches| {
        let given = |argument: &&str| matches.value_source(argument) == Some(ValueSource::CommandLine);
        arguments.iter().any(given)
    })
}

#[cfg(test)]
fn parse_from<A: Parser>(args: impl IntoIterator<Item = OsString>) -> Result<A> {
    parse_matches(args, |_| ()).map(|(parsed, ())| parsed)
}

fn parse_matches<A: Parser, T>(
    args: impl IntoIterator<Item = OsString>,
    ask: impl Fn(&ArgMatches) -> T,
) -> Result<(A, T)> {
    inherited::check_stdout()?;
    let args: Vec<OsString> = args.into_iter().collect();
    let matches = command::<A>().try_get_matches_from(args);
    if let Some(form) =
        matches.as_ref().ok().and_then(|matches| matches.get_one::<generate::Form>("generate"))
    {
        generate::print(command::<A>(), *form)?;
        return Err(Failure::none());
    }
    let parsed = matches.and_then(|matches| Ok((A::from_arg_matches(&matches)?, ask(&matches))));
    parsed.map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => match error.print() {
            Ok(()) => Failure::none(),
            Err(error) => Failure::stdout(error),
        },
        _ => Failure::usage(one_line(&error.to_string())),
    })
}

/// The first paragraph of a usage error, which is sufficient, and a hint to --help.
fn one_line(error: &str) -> String {
    let paragraph = error.split("\n\n").next().unwrap_or(error);
    let words: Vec<&str> = paragraph.split_whitespace().collect();
    format!("{} (see --help)", words.join(" ").trim_start_matches("error: "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cli::exit::Exit;

    #[derive(Parser)]
    struct Args {
        #[command(flatten)]
        common: Common,
    }

    fn parsed(line: &str) -> Result<Common> {
        Ok(parse_from::<Args>(line.split(' ').map(OsString::from))?.common)
    }

    #[test]
    fn interval_and_count_as_iostat_has_them() {
        let common = parsed("tool 0.25 4").unwrap();
        assert_eq!((common.interval, common.count), (Duration::from_millis(250), Some(4)));
        let common = parsed("tool").unwrap();
        assert_eq!((common.interval, common.count), (Duration::from_secs(1), None));
    }

    #[test]
    fn a_mistake_is_one_line_and_status_2() {
        for line in [
            "tool --frob",
            "tool 0",
            "tool x",
            "tool 1 0",
            "tool -o xml",
            "tool -q -v",
            "tool inf",
            "tool nan",
            "tool 0.001",
            "tool -1",
            "tool 1e300",
            "tool 1e-9",
            "tool 0x10",
            "tool \u{661}",
            "tool ",
            "tool 1 -1",
            "tool 1 18446744073709551616",
            "tool 1 1.5",
            "tool -d 0",
            "tool -d -1",
            "tool -d 1e9",
            "tool -d NaN",
            "tool -d 1 -d 2",
            "tool -o json -o csv",
        ] {
            let failure = parsed(line).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage, "{line}");
            assert!(
                !failure.message.contains('\n') && failure.message.ends_with("(see --help)"),
                "{failure}"
            );
        }
    }
}
