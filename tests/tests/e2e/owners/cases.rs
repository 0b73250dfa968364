//! Tools, and work whose numbers are known.

use std::collections::BTreeMap;

/// A tool, and work for it.
pub struct Case {
    pub tool: &'static str,
    pub options: &'static [&'static str],
    /// Seconds of an interval.
    pub interval: &'static str,
    /// The kinds of hooks between which there is a choice.
    pub kinds: &'static [&'static str],
    /// The workload's arguments, `DIRECTORY` standing for one of its own, `DISK` for a disk and `PLACE` for one on it that no other has, and the
    /// option by which it joins a cgroup.
    pub work: &'static [&'static str],
    pub joins: &'static str,
    /// The same, of what it needs first.
    pub prepare: &'static [&'static str],
    /// The name of the threads that work.
    pub comm: &'static str,
    /// What is told of the work: fields, and their sums over all that one process does.
    pub expected: &'static [(&'static str, u64)],
    /// The same of its children; what is told of them comes to the system's, not to its own.
    pub children: &'static [(&'static str, u64)],
    /// The same of threads with a name of their own, that it starts.
    pub threads: &'static [(&'static str, u64)],
    /// Fields of which an event counts in one.
    pub events: &'static [&'static str],
    /// How many of the fields an event that is lost is missing from.
    pub lost: u64,
    /// Whether any kernel may leave a program out: interrupts run it.
    pub interrupts: bool,
    /// How much is lost with one of the first of these for which there is no room.
    pub loses: u64,
}

const ALL: &[&str] = &["auto", "kprobe", "tracepoint"];

/// A case of a process that does all of its work itself.
const ALONE: Case = Case {
    tool: "",
    options: &[],
    interval: "2",
    kinds: ALL,
    work: &[],
    joins: "--join",
    prepare: &[],
    comm: "workload",
    expected: &[],
    children: &[],
    threads: &[],
    events: &["count"],
    lost: 2,
    interrupts: false,
    loses: 1,
};

/// Direct reads and writes of a file, past the page cache, and as many reads of nothing.
const IO: &[&str] =
    &["io", "--file", "DIRECTORY/file", "--reads", "401", "--writes", "211", "--bytes", "4096"];

// A probe of returns on 5.10 has room for one call per possible processor, of which each guest has eight.
pub const CASES: &[Case] = &[
    Case {
        tool: "syncsnoop",
        work: &["syncs", "--directory", "DIRECTORY", "--threads", "2"],
        joins: "--cgroup",
        comm: "syncer",
        expected: &[("count", 17 + 32 + 218 + 108 + 48 + 56), ("errors", 3 + 7 + 5 + 7 + 3)],
        ..ALONE
    },
    Case {
        tool: "fslat",
        options: &["--fs", "ext4", "--op", "read,sync"],
        work: &["files", "--directory", "DIRECTORY", "--threads", "1"],
        comm: "files",
        expected: &[("count", 401 + 503 + 11 + 13 + 17 + 7 + 31 + 9 + 13), ("errors", 7)],
        ..ALONE
    },
    Case {
        tool: "cachestat",
        work: &["cache", "--file", "DIRECTORY/file", "--do", "read", "--bytes", "4096"],
        prepare: &["cache", "--file", "DIRECTORY/file", "--do", "make", "--pages", "1009"],
        expected: &[("reads", 1_009), ("accesses", 1_009), ("hits", 1_009), ("misses", 0)],
        events: &["reads"],
        lost: 3,
        ..ALONE
    },
    Case {
        tool: "dcstat",
        work: &["lookups", "--directory", "DIRECTORY", "--times", "211"],
        expected: &[("references", 7 * 211), ("slow", 0), ("misses", 0)],
        events: &["references"],
        lost: 1,
        ..ALONE
    },
    Case {
        tool: "vfsstat",
        work: IO,
        prepare: &["cache", "--file", "DIRECTORY/file", "--do", "make", "--pages", "512"],
        // The write by which it joins the cgroup ends there.
        expected: &[("reads", 2 * 401), ("writes", 1 + 211), ("read_errors", 0), ("opens", 0)],
        events: &["reads", "writes"],
        lost: 1,
        ..ALONE
    },
    Case {
        tool: "biolat",
        kinds: &["auto"],
        // Not of a file: the file system may read and write something of its own for it.
        work: &[
            "io", "--file", "DISK", "--from", "PLACE", "--reads", "401", "--writes", "211", "--bytes", "4096",
        ],
        expected: &[("count", 401 + 211), ("queue_count", 401 + 211), ("errors", 0)],
        interrupts: true,
        ..ALONE
    },
    Case {
        tool: "proclife",
        // Reaped processes come later, on some kernels.
        interval: "0.5",
        kinds: &["auto"],
        work: &["processes", "--forks", "101", "--threads", "17", "--execs", "7", "--failing-execs", "5"],
        joins: "--cgroup",
        expected: &[("forks", 101), ("threads", 17), ("exec_errors", 5), ("exits", 1), ("execs", 0)],
        children: &[("exits", 101), ("execs", 7)],
        threads: &[("thread_exits", 17)],
        events: &[],
        lost: 2,
        ..ALONE
    },
    Case {
        tool: "tcplife",
        work: &["tcp", "--times", "23", "--together"],
        joins: "--cgroup",
        // Of each connection one end sends 1001 + 14 n and a header of 16 bytes, the other 20 003 + 38 n.
        expected: &[
            ("closed", 2 * 23),
            ("accepted", 23),
            ("connected", 23),
            ("failed", 0),
            ("tx_bytes", 23 * (1_001 + 16 + 20_003) + (14 + 38) * 253),
            ("rx_bytes", 23 * (1_001 + 16 + 20_003) + (14 + 38) * 253),
        ],
        events: &["closed"],
        lost: 1 << 20,
        // That an end was opened, too.
        loses: 2,
        ..ALONE
    },
];

impl Case {
    /// What is told of one process and all that it starts.
    pub fn in_all(&self) -> BTreeMap<&'static str, u64> {
        let mut sums = BTreeMap::new();
        let all = self.expected.iter().chain(self.children).chain(self.threads);
        all.for_each(|(field, number)| *sums.entry(*field).or_default() += number);
        sums
    }
}
