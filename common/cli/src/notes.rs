//! What tools cannot see on some kernels, as numbered notes: a short sentence for stderr, and the rest for `--explain`.
//! A number is an interface: it is never used for another note.

/// A note.
#[derive(Debug, PartialEq, Eq)]
pub struct Note {
    /// Its number: `N12`.
    pub number: u16,
    /// One short sentence.
    pub short: &'static str,
    /// All of it, as `--check` has it.
    pub long: &'static str,
}

const fn note(number: u16, short: &'static str, long: &'static str) -> Note {
    Note { number, short, long }
}

/// The note that a user names, as `N12` or `12`.
pub fn find(name: &str) -> Option<&'static Note> {
    let number = name.trim_start_matches(['N', 'n']).parse::<u16>().ok()?;
    ALL.iter().copied().find(|note| note.number == number)
}

/// What `--explain` says of a note.
pub fn explained(note: &Note, tool: &str) -> String {
    format!(
        "N{}: {}.\n\nIn full: {}.\nThis kernel, or --attach, allowed no better way to see it: `{tool} --check` names the hooks \
         concerned and why.\n",
        note.number, note.short, note.long
    )
}

/// Calls beyond max(10, 2 x CPUs) at once are missed.
pub const PROBED: Note = note(
    1,
    "calls beyond max(10, 2 x CPUs) at once are missed",
    "of concurrent calls only max(10, 2 x CPUs) are seen, on old kernels (5.10) one per CPU; lost counts the others from Linux 6.7 on",
);
/// Calls of 32-bit programs are missed.
pub const NATIVE_X86: Note =
    note(2, "calls of 32-bit programs are missed", "no calls of 32-bit programs on x86");
/// Calls of 32-bit programs are missed.
pub const NATIVE: Note = note(3, "calls of 32-bit programs are missed", "no calls of 32-bit programs");
/// Calls of 32-bit programs, and those beyond max(10, 2 x CPUs) at once, are missed.
pub const NATIVE_X86_PROBED: Note = note(
    4,
    "calls of 32-bit programs, and those beyond max(10, 2 x CPUs) at once, are missed",
    "no calls of 32-bit programs on x86, and of concurrent calls only max(10, 2 x CPUs), on old kernels (5.10) one per CPU; lost counts the others from Linux 6.7 on",
);
/// Calls of 32-bit programs, and those beyond max(10, 2 x CPUs) at once, are missed.
pub const NATIVE_PROBED: Note = note(
    5,
    "calls of 32-bit programs, and those beyond max(10, 2 x CPUs) at once, are missed",
    "no calls of 32-bit programs, and of concurrent calls only max(10, 2 x CPUs), on old kernels (5.10) one per CPU; lost counts the others from Linux 6.7 on",
);
/// Only calls of 64-bit programs are seen.
pub const SYSCALLS: Note = note(6, "only calls of 64-bit programs are seen", "only calls of 64-bit programs");
/// Only calls of 64-bit programs are seen, none by io_uring.
pub const SYSCALLS_TRIED: Note = note(
    7,
    "only calls of 64-bit programs are seen, none by io_uring",
    "only calls of 64-bit programs, none by io_uring; calls with a bad descriptor count, too",
);
/// Only processes of this PID namespace are seen.
pub const OWN_NAMESPACE: Note =
    note(8, "only processes of this PID namespace are seen", "only the processes of this PID namespace");
/// Reads that end early are over-counted, some spliced ones missed.
pub const READ_BATCHES: Note = note(
    11,
    "reads that end early are over-counted, some spliced ones missed",
    "a read that ends early counts as requested; a read by splice or io_uring that follows another to the same last page, from closer to it, is counted as a part of that read",
);
/// Reads that end early are over-counted here.
pub const READ_BEGINS: Note =
    note(12, "reads that end early are over-counted here", "a read that ends early counts as requested");
/// Faults count the pages around them here.
pub const FAULT_WINDOWS: Note = note(
    13,
    "faults count the pages around them here",
    "the pages around a fault that the kernel looks through count as mapped, present or not, and no more where it maps all of a large folio; what a task's next read of the same file fetches may count as the fault's",
);
/// Tasks that look up one new name at once count a miss each.
pub const DENTRIES: Note = note(
    14,
    "tasks that look up one new name at once count a miss each",
    "tasks that look up the same new name at once count a miss each, though one of them asks the file system",
);
/// Answers count when they arrive, addresses are those before NAT.
pub const DNS_ARRIVED: Note = note(
    21,
    "answers count when they arrive, addresses are those before NAT",
    "answers when they arrive, not when they are read; addresses as the network has them, before NAT; not what a driver has left in other pages than a packet's first",
);
/// Answers in other pages than a packet's first are lost.
pub const DNS_PAGES: Note = note(
    22,
    "answers in other pages than a packet's first are lost",
    "not what a driver has left in other pages than a packet's first: lost counts these answers",
);
/// Some answers over IPv6 have no data here.
pub const DNS_PAGES_OF_IPV6: Note = note(
    23,
    "some answers over IPv6 have no data here",
    "no data of answers over IPv6 that a driver has left in other pages than a packet's first",
);
/// Queries count when they are sent, addresses are those after NAT.
pub const DNS_QUEUED: Note = note(
    25,
    "queries count when they are sent, addresses are those after NAT",
    "addresses as the network has them, after NAT; a query that waits for its neighbour's hardware address is attributed to the task that is running when it is sent",
);
/// Queries over IPv6 are missed.
pub const DNS_WITHOUT_IPV6: Note = note(
    26,
    "queries over IPv6 are missed",
    "no queries over IPv6, whose functions this kernel does not have",
);
/// Only closes of 64-bit programs are seen, none by io_uring; dropped is null.
pub const CLOSE_CALLS: Note = note(
    31,
    "only closes of 64-bit programs are seen, none by io_uring; dropped is null",
    "only calls of 64-bit programs, none by io_uring, and dropped is not known",
);
/// Closes by io_uring of descriptors that are not open are missed.
pub const CLOSES_NOT_OPEN: Note = note(
    32,
    "closes by io_uring of descriptors that are not open are missed",
    "no closes by io_uring of descriptors that are not open",
);
/// Some failed closes, and closes beyond max(10, 2 x CPUs) at once, are missed.
pub const CLOSES_NOT_OPEN_PROBED: Note = note(
    33,
    "some failed closes, and closes beyond max(10, 2 x CPUs) at once, are missed",
    "no closes by io_uring of descriptors that are not open; of concurrent calls only max(10, 2 x CPUs), on old kernels (5.10) one per CPU; lost counts the others from Linux 6.7 on",
);
/// Closes by io_uring are in dropped.
pub const CLOSES_BY_URING: Note =
    note(34, "closes by io_uring are in dropped", "closes by io_uring are in dropped");
/// Closes by io_uring are in dropped; those beyond max(10, 2 x CPUs) at once are missed.
pub const CLOSES_BY_URING_PROBED: Note = note(
    35,
    "closes by io_uring are in dropped; those beyond max(10, 2 x CPUs) at once are missed",
    "closes by io_uring are in dropped; of concurrent calls only max(10, 2 x CPUs) are seen, on old kernels (5.10) one per CPU; lost counts the others from Linux 6.7 on",
);
/// Only calls of 64-bit programs are seen.
pub const OPEN_CALLS: Note = note(
    36,
    "only calls of 64-bit programs are seen",
    "only calls of 64-bit programs; those by io_uring only where functions can be watched",
);
/// Only opens by 64-bit programs that succeed are seen.
pub const FS_OPENED: Note = note(
    41,
    "only opens by 64-bit programs that succeed are seen",
    "system calls of 64-bit programs that opened a file, none that failed, by io_uring, the kernel or an overlay above; their times are those of the whole call, path look-up included",
);
/// Only system calls of 64-bit programs are seen, whole calls are timed.
pub const FS_SYSCALLS: Note = note(
    42,
    "only system calls of 64-bit programs are seen, whole calls are timed",
    "system calls of 64-bit programs only, none by io_uring, mmap, the kernel or an overlay above; their times are those of the whole call",
);
/// Only files of NFSv3 are seen.
pub const FS_NFS3: Note =
    note(43, "only files of NFSv3 are seen", "files of NFSv3 only: the module nfsv4 is not loaded");
/// Only files of NFSv3 are seen, and not all concurrent calls.
pub const FS_NFS3_PROBED: Note = note(
    44,
    "only files of NFSv3 are seen, and not all concurrent calls",
    "files of NFSv3 only: the module nfsv4 is not loaded; and of concurrent calls only max(10, 2 x CPUs)",
);
/// Accepts by io_uring and by 32-bit programs are missed.
pub const ACCEPT_CALLS: Note = note(
    51,
    "accepts by io_uring and by 32-bit programs are missed",
    "no accepts by io_uring and by 32-bit programs",
);
/// IPv6 sockets are missed.
pub const INET_WITHOUT_IPV6: Note =
    note(52, "IPv6 sockets are missed", "no IPv6 sockets, whose functions this kernel does not have");
/// Accepts by io_uring and by 32-bit programs belong to the process that closes them.
pub const ACCEPTERS: Note = note(
    53,
    "accepts by io_uring and by 32-bit programs belong to the process that closes them",
    "accepts by io_uring and by 32-bit programs are not seen: attributed to the process that closes them",
);
/// Scope and memcg are deduced.
pub const DEDUCED: Note = note(
    61,
    "scope and memcg are deduced",
    "scope and memcg are deduced: the one of the trigger's memory cgroups that is at its limit",
);
/// Clone3 that is refused early, and vforks beyond max(10, 2 x CPUs) at once, are missed.
pub const CLONES_PROBED: Note = note(
    62,
    "clone3 that is refused early, and vforks beyond max(10, 2 x CPUs) at once, are missed",
    "no clone3 that is refused for its arguments, or by seccomp, before a task is made; of concurrent vforks only max(10, 2 x CPUs), on old kernels (5.10) one per CPU; lost counts the others from Linux 6.7 on",
);
/// Clone3 that is refused early is missed.
pub const CLONES_REFUSED_EARLY: Note = note(
    63,
    "clone3 that is refused early is missed",
    "no clone3 that is refused for its arguments, or by seccomp, before a task is made",
);
/// A page that a disk in memory fails to take counts twice.
pub const SWAP_TAKEN: Note = note(
    64,
    "a page that a disk in memory fails to take counts twice",
    "a page that a disk in memory fails to take counts twice",
);

/// All notes, by their numbers.
const ALL: &[&Note] = &[
    &PROBED,
    &NATIVE_X86,
    &NATIVE,
    &NATIVE_X86_PROBED,
    &NATIVE_PROBED,
    &SYSCALLS,
    &SYSCALLS_TRIED,
    &OWN_NAMESPACE,
    &READ_BATCHES,
    &READ_BEGINS,
    &FAULT_WINDOWS,
    &DENTRIES,
    &DNS_ARRIVED,
    &DNS_PAGES,
    &DNS_PAGES_OF_IPV6,
    &DNS_QUEUED,
    &DNS_WITHOUT_IPV6,
    &CLOSE_CALLS,
    &CLOSES_NOT_OPEN,
    &CLOSES_NOT_OPEN_PROBED,
    &CLOSES_BY_URING,
    &CLOSES_BY_URING_PROBED,
    &OPEN_CALLS,
    &FS_OPENED,
    &FS_SYSCALLS,
    &FS_NFS3,
    &FS_NFS3_PROBED,
    &ACCEPT_CALLS,
    &INET_WITHOUT_IPV6,
    &ACCEPTERS,
    &DEDUCED,
    &CLONES_PROBED,
    &CLONES_REFUSED_EARLY,
    &SWAP_TAKEN,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_of_one_note_and_each_sentence_short() {
        for (index, note) in ALL.iter().enumerate() {
            assert!(index == 0 || ALL[index - 1].number < note.number, "N{}", note.number);
            assert!(note.short.len() <= 90 && !note.short.ends_with('.'), "N{}", note.number);
        }
        assert_eq!(find("N12"), Some(&READ_BEGINS));
        assert_eq!(find("n12"), find("12"));
        assert_eq!((find("N9"), find("x"), find("")), (None, None, None));
        assert!(explained(&READ_BEGINS, "cachestat").contains(READ_BEGINS.long));
    }
}
