//! From the bytes of an event in the ring buffer to its record.

use common::bpf::bytes::{text, u32_at, u64_at};
use common::bpf::path;
use record::histogram::micros;

use crate::row::{CALLS, Event};

/// Places in `struct event` of `bpf/syncsnoop.bpf.c`.
const COMM: usize = 40;
const COMM_LEN: usize = 16;
const HEADER: usize = COMM + COMM_LEN;

/// Reads a record of the ring buffer: its time (CLOCK_MONOTONIC, nanoseconds) and the event.
pub fn decode(bytes: &[u8]) -> Option<(u64, Event)> {
    let call = *CALLS.get(u32_at(bytes, 36)? as usize)?;
    let event = Event {
        pid: u32_at(bytes, 24)?,
        tid: u32_at(bytes, 28)?,
        comm: text(bytes.get(COMM..HEADER)?),
        call,
        fd: (!matches!(call, "sync" | "msync")).then_some(u32_at(bytes, 32)? as i32),
        // If the file was open, the record continues with its path.
        path: path::decode(&bytes[HEADER..]),
        duration_us: micros(u64_at(bytes, 8)?),
        ret: u64_at(bytes, 16)? as i64,
    };
    Some((u64_at(bytes, 0)?, event))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(call: u32, fd: i32, ret: i64) -> Vec<u8> {
        let mut bytes = Vec::new();
        [7_000, 1_234_567, ret as u64].iter().for_each(|field: &u64| bytes.extend(field.to_ne_bytes()));
        [11, 12, fd as u32, call].iter().for_each(|field: &u32| bytes.extend(field.to_ne_bytes()));
        bytes.extend(b"dd\0rubbish......");
        bytes
    }

    #[test]
    fn a_call_with_a_file_tells_its_path() {
        let mut bytes = record(2, 3, 0);
        [7u32, 1].iter().for_each(|field| bytes.extend(field.to_ne_bytes()));
        bytes.extend(b"log\0db\0");
        let (ns, event) = decode(&bytes).unwrap();
        assert_eq!((ns, event.pid, event.tid, event.comm.as_str()), (7_000, 11, 12, "dd"));
        assert_eq!((event.call, event.fd, event.path.as_deref()), ("fsync", Some(3), Some("/db/log")));
        assert_eq!((event.duration_us, event.ret), (1_234.567, 0));
    }

    #[test]
    fn a_call_without_a_file_has_none() {
        let failed = decode(&record(5, -1, -9)).unwrap().1;
        assert_eq!(
            (failed.call, failed.fd, failed.path, failed.ret),
            ("sync_file_range", Some(-1), None, -9)
        );
        assert_eq!(decode(&record(0, -1, 0)).unwrap().1.fd, None);
        assert_eq!(decode(&record(4, -1, 0)).unwrap().1.fd, None);
    }

    #[test]
    fn rubbish_is_no_event() {
        assert!(decode(&[]).is_none());
        assert!(decode(&record(6, 0, 0)).is_none());
        assert!(decode(&record(1, 0, 0)[..50]).is_none());
    }
}
