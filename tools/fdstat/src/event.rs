//! From the bytes of an event in the ring buffer to its record.

use common::bpf::bytes::{chars, text};
use common::bpf::path;
use common::bpf::plain::{Plain, cast};
use record::histogram::micros;

use crate::flags;
use crate::row::{Counter, Event};
use crate::skel::types::{self, shape};

// SAFETY: generated from the C struct: integers, and arrays and structs of them.
unsafe impl Plain for types::event {}
// SAFETY: as above.
unsafe impl Plain for types::named_event {}
// SAFETY: as above.
unsafe impl Plain for types::below_event {}
// SAFETY: as above.
unsafe impl Plain for types::long_event {}
// SAFETY: as above.
unsafe impl Plain for types::file_event {}

/// Reads a record of the ring buffer: its time (CLOCK_MONOTONIC, nanoseconds) and the event.
pub fn decode(bytes: &[u8]) -> Option<(u64, Event)> {
    let (raw, _) = cast::<types::event>(bytes)?;
    let kind = Counter(raw.kind);
    let is_close = kind == Counter::CLOSE_ERRORS;
    let errno = raw.ret.checked_neg().and_then(|errno| u32::try_from(errno).ok()).filter(|errno| *errno > 0);
    let event = Event {
        event: match kind {
            Counter::OPENS => "open",
            Counter::OPEN_ERRORS => "open_error",
            Counter::CLOSE_ERRORS => "close_error",
            _ => return None,
        },
        pid: raw.pid,
        comm: text(chars(&raw.comm)),
        path: path(bytes, shape(raw.shape))?,
        flags: (!is_close).then(|| flags::text(raw.flags)),
        fd: match kind {
            Counter::OPENS => Some(raw.ret).filter(|fd| *fd >= 0),
            Counter::CLOSE_ERRORS => Some(raw.fd),
            _ => None,
        },
        errno: errno.filter(|_| kind != Counter::OPENS),
        duration_us: (!is_close || errno != Some(libc::EBADF as u32)).then(|| micros(raw.duration_ns)),
    };
    Some((raw.ts_ns, event))
}

/// The path of an event. `None` if it is no event of this shape; `Some(None)` if it has no path.
fn path(bytes: &[u8], told: shape) -> Option<Option<String>> {
    Some(match told {
        shape::NO_PATH => None,
        shape::AS_WRITTEN => Some(name(&cast::<types::named_event>(bytes)?.0.name)),
        shape::BELOW => {
            let (raw, _) = cast::<types::below_event>(bytes)?;
            Some(below(&raw.directory, &raw.name))
        }
        shape::LONG_BELOW => {
            let (raw, _) = cast::<types::long_event>(bytes)?;
            Some(below(&raw.directory, &raw.name))
        }
        shape::LONG_AS_WRITTEN => Some(name(&cast::<types::long_event>(bytes)?.0.name)),
        shape::OF_FILE => {
            let (raw, _) = cast::<types::file_event>(bytes)?;
            path::decode(raw.file.len, raw.file.end, &raw.file.names)
        }
        _ => return None,
    })
}

/// A name; one that fills its room to the last byte ends with `…`.
fn name(room: &[i8]) -> String {
    let written = chars(room);
    let text = text(written);
    if written.iter().position(|byte| *byte == 0).is_some_and(|end| end + 1 < room.len()) {
        text
    } else {
        format!("{text}…")
    }
}

/// A name below a directory.
fn below(directory: &types::path_names, room: &[i8]) -> String {
    let name = name(room);
    match path::decode(directory.len, directory.end, &directory.names) {
        Some(directory) if directory.ends_with('/') => format!("{directory}{name}"),
        Some(directory) => format!("{directory}/{name}"),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use common::bpf::plain::bytes_of;

    use super::*;

    fn raw(kind: Counter, told: shape, ret: i32) -> types::event {
        types::event {
            ts_ns: 7_000,
            duration_ns: 1_234_567,
            flags: libc::O_CLOEXEC as u64,
            ret,
            fd: 9,
            pid: 11,
            kind: kind.0,
            shape: told.0,
            unused: 0,
            comm: b"cat\0rubbish.....".map(|byte| byte as i8),
        }
    }

    fn set(room: &mut [i8], bytes: &[u8]) {
        room.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte as i8);
    }

    #[test]
    fn an_open_tells_path_flags_and_descriptor() {
        let event = raw(Counter::OPENS, shape::AS_WRITTEN, 3);
        let mut record = types::named_event { event, name: [-1; _] };
        set(&mut record.name, b"/etc/passwd\0");
        let (ns, event) = decode(bytes_of(&record)).unwrap();
        assert_eq!((ns, event.event, event.pid, event.comm.as_str()), (7_000, "open", 11, "cat"));
        assert_eq!((event.path.as_deref(), event.fd, event.errno), (Some("/etc/passwd"), Some(3), None));
        assert_eq!(
            (event.flags.as_deref(), event.duration_us),
            (Some("O_RDONLY|O_CLOEXEC"), Some(1_234.567))
        );
    }

    #[test]
    fn a_relative_path_has_its_directory_before_it() {
        let event = raw(Counter::OPEN_ERRORS, shape::BELOW, -2);
        let mut record = types::below_event { event, directory: types::path_names::default(), name: [-1; _] };
        (record.directory.len, record.directory.end) = (4, 1);
        set(&mut record.directory.names, b"b\0a\0");
        set(&mut record.name, b"../c\0");
        let event = decode(bytes_of(&record)).unwrap().1;
        assert_eq!((event.event, event.path.as_deref()), ("open_error", Some("/a/b/../c")));
        assert_eq!((event.fd, event.errno), (None, Some(2)));
        record.directory.len = 0;
        assert_eq!(decode(bytes_of(&record)).unwrap().1.path.as_deref(), Some("/../c"));
    }

    #[test]
    fn a_name_that_may_be_cut_says_so() {
        let event = raw(Counter::OPENS, shape::LONG_AS_WRITTEN, 3);
        let directory = types::path_names::default();
        let mut record = types::long_event { event, directory, name: [b'x' as i8; _] };
        let last = record.name.len() - 1;
        record.name[last] = 0;
        let path = decode(bytes_of(&record)).unwrap().1.path.unwrap();
        assert_eq!(path, format!("{}…", "x".repeat(last)));
        record.name[last - 1] = 0;
        let path = decode(bytes_of(&record)).unwrap().1.path.unwrap();
        assert_eq!(path, "x".repeat(last - 1));
    }

    #[test]
    fn a_failing_close_tells_descriptor_and_error() {
        let event = raw(Counter::CLOSE_ERRORS, shape::OF_FILE, -5);
        let mut record = types::file_event { event, file: types::path_names::default() };
        (record.file.len, record.file.end) = (2, 1);
        set(&mut record.file.names, b"f\0");
        let event = decode(bytes_of(&record)).unwrap().1;
        assert_eq!((event.event, event.path.as_deref(), event.flags), ("close_error", Some("/f"), None));
        assert_eq!((event.fd, event.errno, event.duration_us), (Some(9), Some(5), Some(1_234.567)));
        let none = decode(bytes_of(&raw(Counter::CLOSE_ERRORS, shape::NO_PATH, -9))).unwrap().1;
        assert_eq!((none.path, none.errno, none.duration_us), (None, Some(9), None));
    }

    #[test]
    fn what_is_not_known_is_null() {
        let failed = decode(bytes_of(&raw(Counter::OPEN_ERRORS, shape::NO_PATH, 0))).unwrap().1;
        assert_eq!((failed.path, failed.fd, failed.errno), (None, None, None));
        let opened = decode(bytes_of(&raw(Counter::OPENS, shape::NO_PATH, -1))).unwrap().1;
        assert_eq!((opened.fd, opened.errno), (None, None));
    }

    #[test]
    fn rubbish_is_no_event() {
        assert!(decode(&[]).is_none());
        assert!(decode(bytes_of(&raw(Counter::LOST, shape::NO_PATH, 0))).is_none());
        assert!(decode(bytes_of(&raw(Counter::OPENS, shape(77), 0))).is_none());
        assert!(decode(bytes_of(&raw(Counter::OPENS, shape::BELOW, 0))).is_none());
        let least = raw(Counter::OPEN_ERRORS, shape::NO_PATH, i32::MIN);
        assert_eq!(decode(bytes_of(&least)).unwrap().1.errno, None);
    }
}
