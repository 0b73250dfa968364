//! Tools with a known amount of work.

use std::collections::BTreeMap;

/// A tool with its work.
pub struct Case {
    pub tool: &'static str,
    pub options: &'static [&'static str],
    /// Seconds of an interval.
    pub interval: &'static str,
    /// The kinds of hooks that can be chosen.
    pub kinds: &'static [&'static str],
    /// The workload's arguments. `DIRECTORY` stands for a directory of its own, `DISK` for a disk,
    /// `PLACE` for an offset on it that no other process uses; the last option is the one by which
    /// it joins a cgroup.
    pub work: &'static [&'static str],
    pub joins: &'static str,
    /// The arguments of a workload that prepares it.
    pub prepare: &'static [&'static str],
    /// The name of the working threads.
    pub comm: &'static str,
    /// Reported fields, and their sums over all work of one process.
    pub expected: &'static [(&'static str, u64)],
    /// The same for its children, whose work counts for the system, not for the process.
    pub children: &'static [(&'static str, u64)],
    /// The same for threads with another name, which it starts.
    pub threads: &'static [(&'static str, u64)],
    /// Fields of which each event counts in exactly one.
    pub events: &'static [&'static str],
    /// The number of fields that one lost event is missing from.
    pub lost: u64,
    /// Whether any kernel may skip a program, because interrupts run it.
    pub interrupts: bool,
    /// The losses per event of the first field for which there is no room.
    pub loses: u64,
}

const ALL: &[&str] = &["auto", "kprobe", "tracepoint"];

/// A case in which the process does all work itself.
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

/// Direct reads and writes of a file, bypassing the page cache, and as many empty reads.
const IO: &[&str] =
    &["io", "--file", "DIRECTORY/file", "--reads", "401", "--writes", "211", "--bytes", "4096"];

// A kretprobe on 5.10 has room for one call per possible processor, of which each guest has eight.
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
        tool: "shmsnoop",
        work: &["shm", "--times", "101", "--fails", "37"],
        joins: "--cgroup",
        expected: &[
            ("gets", 101 + 37),
            ("get_errors", 37),
            ("attaches", 2 * 101 + 37),
            ("attach_errors", 37),
            ("detaches", 2 * 101 + 37),
            ("controls", 101 + 37),
        ],
        events: &["gets", "attaches", "detaches", "controls"],
        ..ALONE
    },
    Case {
        tool: "mountsnoop",
        // How many calls there are depends on what the kernel has.
        work: &["mounts", "--directory", "DIRECTORY", "--times", "23", "--fails", "7", "--moves", "5"],
        // Nor is it known what each detaches: its own namespace ends with all mounts of the machine, and where functions
        // can be watched this is its own doing (mountsnoop.rs has it).
        expected: &[("errors", 4 * 7), ("attached", 4 * 23 + 5)],
        events: &["errors", "attached"],
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
        work: &["cache", "--file", "DIRECTORY/file", "--do", "read", "--bytes", "4096", "--lock"],
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
        // The write that joins the cgroup ends inside it.
        expected: &[("reads", 2 * 401), ("writes", 1 + 211), ("read_errors", 0), ("opens", 0)],
        events: &["reads", "writes"],
        lost: 1,
        ..ALONE
    },
    Case {
        tool: "fdstat",
        work: &["fds", "--do", "opened", "--directory", "DIRECTORY"],
        // The file by which it joined is closed inside.
        expected: &[("opens", 401), ("open_errors", 0), ("closes", 401 + 1), ("close_errors", 0)],
        events: &["opens", "closes"],
        lost: 1,
        ..ALONE
    },
    Case {
        tool: "biolat",
        kinds: &["auto"],
        // Not on a file: the file system may add I/O of its own.
        work: &[
            "io", "--file", "DISK", "--from", "PLACE", "--reads", "401", "--writes", "211", "--bytes", "4096",
        ],
        expected: &[("count", 401 + 211), ("queue_count", 401 + 211), ("errors", 0)],
        interrupts: true,
        ..ALONE
    },
    Case {
        tool: "proclife",
        // On some kernels reaped processes are counted later.
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
        // One end of each connection sends 1001 + 14 n bytes and a header of 16, the other 20 003 +
        // 38 n.
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
        // The opening of an end counts, too.
        loses: 2,
        ..ALONE
    },
    Case {
        tool: "inetstat",
        work: &["inet", "--parts", "tcp4", "--here"],
        joins: "--cgroup",
        expected: &[
            ("sends", 401),
            ("send_errors", 0),
            ("tx_bytes", 401 * 1_001),
            // The last two are of nothing: each end has closed.
            ("receives", 401 + 2),
            ("rx_bytes", 401 * 1_001),
            ("accepts", 1),
            ("connects", 1),
        ],
        events: &["sends", "receives", "accepts", "connects"],
        lost: 1 + 1_001,
        ..ALONE
    },
    Case {
        tool: "dnslat",
        // Another process answers.
        work: &["dns", "--parts", "ok", "--here"],
        joins: "--cgroup",
        expected: &[("queries", 101), ("answers", 101), ("count", 101), ("nxdomain", 0), ("timeouts", 0)],
        events: &["queries", "answers"],
        lost: 3,
        ..ALONE
    },
];

/// Kills are not work that three processes can do, and swapping needs a swap area: `oomwatch.rs` and `swapstat.rs` test
/// their --by.
pub const TESTED_ELSEWHERE: &[&str] = &["oomwatch", "swapstat"];

impl Case {
    /// The sums of one process including all that it starts.
    pub fn in_all(&self) -> BTreeMap<&'static str, u64> {
        let mut sums = BTreeMap::new();
        let all = self.expected.iter().chain(self.children).chain(self.threads);
        all.for_each(|(field, number)| *sums.entry(*field).or_default() += number);
        sums
    }
}
