//! From the bytes of an event in the ring buffer to its record.

use common::bpf::bytes::{chars, text};
use common::bpf::plain::{Plain, cast};
use common::measure::bits;
use record::histogram::micros;

use crate::row::Event;
use crate::skel::names::CALL as CALLS;
use crate::skel::types::{self, call as Call};

// SAFETY: generated from the C struct: integers, and arrays of them.
unsafe impl Plain for types::event {}

/// The permissions among the flags of shmget (`S_IRWXUGO`).
const PERMISSIONS: u32 = 0o777;
/// The other flags of shmget (`include/uapi/linux/ipc.h`, `shm.h`).
const GET: &[(u64, &str)] =
    &[(0o1000, "IPC_CREAT"), (0o2000, "IPC_EXCL"), (0o4000, "SHM_HUGETLB"), (0o10000, "SHM_NORESERVE")];
/// The flags of shmat.
const ATTACH: &[(u64, &str)] =
    &[(0o10000, "SHM_RDONLY"), (0o20000, "SHM_RND"), (0o40000, "SHM_REMAP"), (0o100000, "SHM_EXEC")];
/// The commands of shmctl, each with its number.
const COMMANDS: &[(u32, &str)] = &[
    (0, "IPC_RMID"),
    (1, "IPC_SET"),
    (2, "IPC_STAT"),
    (3, "IPC_INFO"),
    (11, "SHM_LOCK"),
    (12, "SHM_UNLOCK"),
    (13, "SHM_STAT"),
    (14, "SHM_INFO"),
    (15, "SHM_STAT_ANY"),
];
/// That a program knows the structures of Linux 2.2 and later, beside the command (`IPC_64`).
const NEW_STRUCTURES: u32 = 0x100;

/// Reads a record of the ring buffer: its time (CLOCK_MONOTONIC, nanoseconds) and the event.
pub fn decode(bytes: &[u8]) -> Option<(u64, Event)> {
    let (raw, _) = cast::<types::event>(bytes)?;
    let call = Call(raw.call);
    let succeeded = raw.ret >= 0;
    let returned = succeeded.then_some(raw.ret);
    let (get, attach, control) = (call == Call::GET, call == Call::ATTACH, call == Call::CONTROL);
    let addr = if attach && succeeded { raw.ret as u64 } else { raw.addr };
    let event = Event {
        call: CALLS.get(raw.call as usize)?,
        pid: raw.pid,
        comm: text(chars(&raw.comm)),
        key: get.then(|| format!("{:#010x}", raw.id)),
        shmid: if get { returned.map(|id| id as i32) } else { (attach || control).then_some(raw.id) },
        size_bytes: get.then_some(raw.size),
        addr: (attach || call == Call::DETACH).then(|| format!("{addr:#x}")),
        flags: if get {
            Some(get_flags(raw.flags))
        } else {
            attach.then(|| bits::names(raw.flags.into(), ATTACH))
        },
        cmd: control.then(|| command(raw.cmd & !NEW_STRUCTURES)),
        duration_us: micros(raw.duration_ns),
        ret: returned,
        errno: (!succeeded).then(|| raw.ret.unsigned_abs() as u32),
    };
    Some((raw.ts_ns, event))
}

/// The flags of shmget, its permissions last.
fn get_flags(flags: u32) -> String {
    let permissions = format!("{:04o}", flags & PERMISSIONS);
    match flags & !PERMISSIONS {
        0 => permissions,
        others => format!("{}|{permissions}", bits::names(others.into(), GET)),
    }
}

fn command(number: u32) -> String {
    let known = COMMANDS.iter().find(|(known, _)| *known == number);
    known.map_or_else(|| number.to_string(), |(_, name)| (*name).to_string())
}

#[cfg(test)]
mod tests {
    use common::bpf::plain::bytes_of;

    use super::*;

    fn decoded(call: Call, ret: i64, id: i32, flags: u32, cmd: u32) -> Event {
        let comm = b"db\0rubbish......".map(|byte| byte as i8);
        let raw = types::event {
            ts_ns: 7_000,
            duration_ns: 1_500,
            ret,
            size: 4_097,
            addr: 0x7000,
            pid: 11,
            call: call.0,
            id,
            flags,
            cmd,
            comm,
            ..Default::default()
        };
        let (ns, event) = decode(bytes_of(&raw)).unwrap();
        assert_eq!((ns, event.pid, event.comm.as_str(), event.duration_us), (7_000, 11, "db", 1.5));
        event
    }

    #[test]
    fn a_get_tells_what_was_asked_for() {
        let got = decoded(Call::GET, 5, -559_038_737, 0o3600, 0);
        assert_eq!((got.call, got.key.as_deref(), got.shmid), ("get", Some("0xdeadbeef"), Some(5)));
        assert_eq!((got.size_bytes, got.flags.as_deref()), (Some(4_097), Some("IPC_CREAT|IPC_EXCL|0600")));
        assert_eq!((got.addr, got.cmd, got.ret, got.errno), (None, None, Some(5), None));
        let failed = decoded(Call::GET, -2, 0, 0, 0);
        assert_eq!((failed.key.as_deref(), failed.shmid), (Some("0x00000000"), None));
        assert_eq!((failed.flags.as_deref(), failed.ret, failed.errno), (Some("0000"), None, Some(2)));
    }

    #[test]
    fn an_attachment_tells_where_it_is() {
        let done = decoded(Call::ATTACH, 0x7f12_3456_7000, 5, 0o30000, 0);
        assert_eq!(
            (done.call, done.addr.as_deref(), done.shmid),
            ("attach", Some("0x7f1234567000"), Some(5))
        );
        assert_eq!(
            (done.flags.as_deref(), done.key, done.size_bytes),
            (Some("SHM_RDONLY|SHM_RND"), None, None)
        );
        let failed = decoded(Call::ATTACH, -22, -1, 0, 0);
        assert_eq!(
            (failed.addr.as_deref(), failed.shmid, failed.errno),
            (Some("0x7000"), Some(-1), Some(22))
        );
        let gone = decoded(Call::DETACH, 0, 0, 0, 0);
        assert_eq!(
            (gone.call, gone.addr.as_deref(), gone.shmid, gone.flags),
            ("detach", Some("0x7000"), None, None)
        );
    }

    #[test]
    fn commands_have_names() {
        let of = |cmd| decoded(Call::CONTROL, 0, 5, 0, cmd).cmd.unwrap();
        assert_eq!((of(0).as_str(), of(0x102).as_str(), of(99).as_str()), ("IPC_RMID", "IPC_STAT", "99"));
        assert_eq!(decoded(Call::CONTROL, 0, 5, 0, 0).shmid, Some(5));
    }
}
