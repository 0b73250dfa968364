//! From the bytes of an event in the ring buffer to its record.

use common::bpf::bytes::{chars, text};
use common::bpf::path;
use common::bpf::plain::{Plain, cast};
use record::histogram::micros;

use crate::row::{CALLS, Event};
use crate::skel::types;

// SAFETY: generated from the C struct: integers, and arrays and structs of them.
unsafe impl Plain for types::event {}
// SAFETY: as above.
unsafe impl Plain for types::path_event {}

/// Reads a record of the ring buffer: its time (CLOCK_MONOTONIC, nanoseconds) and the event.
pub fn decode(bytes: &[u8]) -> Option<(u64, Event)> {
    let (raw, _) = cast::<types::event>(bytes)?;
    // If the file was open, the record continues with its path.
    let with_path = cast::<types::path_event>(bytes).map(|(raw, _)| &raw.path);
    let call = *CALLS.get(raw.call as usize)?;
    let event = Event {
        pid: raw.pid,
        tid: raw.tid,
        comm: text(chars(&raw.comm)),
        call,
        fd: (!matches!(call, "sync" | "msync")).then_some(raw.fd),
        path: with_path.and_then(|path| path::decode(path.len, path.end, &path.names)),
        duration_us: micros(raw.duration_ns),
        ret: raw.ret,
    };
    Some((raw.ts_ns, event))
}

#[cfg(test)]
mod tests {
    use common::bpf::plain::bytes_of;

    use super::*;

    fn raw(call: u32, fd: i32, ret: i64) -> types::event {
        let comm = b"dd\0rubbish......".map(|byte| byte as i8);
        types::event { ts_ns: 7_000, duration_ns: 1_234_567, ret, pid: 11, tid: 12, fd, call, comm }
    }

    fn event(call: u32, fd: i32, ret: i64) -> Event {
        decode(bytes_of(&raw(call, fd, ret))).unwrap().1
    }

    #[test]
    fn a_call_with_a_file_tells_its_path() {
        let mut record = types::path_event { event: raw(2, 3, 0), ..Default::default() };
        (record.path.len, record.path.end) = (7, 1);
        record.path.names.iter_mut().zip(b"log\0db\0").for_each(|(place, byte)| *place = *byte as i8);
        let (ns, event) = decode(bytes_of(&record)).unwrap();
        assert_eq!((ns, event.pid, event.tid, event.comm.as_str()), (7_000, 11, 12, "dd"));
        assert_eq!((event.call, event.fd, event.path.as_deref()), ("fsync", Some(3), Some("/db/log")));
        assert_eq!((event.duration_us, event.ret), (1_234.567, 0));
    }

    #[test]
    fn a_call_without_a_file_has_none() {
        let failed = event(5, -1, -9);
        assert_eq!(
            (failed.call, failed.fd, failed.path, failed.ret),
            ("sync_file_range", Some(-1), None, -9)
        );
        assert_eq!(event(0, -1, 0).fd, None);
        assert_eq!(event(4, -1, 0).fd, None);
    }

    #[test]
    fn rubbish_is_no_event() {
        assert!(decode(&[]).is_none());
        assert!(decode(bytes_of(&raw(6, 0, 0))).is_none());
        assert!(decode(&bytes_of(&raw(1, 0, 0))[..50]).is_none());
    }
}
