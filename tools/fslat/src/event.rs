//! From the bytes of an event in the ring buffer to its record.

use common::bpf::bytes::{chars, text};
use common::bpf::path;
use common::bpf::plain::{Plain, cast};
use record::histogram::micros;

use crate::row::{Event, FILE_SYSTEMS, OPS};
use crate::skel::types;

/// An asynchronous request that has only begun (`linux/errno.h`).
const EIOCBQUEUED: i64 = 529;

// SAFETY: generated from the C struct: integers, and arrays and structs of them.
unsafe impl Plain for types::event {}
// SAFETY: as above.
unsafe impl Plain for types::path_event {}

/// Reads a record of the ring buffer: its time (CLOCK_MONOTONIC, nanoseconds) and the event.
pub fn decode(bytes: &[u8]) -> Option<(u64, Event)> {
    let (raw, _) = cast::<types::event>(bytes)?;
    // If the file still exists, the record continues with its path.
    let with_path = cast::<types::path_event>(bytes).map(|(raw, _)| &raw.path);
    let key = raw.key as usize;
    let (fs, op) = (*FILE_SYSTEMS.get(key / OPS.len())?, OPS[key % OPS.len()]);
    let ret = raw.ret;
    let moves = matches!(op, "read" | "write");
    let event = Event {
        pid: raw.pid,
        tid: raw.tid,
        comm: text(chars(&raw.comm)),
        fs,
        op,
        path: with_path.and_then(|path| path::decode(path.len, path.end, &path.names)),
        bytes: u64::try_from(ret).ok().filter(|_| moves),
        offset: u64::try_from(raw.offset).ok().filter(|_| moves && ret != -EIOCBQUEUED),
        duration_us: micros(raw.duration_ns),
        ret,
    };
    Some((raw.ts_ns, event))
}

#[cfg(test)]
mod tests {
    use common::bpf::plain::bytes_of;

    use super::*;

    fn raw(key: u32, offset: i64, ret: i64) -> types::event {
        types::event {
            ts_ns: 7_000,
            duration_ns: 1_234_567,
            ret,
            offset,
            pid: 11,
            tid: 12,
            key,
            comm: b"dd\0rubbish......".map(|byte| byte as i8),
            ..Default::default()
        }
    }

    fn event(key: u32, offset: i64, ret: i64) -> Event {
        decode(bytes_of(&raw(key, offset, ret))).unwrap().1
    }

    #[test]
    fn a_write_tells_what_it_wrote_where() {
        let mut record = types::path_event { event: raw(6, 4_096, 512), ..Default::default() };
        (record.path.len, record.path.end) = (7, 1);
        record.path.names.iter_mut().zip(b"log\0db\0").for_each(|(place, byte)| *place = *byte as i8);
        let (ns, event) = decode(bytes_of(&record)).unwrap();
        assert_eq!((ns, event.pid, event.tid, event.comm.as_str()), (7_000, 11, 12, "dd"));
        assert_eq!((event.fs, event.op, event.path.as_deref()), ("xfs", "write", Some("/db/log")));
        assert_eq!((event.bytes, event.offset), (Some(512), Some(4_096)));
        assert_eq!((event.duration_us, event.ret), (1_234.567, 512));
    }

    #[test]
    fn what_does_not_exist_is_null() {
        let failed = event(0, 0, -14);
        assert_eq!((failed.bytes, failed.offset, failed.path, failed.ret), (None, Some(0), None, -14));
        let begun = event(0, -1, -529);
        assert_eq!((begun.bytes, begun.offset), (None, None));
        let synced = event(3, -1, 0);
        assert_eq!((synced.op, synced.bytes, synced.offset), ("sync", None, None));
    }

    #[test]
    fn rubbish_is_no_event() {
        assert!(decode(&[]).is_none());
        assert!(decode(bytes_of(&raw(35, 0, 0))).is_none());
        assert!(decode(&bytes_of(&raw(1, 0, 0))[..50]).is_none());
    }
}
