//! From the bytes of an event in the ring buffer to its record.

use common::bpf::bytes::{text, u32_at, u64_at};
use common::bpf::path;
use record::histogram::micros;

use crate::row::{Event, FILE_SYSTEMS, OPS};

/// Places in `struct event` of `bpf/fslat.bpf.c`.
const COMM: usize = 48;
const COMM_LEN: usize = 16;
const HEADER: usize = COMM + COMM_LEN;
/// An asynchronous request that has only begun (`linux/errno.h`).
const EIOCBQUEUED: i64 = 529;

/// Reads a record of the ring buffer: its time (CLOCK_MONOTONIC, nanoseconds) and the event.
pub fn decode(bytes: &[u8]) -> Option<(u64, Event)> {
    let key = u32_at(bytes, 40)? as usize;
    let (fs, op) = (*FILE_SYSTEMS.get(key / OPS.len())?, OPS[key % OPS.len()]);
    let ret = u64_at(bytes, 16)? as i64;
    let moves = matches!(op, "read" | "write");
    let event = Event {
        pid: u32_at(bytes, 32)?,
        tid: u32_at(bytes, 36)?,
        comm: text(bytes.get(COMM..HEADER)?),
        fs,
        op,
        // If the file still exists, the record continues with its path.
        path: path::decode(&bytes[HEADER..]),
        bytes: u64::try_from(ret).ok().filter(|_| moves),
        offset: u64::try_from(u64_at(bytes, 24)? as i64).ok().filter(|_| moves && ret != -EIOCBQUEUED),
        duration_us: micros(u64_at(bytes, 8)?),
        ret,
    };
    Some((u64_at(bytes, 0)?, event))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: u32, offset: i64, ret: i64) -> Vec<u8> {
        let mut bytes = Vec::new();
        [7_000, 1_234_567, ret as u64, offset as u64]
            .iter()
            .for_each(|field: &u64| bytes.extend(field.to_ne_bytes()));
        [11, 12, key, 0].iter().for_each(|field: &u32| bytes.extend(field.to_ne_bytes()));
        bytes.extend(b"dd\0rubbish......");
        bytes
    }

    #[test]
    fn a_write_tells_what_it_wrote_where() {
        let mut bytes = record(6, 4_096, 512);
        [7u32, 1].iter().for_each(|field| bytes.extend(field.to_ne_bytes()));
        bytes.extend(b"log\0db\0");
        let (ns, event) = decode(&bytes).unwrap();
        assert_eq!((ns, event.pid, event.tid, event.comm.as_str()), (7_000, 11, 12, "dd"));
        assert_eq!((event.fs, event.op, event.path.as_deref()), ("xfs", "write", Some("/db/log")));
        assert_eq!((event.bytes, event.offset), (Some(512), Some(4_096)));
        assert_eq!((event.duration_us, event.ret), (1_234.567, 512));
    }

    #[test]
    fn what_does_not_exist_is_null() {
        let failed = decode(&record(0, 0, -14)).unwrap().1;
        assert_eq!((failed.bytes, failed.offset, failed.path, failed.ret), (None, Some(0), None, -14));
        let begun = decode(&record(0, -1, -529)).unwrap().1;
        assert_eq!((begun.bytes, begun.offset), (None, None));
        let synced = decode(&record(3, -1, 0)).unwrap().1;
        assert_eq!((synced.op, synced.bytes, synced.offset), ("sync", None, None));
    }

    #[test]
    fn rubbish_is_no_event() {
        assert!(decode(&[]).is_none());
        assert!(decode(&record(35, 0, 0)).is_none());
        assert!(decode(&record(1, 0, 0)[..50]).is_none());
    }
}
