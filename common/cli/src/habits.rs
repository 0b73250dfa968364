//! What users of other tools type, and what to type here: bcc and its libbpf-tools, iostat, perf, bpftrace, ss.

/// An option of other tools that none here has, or not with this meaning.
struct Habit {
    /// How it is written there.
    options: &'static [&'static str],
    /// The tools that it is of; none: all that do not have the option themselves.
    of: &'static [&'static str],
    /// What it means there and how that is here.
    here: &'static str,
    /// What to type; `TOOL` is this tool's name.
    typed: &'static str,
}

const fn habit(
    options: &'static [&'static str],
    of: &'static [&'static str],
    here: &'static str,
    typed: &'static str,
) -> Habit {
    Habit { options, of, here, typed }
}

const HABITS: &[Habit] = &[
    habit(&["-m", "--milliseconds"], &[], "times are in microseconds, as the heading says", "TOOL 1"),
    habit(
        &["-u", "--microseconds"],
        &["biolat", "fslat", "syncsnoop"],
        "times are in microseconds already",
        "TOOL 1",
    ),
    habit(&["-D", "--disks"], &["biolat"], "each disk has its line already; one is --disk", "biolat 1"),
    habit(&["-F", "--flag", "--flags"], &["biolat"], "each operation has its line already", "biolat 1"),
    habit(
        &["-Q", "--queued", "--queue"],
        &["biolat"],
        "the time in the queue is beside the device's",
        "biolat 1",
    ),
    habit(
        &["-D", "--dist"],
        &["irqlat", "swapstat"],
        "distributions are drawn with --buckets",
        "TOOL --buckets 1",
    ),
    habit(&["-L", "--localport"], &["tcplife", "sockls"], "--port is either end's port", "TOOL --port 80"),
    habit(
        &["-D", "--remoteport", "--dport"],
        &["tcplife", "sockls"],
        "--port is either end's port",
        "TOOL --port 443",
    ),
    habit(
        &["-4", "--ipv4"],
        &["tcplife", "sockls", "dnslat"],
        "the version of IP is --family",
        "TOOL --family 4",
    ),
    habit(
        &["-6", "--ipv6"],
        &["tcplife", "sockls", "dnslat"],
        "the version of IP is --family",
        "TOOL --family 6",
    ),
    habit(&["-t", "--tcp"], &["sockls"], "the protocol is --proto", "sockls --proto tcp"),
    habit(&["-u", "--udp"], &["sockls"], "the protocol is --proto", "sockls --proto udp"),
    habit(&["-x", "--unix"], &["sockls"], "the protocol is --proto", "sockls --proto unix"),
    habit(&["-a", "--all"], &["sockls"], "all sockets are shown already", "sockls"),
    habit(&["-x", "--failed"], &["fdstat"], "only failures are --errors", "fdstat --events --errors"),
    habit(&["-x", "--fails"], &["proclife"], "failed calls are shown already", "proclife --events"),
    habit(&["-n", "--name"], &["proclife", "fdstat"], "a command is --comm", "TOOL --events --comm bash"),
    habit(&["-T", "-t", "--timestamp", "--time"], &[], "each line has its time already", "TOOL 1"),
    habit(&["-j", "--json"], &[], "the format is -o", "TOOL -o json"),
    habit(&["-f", "--format"], &[], "the format is -o (json, csv, table, wide)", "TOOL -o json"),
    habit(&["-s", "--csv"], &[], "the format is -o", "TOOL -o csv"),
    habit(&["-w", "--wide"], &[], "all columns are a format", "TOOL -o wide"),
    habit(&["-C", "--noclear"], &[], "no screen is cleared", "TOOL 1"),
    habit(
        &["-C", "-P", "--perprocess", "--pids"],
        &["fslat", "syncsnoop", "vfsstat", "cachestat", "inetstat"],
        "work by process is --by",
        "TOOL --by process",
    ),
    habit(&["-P"], &[], "work by process is --by", "TOOL --by process"),
    habit(
        &["-r", "--maxrows", "--rows"],
        &[],
        "the busiest N are --top, with --by",
        "TOOL --by process --top 20",
    ),
    habit(&["-u", "-U", "--uid"], &[], "a user's tasks are --user", "TOOL --user 1000"),
    habit(
        &["-G", "--cgroupmap", "--mntnsmap"],
        &[],
        "one cgroup is picked by its path",
        "TOOL --cgroup system.slice/ssh.service",
    ),
    habit(&["-I", "-i", "--interval"], &[], "the interval, in seconds, stands alone", "TOOL 1"),
    habit(&["-c", "--count", "-n"], &[], "the count stands after the interval", "TOOL 1 10"),
    habit(&["-a", "--all-cpus"], &[], "all processors are observed already", "TOOL 1"),
    habit(
        &["-e"],
        &[],
        "a tool has its events built in; programs of your own are for mapstat",
        "TOOL --check",
    ),
    habit(
        &["-x", "-k", "-y", "-z"],
        &["biolat"],
        "all figures of disks that did something are shown",
        "biolat 1",
    ),
    habit(
        &["-H", "--histogram", "--hist"],
        &[],
        "distributions are drawn with --buckets",
        "TOOL --buckets 10 1",
    ),
];

/// What to type for an option that a tool does not have; `None` if no other tool's user would try it.
pub fn of_option(tool: &str, option: &str, has: &dyn Fn(&str) -> bool) -> Option<String> {
    let option = option.split(['=', ' ']).next().unwrap_or(option);
    let known =
        |habit: &&Habit| habit.options.contains(&option) && (habit.of.is_empty() || habit.of.contains(&tool));
    let habit = HABITS.iter().filter(known).find(|habit| {
        // What is advised must be possible here.
        let words = habit.typed.split(' ').filter(|_| habit.typed.starts_with("TOOL"));
        words.filter_map(|word| word.strip_prefix("--")).all(has)
    })?;
    Some(format!("{option}: {}: type `{}`", habit.here, habit.typed.replace("TOOL", tool)))
}

/// What to type where an interval was expected and a name was given: `biolat sda`, `fslat ext4`, `proclife bash`; and for
/// `-d sda`, where a duration was.
pub fn of_name(tool: &str, name: &str, has: &dyn Fn(&str) -> bool) -> Option<String> {
    const FILE_SYSTEMS: [&str; 7] = ["ext4", "xfs", "btrfs", "nfs", "overlay", "tmpfs", "zfs"];
    if !is_name(name) {
        return None;
    }
    let picked =
        |words: &str, field: &str| format!("ebpfmux --run '{tool}{words}' --where '{field} == \"{name}\"'");
    let (what, typed) = match tool {
        "fslat" if FILE_SYSTEMS.contains(&name) => ("a file system is --fs", format!("fslat --fs {name}")),
        "biolat" => ("a disk is --disk", format!("biolat --disk {name}")),
        "irqlat" => ("one interrupt is picked afterwards", picked(" 1", "name")),
        "dnslat" => ("a name that is asked for is --name", format!("dnslat --name {name}")),
        _ if has("comm") => ("a command is --comm", format!("{tool} --comm {name}")),
        _ => return None,
    };
    Some(format!("'{name}' is no length of time; {what}: type `{typed}`"))
}

/// Whether this may be the name of a disk, a command or the like, and needs no quotes.
pub fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn habits_are_answered_with_what_to_type() {
        let all = |_: &str| true;
        let typed = |hint: Option<String>| {
            hint.and_then(|hint| Some(hint.split_once('`')?.1.trim_end_matches('`').to_owned()))
        };
        for (tool, option, expected) in [
            ("biolat", "-m", "biolat 1"),
            ("biolat", "-D", "biolat 1"),
            ("tcplife", "-D", "tcplife --port 443"),
            ("irqlat", "-D", "irqlat --buckets 1"),
            ("cachestat", "-T", "cachestat 1"),
            ("vfsstat", "--json", "vfsstat -o json"),
            ("fdstat", "-x", "fdstat --events --errors"),
            ("biolat", "-u", "biolat 1"),
            ("fdstat", "-u", "fdstat --user 1000"),
        ] {
            assert_eq!(typed(of_option(tool, option, &all)).as_deref(), Some(expected), "{tool} {option}");
        }
        // irqlat has no owners.
        assert_eq!(of_option("irqlat", "-P", &|name| name != "by"), None);
        assert_eq!(of_option("biolat", "--frob", &all), None);
        for (tool, name, expected) in [
            ("biolat", "sda", Some("biolat --disk sda")),
            ("fslat", "ext4", Some("fslat --fs ext4")),
            ("proclife", "bash", Some("proclife --comm bash")),
            ("proclife", "a'b", None),
            ("proclife", "1x", None),
        ] {
            assert_eq!(typed(of_name(tool, name, &all)).as_deref(), expected, "{tool} {name}");
        }
    }
}
