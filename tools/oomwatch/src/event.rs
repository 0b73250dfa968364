//! From the bytes of an event in the ring buffer to its record.

use common::bpf::bytes::{text, u32_at, u64_at};

use crate::row::{Kill, SCOPES};

/// Places in `struct event` of `bpf/oomwatch.bpf.c`.
const MEMCG: usize = 84;
const CGROUP: usize = 92;
const COMM: usize = 104;
const TRIGGER_COMM: usize = 120;
const PARENT_COMM: usize = 136;
const PPID: usize = 152;
const NAMES: usize = 156;
const COMM_LEN: usize = 16;
/// A limit of this many pages or more means no limit: `PAGE_COUNTER_MAX` of the kernel's
/// page_counter.h, for the smallest pages.
const NO_LIMIT: u64 = (i64::MAX / 65_536) as u64;

/// Reads a record of the ring buffer, of a kernel with pages of this many bytes: its time
/// (CLOCK_MONOTONIC, nanoseconds) and the kill.
pub fn decode(bytes: &[u8], page: u64) -> Option<(u64, Kill)> {
    // A counter may be below 0 for a moment while it is updated.
    let pages = |at| Some((u64_at(bytes, at)? as i64).max(0) as u64 * page);
    let scope = SCOPES.get(u32_at(bytes, 76)? as usize).copied().flatten();
    let of_memcg = scope == Some("memcg");
    let (limit, usage) = (u64_at(bytes, 48)?, u64_at(bytes, 56)?);
    let (memcg, rest) = path(bytes, MEMCG, bytes.get(NAMES..)?)?;
    let (cgroup, _) = path(bytes, CGROUP, rest)?;
    let kill = Kill {
        pid: u32_at(bytes, 64)?,
        comm: text(bytes.get(COMM..COMM + COMM_LEN)?),
        uid: u32_at(bytes, 68)?,
        rss_anon_bytes: pages(24)?,
        rss_file_bytes: pages(16)?,
        rss_shmem_bytes: pages(32)?,
        pgtables_bytes: u64_at(bytes, 40)?,
        oom_score_adj: u32_at(bytes, 72)? as i32,
        age_s: (u64_at(bytes, 8)? as f64 / 1e3).round() / 1e6,
        cgroup,
        scope,
        memcg: of_memcg.then_some(memcg),
        limit_bytes: (of_memcg && limit < NO_LIMIT).then(|| limit * page),
        usage_bytes: of_memcg.then(|| usage.saturating_mul(page)),
        trigger_pid: u32_at(bytes, 80)?,
        trigger_comm: text(bytes.get(TRIGGER_COMM..PARENT_COMM)?),
        ppid: u32_at(bytes, PPID)?,
        parent: text(bytes.get(PARENT_COMM..PPID)?),
    };
    Some((u64_at(bytes, 0)?, kill))
}

/// The path of a cgroup and the remaining bytes. Its `struct names` is at `at`, its names are at
/// the begin of `names`, its own first.
fn path<'a>(bytes: &[u8], at: usize, names: &'a [u8]) -> Option<(String, &'a [u8])> {
    let (own, rest) = names.split_at_checked(u32_at(bytes, at)? as usize)?;
    let own = own.strip_suffix(b"\0").unwrap_or(own);
    let mut own: Vec<_> = own.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    own.reverse();
    let start = if u32_at(bytes, at + 4)? == 0 { "/" } else { "…/" };
    Some((format!("{start}{}", own.join("/")), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(scope: u32, limit: u64, memcg: &[u8], cgroup: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let long: [u64; 8] = [7_000, 2_500_000_000, 3, 100, -1i64 as u64, 8_192, limit, 16_383];
        long.iter().for_each(|field| bytes.extend(field.to_ne_bytes()));
        let lengths = [memcg.len() as u32, 0, cgroup.len() as u32, 1, (memcg.len() + cgroup.len()) as u32];
        let short = [11, 12, -17i32 as u32, scope, 21].into_iter().chain(lengths);
        short.for_each(|field| bytes.extend(field.to_ne_bytes()));
        bytes.extend(b"hog\0rubbish.....dd\0rubbish......sh\0rubbish......");
        bytes.extend(5u32.to_ne_bytes());
        bytes.extend(memcg);
        bytes.extend(cgroup);
        bytes
    }

    #[test]
    fn a_kill_for_a_limit_names_the_memcg() {
        let (ns, kill) = decode(&record(3, 16_384, b"web\0system.slice\0", b"web\0a\0"), 4_096).unwrap();
        assert_eq!((ns, kill.pid, kill.uid, kill.comm.as_str()), (7_000, 11, 12, "hog"));
        assert_eq!((kill.rss_file_bytes, kill.rss_anon_bytes, kill.rss_shmem_bytes), (12_288, 409_600, 0));
        assert_eq!((kill.pgtables_bytes, kill.oom_score_adj, kill.age_s), (8_192, -17, 2.5));
        assert_eq!((kill.scope, kill.memcg.as_deref()), (Some("memcg"), Some("/system.slice/web")));
        assert_eq!((kill.limit_bytes, kill.usage_bytes), (Some(64 << 20), Some((64 << 20) - 4_096)));
        assert_eq!((kill.trigger_pid, kill.trigger_comm.as_str()), (21, "dd"));
        assert_eq!((kill.ppid, kill.parent.as_str()), (5, "sh"));
        // Truncated, according to the test's record.
        assert_eq!(kill.cgroup, "…/a/web");
    }

    #[test]
    fn what_is_short_of_no_memcg_has_none() {
        let global = decode(&record(0, 0, b"", b""), 4_096).unwrap().1;
        assert_eq!((global.scope, global.memcg), (Some("global"), None));
        assert_eq!((global.limit_bytes, global.usage_bytes), (None, None));
        let scope = |number| decode(&record(number, 0, b"", b""), 4_096).unwrap().1.scope;
        assert_eq!([1, 2, 4, 9].map(scope), [Some("cpuset"), Some("mempolicy"), None, None]);
    }

    #[test]
    fn the_root_of_memcgs_has_no_limit() {
        let root = decode(&record(3, i64::MAX as u64 / 4_096, b"", b""), 4_096).unwrap().1;
        assert_eq!((root.memcg.as_deref(), root.limit_bytes), (Some("/"), None));
    }

    #[test]
    fn rubbish_is_no_event() {
        assert!(decode(&[], 4_096).is_none());
        let whole = record(3, 1, b"a\0", b"b\0");
        assert!(decode(&whole[..whole.len() - 1], 4_096).is_none());
    }
}
