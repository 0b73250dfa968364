//! The command line that every tool shares.

use std::ffi::{CStr, OsString};
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, Parser, ValueEnum};
use clap_complete::ArgValueCompleter;
use cli::exit::{Failure, Result};
use cli::notes::{self, Note};
use cli::{complete as shells, duration, generate, help, inherited, stderr, usage};

use crate::hooks::Attach;
use crate::owner::comm;
use crate::owner::users::User;
use crate::{complete, live};

/// The output formats of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// One JSON object per line.
    Json,
    /// Comma-separated values (RFC 4180), header first.
    Csv,
    /// For a terminal: the columns for which it has room.
    Table,
    /// The same with all columns.
    Wide,
}

/// The options of every tool.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// Seconds between records; fractions and units allowed (0.5, 500ms, 5m)
    #[arg(value_name = "INTERVAL", default_value = "1", value_parser = seconds)]
    pub interval: Duration,

    /// Number of intervals; without it, no end
    #[arg(value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// json, csv, table, or wide: a table of all columns [default: table on a terminal, else json]
    #[arg(short, long, value_name = "SHAPE", value_enum, hide_possible_values = true)]
    pub output: Option<Output>,

    /// Stop after this time, whatever the interval
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds)]
    pub duration: Option<Duration>,

    /// Only this process; repeatable
    #[arg(short, long, value_name = "PID", add = ArgValueCompleter::new(complete::pids))]
    pub pid: Vec<u32>,

    /// Only tasks in this cgroup v2 or below it
    #[arg(long, value_name = "PATH", add = ArgValueCompleter::new(complete::cgroups))]
    pub cgroup: Option<PathBuf>,

    /// Only tasks of this name, which has at most 15 bytes; NAME* for all that begin so; with ! in front, none of these;
    /// repeatable, or a list
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = comm::check,
          add = ArgValueCompleter::new(complete::comms))]
    pub comm: Vec<String>,

    /// Only tasks of this user, by number or by name in /etc/passwd: the real user, as ps -U has it; with ! in front,
    /// none of these; repeatable, or a list
    #[arg(long, value_name = "USER", value_delimiter = ',', value_parser = User::parse,
          add = ArgValueCompleter::new(complete::users))]
    pub user: Vec<User>,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for what the program is about")]
    pub table: table::Options,

    /// Show the records on one screen, with ebpfmux: rows sorted by any column, their last intervals, a heat map of
    /// latencies; press ? for the keys
    #[arg(long, conflicts_with_all = ["output", "check", "schema"])]
    pub live: bool,

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

    /// Say more about a note on stderr, by its number (N12), and exit
    #[arg(long, value_name = "NOTE", value_parser = note)]
    pub explain: Option<&'static Note>,

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
        self.filters_processes() || !self.comm.is_empty() || !self.user.is_empty()
    }

    /// Whether only some processes or those of a cgroup are.
    pub fn filters_processes(&self) -> bool {
        !self.pid.is_empty() || self.cgroup.is_some()
    }
}

/// A length of time, 10 ms to 10 years: shorter intervals cost more than they show.
fn seconds(text: &str) -> std::result::Result<Duration, String> {
    let length = duration::parse(text)?;
    if !(0.01..=315_360_000.0).contains(&length.as_secs_f64()) {
        return Err("must be from 0.01 seconds to 10 years".to_string());
    }
    Ok(length)
}

/// The note of this number.
fn note(name: &str) -> std::result::Result<&'static Note, String> {
    notes::find(name).ok_or_else(|| "there is no such note: numbers are as in N12".to_owned())
}

/// What `--help` says of every tool, after what it says of its own.
const OF_ALL_TOOLS: &str = "\
All tools:
  Where there are --pid, --cgroup, --comm and --user, a task must pass all that are
  given, and one value of each; a list of nothing but ! passes all others. The name is
  the thread's own, as --by comm has it. They are applied in the kernel, first.
  On a preemptible kernel (CONFIG_PREEMPT, PREEMPT_LAZY, PREEMPT_RT: Debian's from
  6.18 on, real-time kernels) a task can be preempted within a BPF program. Until
  that task runs on, the kernel skips the program for other tasks on that processor.
  lost counts each skipped run.
  lost cannot count an event that the kernel delivers to no tracer: then every tool
  is short of the kernel's own account alike. On one virtual machine all tracers see
  0.3 to 0.5 % fewer interrupts of the local timer than /proc/interrupts has.
  --check -o json prints an object per hook: hook, rung (null: none), kind (of the
  rung: tp_btf, fentry, kprobe, tracepoint, iter; several are joined by +), programs
  (how many the rung has), optional, skipped (why it has no rung, where that is a lack),
  bound (what the rung cannot see, or null), passed
  (the better rungs that were rejected, each with rung and reason); and one per
  capability: capability, reason, missing. ebpfmux --check asks all tools.";

/// The definition of a tool's command line, with that text, for these arguments.
fn command<A: Parser>(args: &[OsString]) -> Command {
    let command = A::command();
    let own = command.get_after_help().map(|help| format!("{help}\n\n")).unwrap_or_default();
    let parts = [("clang", env!("EBPF_FILTERS_CLANG")), ("libbpf", libbpf())];
    help::shaped(command.after_help(own + OF_ALL_TOOLS), args, &parts)
}

/// The version of libbpf that is linked.
fn libbpf() -> &'static str {
    // SAFETY: a string of libbpf's own, which it never changes.
    let version = unsafe { CStr::from_ptr(libbpf_sys::libbpf_version_string()) };
    version.to_str().unwrap_or_default().trim_start_matches('v')
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
    let args: Vec<OsString> = args.into_iter().collect();
    if shells::answer(|| command::<A>(&args))? {
        return Err(Failure::none());
    }
    inherited::check_stdout()?;
    stderr::name(A::command().get_name());
    let matches = command::<A>(&args).try_get_matches_from(&args);
    if let Some(matches) = matches.as_ref().ok().filter(|matches| matches.get_flag("live")) {
        return Err(live::exec(&args[1..], live::adds_buckets(matches), &live::shown(matches)));
    }
    if let Some(form) =
        matches.as_ref().ok().and_then(|matches| matches.get_one::<generate::Form>("generate"))
    {
        generate::print(command::<A>(&args), *form)?;
        return Err(Failure::none());
    }
    let explain = matches.as_ref().ok().and_then(|matches| matches.get_one::<&'static Note>("explain"));
    if let Some(note) = explain {
        let tool = command::<A>(&args).get_name().to_owned();
        io::stdout().write_all(notes::explained(note, &tool).as_bytes()).map_err(Failure::stdout)?;
        return Err(Failure::none());
    }
    let parsed = matches.and_then(|matches| Ok((A::from_arg_matches(&matches)?, ask(&matches))));
    parsed.map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => match error.print() {
            Ok(()) => Failure::none(),
            Err(error) => Failure::stdout(error),
        },
        _ => usage::failure(&command::<A>(&args), &error),
    })
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
