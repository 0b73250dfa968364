//! From the bytes of an event in the ring buffer to its record.

use common::bpf::bytes::{text, u32_at, u64_at};

use crate::row::{Counter, Event};

/// `ARGV_LARGE` in `bpf/proclife.bpf.c`.
const ARGV_MAX: usize = 4096;
/// `PATH_LEN` in `bpf/proclife.bpf.c`.
const PATH_LEN: usize = 256;
/// Sizes and places in `struct event` of `bpf/proclife.bpf.c`.
const COMM: usize = 40;
const COMM_LEN: usize = 16;
const HEADER: usize = COMM + COMM_LEN;

/// Reads a record of the ring buffer: its time (CLOCK_MONOTONIC, nanoseconds) and the event.
pub fn decode(bytes: &[u8]) -> Option<(u64, Event)> {
    let ts_ns = u64_at(bytes, 0)?;
    let age_ns = u64_at(bytes, 8)?;
    let kind = u32_at(bytes, 16)?;
    let status = u32_at(bytes, 32)?;
    let argv_len = u32_at(bytes, 36)? as usize;
    let mut event = Event {
        event: "",
        pid: u32_at(bytes, 20)?,
        tid: u32_at(bytes, 24)?,
        ppid: u32_at(bytes, 28)?,
        comm: text(bytes.get(COMM..HEADER)?),
        path: None,
        argv: None,
        exit_code: None,
        signal: None,
        age_s: None,
        errno: None,
    };
    event.event = match kind {
        kind if kind == Counter::Forks as u32 => "fork",
        kind if kind == Counter::Threads as u32 => "thread",
        kind if kind == Counter::Execs as u32 => {
            let room = bytes.get(HEADER + PATH_LEN..)?;
            event.path = Some(text(bytes.get(HEADER..HEADER + PATH_LEN)?));
            event.argv = Some(argv(room.get(..argv_len.min(ARGV_MAX))?, argv_len > ARGV_MAX));
            "exec"
        }
        kind if kind == Counter::Exits as u32 || kind == Counter::ThreadExits as u32 => {
            // As in wait(2): the code in the second byte, the signal in the lower seven bits.
            let signal = (status & 0x7f) as u8;
            event.signal = (signal != 0).then_some(signal);
            event.exit_code = (signal == 0).then_some((status >> 8) as u8);
            event.age_s = Some((age_ns as f64 / 1e3).round() / 1e6);
            if kind == Counter::Exits as u32 { "exit" } else { "thread_exit" }
        }
        kind if kind == Counter::ForkErrors as u32 || kind == Counter::ExecErrors as u32 => {
            event.errno = Some((status as i32).unsigned_abs());
            if kind == Counter::ForkErrors as u32 { "fork_error" } else { "exec_error" }
        }
        _ => return None,
    };
    Some((ts_ns, event))
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
    use super::*;

    fn record(kind: Counter, status: i32, argv_len: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(7_000u64.to_ne_bytes());
        bytes.extend(2_500_000_000u64.to_ne_bytes());
        for field in [kind as u32, 11, 12, 13, status as u32, argv_len] {
            bytes.extend(field.to_ne_bytes());
        }
        bytes.extend(b"cat\0rubbish.....");
        bytes
    }

    fn exec(argv: &[u8], argv_len: u32) -> Event {
        let mut bytes = record(Counter::Execs, 0, argv_len);
        bytes.extend(b"/bin/cat\0");
        bytes.resize(HEADER + PATH_LEN, 0xff);
        bytes.extend(argv);
        bytes.resize(HEADER + PATH_LEN + ARGV_MAX, 0xff);
        decode(&bytes).unwrap().1
    }

    #[test]
    fn an_exit_tells_code_or_signal() {
        let (ns, event) = decode(&record(Counter::Exits, 3 << 8, 0)).unwrap();
        assert_eq!((ns, event.event, event.pid, event.tid, event.ppid), (7_000, "exit", 11, 12, 13));
        assert_eq!(
            (event.comm.as_str(), event.exit_code, event.signal, event.age_s),
            ("cat", Some(3), None, Some(2.5))
        );
        let killed = decode(&record(Counter::Exits, 9 | 0x80, 0)).unwrap().1;
        assert_eq!((killed.exit_code, killed.signal), (None, Some(9)));
    }

    #[test]
    fn an_error_tells_its_number() {
        let failed = decode(&record(Counter::ExecErrors, -2, 0)).unwrap().1;
        assert_eq!((failed.event, failed.errno), ("exec_error", Some(2)));
    }

    #[test]
    fn arguments_are_quoted_so_that_a_shell_reads_them_back() {
        let event = exec(b"cat\0a b\0\0it's\0", 14);
        assert_eq!(event.path.as_deref(), Some("/bin/cat"));
        assert_eq!(shlex::split(&event.argv.unwrap()).unwrap(), ["cat", "a b", "", "it's"]);
        assert_eq!(exec(b"", 0).argv.as_deref(), Some(""));
    }

    #[test]
    fn cut_arguments_say_so() {
        let argv = exec(&[b'x'; ARGV_MAX], ARGV_MAX as u32 + 1).argv.unwrap();
        assert!(argv.ends_with("x …"));
    }

    #[test]
    fn rubbish_is_no_event() {
        assert!(decode(&[]).is_none());
        assert!(decode(&record(Counter::Lost, 0, 0)).is_none());
        assert!(decode(&record(Counter::Execs, 0, 4)).is_none());
    }
}
