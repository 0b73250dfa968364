//! From the bytes of an event in the ring buffer to its record.

use common::bpf::bytes::{chars, text};
use common::bpf::plain::{Plain, cast};

use crate::row::{Counter, Event};
use crate::skel::types;

// SAFETY: generated from the C struct: integers, and arrays and structs of them.
unsafe impl Plain for types::event {}
// SAFETY: as above.
unsafe impl Plain for types::exec_event {}
// SAFETY: as above.
unsafe impl Plain for types::exec_event_large {}

/// Reads a record of the ring buffer: its time (CLOCK_MONOTONIC, nanoseconds) and the event.
pub fn decode(bytes: &[u8]) -> Option<(u64, Event)> {
    let (raw, _) = cast::<types::event>(bytes)?;
    let mut event = Event {
        event: "",
        pid: raw.pid,
        tid: raw.tid,
        ppid: raw.ppid,
        comm: text(chars(&raw.comm)),
        path: None,
        argv: None,
        exit_code: None,
        signal: None,
        age_s: None,
        errno: None,
    };
    let kind = Counter(raw.kind);
    event.event = match kind {
        Counter::FORKS => "fork",
        Counter::THREADS => "thread",
        Counter::EXECS => {
            let (path, room) = exec(bytes)?;
            let len = raw.argv_len as usize;
            event.path = Some(text(chars(path)));
            event.argv = Some(argv(&chars(room)[..len.min(room.len())], len > room.len()));
            "exec"
        }
        Counter::EXITS | Counter::THREAD_EXITS => {
            // As in wait(2): the code in the second byte, the signal in the lower seven bits.
            let signal = (raw.status & 0x7f) as u8;
            event.signal = (signal != 0).then_some(signal);
            event.exit_code = (signal == 0).then_some((raw.status >> 8) as u8);
            event.age_s = Some((raw.age_ns as f64 / 1e3).round() / 1e6);
            if kind == Counter::EXITS { "exit" } else { "thread_exit" }
        }
        Counter::FORK_ERRORS | Counter::EXEC_ERRORS => {
            event.errno = Some(raw.status.unsigned_abs());
            if kind == Counter::FORK_ERRORS { "fork_error" } else { "exec_error" }
        }
        _ => return None,
    };
    Some((raw.ts_ns, event))
}

/// The path of an exec, and the room for its arguments, of which there are two sizes.
fn exec(bytes: &[u8]) -> Option<(&[i8], &[i8])> {
    if let Some((large, _)) = cast::<types::exec_event_large>(bytes) {
        return Some((&large.path, &large.argv));
    }
    cast::<types::exec_event>(bytes).map(|(small, _)| (&small.path[..], &small.argv[..]))
}

/// Arguments end with a NUL each; returned as a line that a shell would parse to the same
/// arguments.
fn argv(bytes: &[u8], cut: bool) -> String {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    if bytes.is_empty() {
        return String::new();
    }
    let words = bytes.split(|byte| *byte == 0).map(|word| {
        let word = String::from_utf8_lossy(word);
        // Only a NUL cannot be quoted, and none is left.
        shlex::try_quote(&word).map(|quoted| quoted.into_owned()).unwrap_or_else(|_| word.into_owned())
    });
    let mut line = words.collect::<Vec<_>>().join(" ");
    if cut {
        line.push_str(" …");
    }
    line
}

#[cfg(test)]
mod tests {
    use common::bpf::plain::bytes_of;

    use super::*;

    fn raw(kind: Counter, status: i32, argv_len: u32) -> types::event {
        types::event {
            ts_ns: 7_000,
            age_ns: 2_500_000_000,
            kind: kind.0,
            pid: 11,
            tid: 12,
            ppid: 13,
            status,
            argv_len,
            comm: b"cat\0rubbish.....".map(|byte| byte as i8),
        }
    }

    fn set(room: &mut [i8], bytes: &[u8]) {
        room.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte as i8);
    }

    fn exec(argv: &[u8]) -> Event {
        let event = raw(Counter::EXECS, 0, argv.len() as u32);
        let mut small = types::exec_event { event, path: [-1; _], argv: [-1; _] };
        let mut large = types::exec_event_large { event, path: [-1; _], argv: [-1; _] };
        if argv.len() <= small.argv.len() {
            set(&mut small.path, b"/bin/cat\0");
            set(&mut small.argv, argv);
            return decode(bytes_of(&small)).unwrap().1;
        }
        set(&mut large.path, b"/bin/cat\0");
        set(&mut large.argv, argv);
        decode(bytes_of(&large)).unwrap().1
    }

    #[test]
    fn an_exit_tells_code_or_signal() {
        let (ns, event) = decode(bytes_of(&raw(Counter::EXITS, 3 << 8, 0))).unwrap();
        assert_eq!((ns, event.event, event.pid, event.tid, event.ppid), (7_000, "exit", 11, 12, 13));
        assert_eq!(
            (event.comm.as_str(), event.exit_code, event.signal, event.age_s),
            ("cat", Some(3), None, Some(2.5))
        );
        let killed = decode(bytes_of(&raw(Counter::EXITS, 9 | 0x80, 0))).unwrap().1;
        assert_eq!((killed.exit_code, killed.signal), (None, Some(9)));
    }

    #[test]
    fn an_error_tells_its_number() {
        let failed = decode(bytes_of(&raw(Counter::EXEC_ERRORS, -2, 0))).unwrap().1;
        assert_eq!((failed.event, failed.errno), ("exec_error", Some(2)));
    }

    #[test]
    fn arguments_are_quoted_so_that_a_shell_reads_them_back() {
        let event = exec(b"cat\0a b\0\0it's\0");
        assert_eq!(event.path.as_deref(), Some("/bin/cat"));
        assert_eq!(shlex::split(&event.argv.unwrap()).unwrap(), ["cat", "a b", "", "it's"]);
        assert_eq!(exec(b"").argv.as_deref(), Some(""));
    }

    #[test]
    fn cut_arguments_say_so() {
        let argv = exec(&[b'x'; 4_097]).argv.unwrap();
        assert_eq!(argv, format!("{} …", "x".repeat(4_096)));
        assert_eq!(exec(&[b'x'; 4_096]).argv.unwrap().len(), 4_096);
    }

    #[test]
    fn rubbish_is_no_event() {
        assert!(decode(&[]).is_none());
        assert!(decode(bytes_of(&raw(Counter::LOST, 0, 0))).is_none());
        assert!(decode(bytes_of(&raw(Counter::EXECS, 0, 4))).is_none());
    }
}
