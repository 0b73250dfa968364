//! From the bytes of an event in the ring buffer to its record.

use common::bpf::bytes::{chars, text};
use common::bpf::plain::{Plain, cast};

use crate::row::{Kill, SCOPES};
use crate::skel::types;

/// A limit of this many pages or more means no limit: `PAGE_COUNTER_MAX` of the kernel's
/// page_counter.h, for the smallest pages.
const NO_LIMIT: u64 = (i64::MAX / 65_536) as u64;

// SAFETY: generated from the C struct: integers, and arrays and structs of them.
unsafe impl Plain for types::event {}

/// Reads a record of the ring buffer, of a kernel with pages of this many bytes: its time
/// (CLOCK_MONOTONIC, nanoseconds) and the kill.
pub fn decode(bytes: &[u8], page: u64) -> Option<(u64, Kill)> {
    let (raw, names) = cast::<types::event>(bytes)?;
    // A counter may be below 0 for a moment while it is updated.
    let pages = |pages: i64| pages.max(0) as u64 * page;
    let scope = SCOPES.get(raw.scope as usize).copied().flatten();
    let of_memcg = scope == Some("memcg");
    let (memcg, rest) = path(&raw.memcg, names)?;
    let (cgroup, _) = path(&raw.cgroup, rest)?;
    let kill = Kill {
        pid: raw.pid,
        comm: text(chars(&raw.comm)),
        uid: raw.uid,
        rss_anon_bytes: pages(raw.rss.anon),
        rss_file_bytes: pages(raw.rss.file),
        rss_shmem_bytes: pages(raw.rss.shmem),
        pgtables_bytes: raw.pgtables_bytes,
        oom_score_adj: raw.oom_score_adj,
        age_s: (raw.age_ns as f64 / 1e3).round() / 1e6,
        cgroup,
        scope,
        memcg: of_memcg.then_some(memcg),
        limit_bytes: (of_memcg && raw.limit_pages < NO_LIMIT).then(|| raw.limit_pages * page),
        usage_bytes: of_memcg.then(|| raw.usage_pages.saturating_mul(page)),
        trigger_pid: raw.trigger_pid,
        trigger_comm: text(chars(&raw.trigger_comm)),
        ppid: raw.ppid,
        parent: text(chars(&raw.parent_comm)),
    };
    Some((raw.ts_ns, kill))
}

/// The path of a cgroup and the remaining bytes. Its names are at the begin of `names`, its own first.
fn path<'a>(of: &types::names, names: &'a [u8]) -> Option<(String, &'a [u8])> {
    let (own, rest) = names.split_at_checked(of.len as usize)?;
    let own = own.strip_suffix(b"\0").unwrap_or(own);
    let mut own: Vec<_> = own.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    own.reverse();
    let start = if of.cut == 0 { "/" } else { "…/" };
    Some((format!("{start}{}", own.join("/")), rest))
}

#[cfg(test)]
mod tests {
    use common::bpf::plain::bytes_of;

    use super::*;

    // SAFETY: as for `types::event`.
    unsafe impl Plain for types::named_event {}

    fn record(scope: u32, limit_pages: u64, memcg: &[u8], cgroup: &[u8]) -> types::named_event {
        let comm = |comm: &[u8; 16]| comm.map(|byte| byte as i8);
        let event = types::event {
            ts_ns: 7_000,
            age_ns: 2_500_000_000,
            rss: types::rss { file: 3, anon: 100, shmem: -1 },
            pgtables_bytes: 8_192,
            limit_pages,
            usage_pages: 16_383,
            pid: 11,
            uid: 12,
            oom_score_adj: -17,
            scope,
            trigger_pid: 21,
            memcg: types::names { len: memcg.len() as u32, cut: 0 },
            cgroup: types::names { len: cgroup.len() as u32, cut: 1 },
            names_len: (memcg.len() + cgroup.len()) as u32,
            comm: comm(b"hog\0rubbish....."),
            trigger_comm: comm(b"dd\0rubbish......"),
            parent_comm: comm(b"sh\0rubbish......"),
            ppid: 5,
            ..Default::default()
        };
        let mut record = types::named_event { event, ..Default::default() };
        let names = memcg.iter().chain(cgroup);
        record.names.iter_mut().zip(names).for_each(|(place, byte)| *place = *byte as i8);
        record
    }

    /// As they are handed over: without the names' unused room.
    fn bytes(record: &types::named_event) -> &[u8] {
        &bytes_of(record)[..size_of::<types::event>() + record.event.names_len as usize]
    }

    fn kill(record: &types::named_event) -> Kill {
        decode(bytes(record), 4_096).unwrap().1
    }

    #[test]
    fn a_kill_for_a_limit_names_the_memcg() {
        let (ns, kill) =
            decode(bytes(&record(3, 16_384, b"web\0system.slice\0", b"web\0a\0")), 4_096).unwrap();
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
        let global = kill(&record(0, 0, b"", b""));
        assert_eq!((global.scope, global.memcg), (Some("global"), None));
        assert_eq!((global.limit_bytes, global.usage_bytes), (None, None));
        let scope = |number| kill(&record(number, 0, b"", b"")).scope;
        let scopes = [Some("cpuset"), Some("mempolicy"), None, Some("sysrq"), None];
        assert_eq!([1, 2, 4, 5, 9].map(scope), scopes);
    }

    #[test]
    fn the_root_of_memcgs_has_no_limit() {
        let root = kill(&record(3, i64::MAX as u64 / 4_096, b"", b""));
        assert_eq!((root.memcg.as_deref(), root.limit_bytes), (Some("/"), None));
    }

    #[test]
    fn rubbish_is_no_event() {
        assert!(decode(&[], 4_096).is_none());
        let whole = record(3, 1, b"a\0", b"b\0");
        assert!(decode(&bytes(&whole)[..bytes(&whole).len() - 1], 4_096).is_none());
    }
}
