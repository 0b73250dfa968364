//! From the bytes of an event in the ring buffer to its record.

use common::bpf::bytes::{chars, text};
use common::bpf::plain::{Plain, cast};
use common::measure::bits;
use record::histogram::micros;

use crate::flags;
use crate::row::{CALLS, Event, changes};
use crate::skel::types::{self, call as Call};

// SAFETY: generated from the C struct: integers, and arrays of them.
unsafe impl Plain for types::event {}

/// Reads a record of the ring buffer: its time (CLOCK_MONOTONIC, nanoseconds) and the event.
pub fn decode(bytes: &[u8]) -> Option<(u64, Event)> {
    let (raw, _) = cast::<types::event>(bytes)?;
    let call = Call(raw.call);
    let succeeded = raw.ret >= 0;
    let ended = call == Call::NS_END;
    let (attached, detached) = changes(call, u64::from(succeeded), raw.gone.into());
    let options = match call {
        Call::FSMOUNT => Some(bits::names(raw.attributes, flags::ATTRIBUTES)),
        Call::FSCONFIG => Some(flags::command(raw.command)),
        _ => words(&raw.options, raw.options_len),
    };
    let event = Event {
        call: CALLS.get(raw.call as usize)?,
        pid: raw.pid,
        comm: text(chars(&raw.comm)),
        mntns: raw.mntns,
        source: words(&raw.source, raw.source_len),
        target: words(&raw.target, raw.target_len),
        fs: words(&raw.fs, raw.fs_len),
        flags: flags::of(call, raw.flags).map(|known| bits::names(raw.flags, known)),
        options,
        attached,
        detached,
        mounts: (!ended).then_some(raw.mounts),
        duration_us: micros(raw.duration_ns),
        ret: (succeeded && !ended).then_some(raw.ret),
        errno: (!succeeded).then(|| raw.ret.unsigned_abs() as u32),
    };
    Some((raw.ts_ns, event))
}

/// A text of so many bytes with its NUL; one that filled its room may have been longer.
fn words(bytes: &[i8], len: i32) -> Option<String> {
    let len = usize::try_from(len).ok().filter(|len| *len > 0)?;
    let mut words = text(chars(bytes.get(..len)?));
    if len == bytes.len() {
        words.push('…');
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use common::bpf::plain::bytes_of;

    use super::*;

    fn put(to: &mut [i8], text: &str) -> i32 {
        to.iter_mut().zip(text.bytes().chain([0])).for_each(|(place, byte)| *place = byte as i8);
        (text.len() + 1).min(to.len()) as i32
    }

    fn raw(call: Call, ret: i64, flags: u64) -> types::event {
        let comm = b"mount\0rubbish...".map(|byte| byte as i8);
        types::event {
            ts_ns: 7_000,
            duration_ns: 1_500,
            ret,
            flags,
            pid: 11,
            call: call.0,
            mntns: 9,
            mounts: 31,
            comm,
            ..Default::default()
        }
    }

    #[test]
    fn a_mount_tells_its_texts() {
        let mut raw = raw(Call::MOUNT, 0, 6);
        raw.source_len = put(&mut raw.source, "none");
        raw.target_len = put(&mut raw.target, "/mnt");
        raw.fs_len = put(&mut raw.fs, "tmpfs");
        raw.options_len = put(&mut raw.options, &"x".repeat(300));
        let (ns, event) = decode(bytes_of(&raw)).unwrap();
        assert_eq!((ns, event.pid, event.comm.as_str(), event.mntns), (7_000, 11, "mount", 9));
        assert_eq!((event.source.as_deref(), event.target.as_deref()), (Some("none"), Some("/mnt")));
        assert_eq!(
            (event.fs.as_deref(), event.flags.as_deref()),
            (Some("tmpfs"), Some("MS_NOSUID|MS_NODEV"))
        );
        assert_eq!(event.options.unwrap(), format!("{}…", "x".repeat(256)));
        assert_eq!((event.attached, event.detached, event.mounts), (1, 0, Some(31)));
        assert_eq!((event.ret, event.errno), (Some(0), None));
    }

    #[test]
    fn flags_are_those_of_the_call() {
        let of = |call, flags| decode(bytes_of(&raw(call, -22, flags))).unwrap().1;
        let gone = of(Call::UMOUNT, 2);
        assert_eq!(
            (gone.flags.as_deref(), gone.ret, gone.errno, gone.detached),
            (Some("MNT_DETACH"), None, Some(22), 0)
        );
        assert_eq!(of(Call::MOVE_MOUNT, 4).flags.as_deref(), Some("MOVE_MOUNT_F_EMPTY_PATH"));
        assert_eq!(of(Call::MOVE, 4).flags.as_deref(), Some("MOVE_MOUNT_F_EMPTY_PATH"));
        assert_eq!(of(Call::MOVE, 1 << 13).flags.as_deref(), Some("MS_MOVE"));
        assert_eq!(of(Call::PIVOT_ROOT, 0).flags, None);
    }

    #[test]
    fn an_ended_namespace_tells_its_mounts() {
        let mut raw = raw(Call::NS_END, 0, 0);
        raw.gone = 25;
        let (_, ended) = decode(bytes_of(&raw)).unwrap();
        assert_eq!(
            (ended.call, ended.detached, ended.mounts, ended.ret, ended.flags),
            ("ns_end", 25, None, None, None)
        );
    }
}
