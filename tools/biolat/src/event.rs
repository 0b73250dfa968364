//! From the bytes of an event in the ring buffer to its record.

use common::bpf::bytes::{chars, text};
use common::bpf::plain::{Plain, cast};
use common::owner::By;
use common::owner::cgroups::Cgroups;
use record::histogram::micros;

use crate::disk_table::Name;
use crate::row::{Event, OPS};
use crate::skel::types;

/// No queue time is known: `NO_QUEUE` of `bpf/biolat.bpf.c`.
const NO_QUEUE: u64 = u64::MAX;
/// The names of the bits of `enum event_flag`, from the lowest on.
const FLAGS: [&str; 5] = ["sync", "meta", "preflush", "fua", "rahead"];
/// The errors of the block layer's statuses, from 1 on (`blk_errors` of block/blk-core.c): 12 is EAGAIN, and those beyond
/// are of zones and of drivers, which the kernel calls I/O errors.
const OF_STATUS: [i32; 13] = [
    libc::EOPNOTSUPP,
    libc::ETIMEDOUT,
    libc::ENOSPC,
    libc::ENOLINK,
    libc::EREMOTEIO,
    libc::EBADE,
    libc::ENODATA,
    libc::EILSEQ,
    libc::ENOMEM,
    libc::EIO,
    libc::EREMCHG,
    libc::EAGAIN,
    libc::EBUSY,
];

// SAFETY: generated from the C struct: integers, and arrays and structs of them.
unsafe impl Plain for types::event {}

/// Makes records of events.
pub struct Decoder {
    cgroups: Cgroups,
}

impl Decoder {
    /// With the cgroups that there are.
    pub fn new() -> Self {
        Self { cgroups: Cgroups::of(By::Cgroup) }
    }

    /// Reads a record of the ring buffer: its time (CLOCK_MONOTONIC, nanoseconds) and the event. `names` are the BPF
    /// programs' `disk_name`.
    pub fn decode(&mut self, bytes: &[u8], names: &[Name]) -> Option<(u64, Event)> {
        let (raw, _) = cast::<types::event>(bytes)?;
        let key = raw.key as usize;
        let event = Event {
            disk: text(chars(names.get(key / OPS.len())?)),
            op: OPS[key % OPS.len()],
            pid: raw.pid,
            tid: raw.tid,
            comm: text(chars(&raw.comm)),
            cgroup: self.cgroups.path(raw.cgroup),
            sector: raw.sector,
            bytes: raw.bytes,
            queue_us: (raw.queue_ns != NO_QUEUE).then(|| micros(raw.queue_ns)),
            duration_us: micros(raw.device_ns),
            flags: flags(raw.flags),
            errno: errno(raw.status),
        };
        Some((raw.ts_ns, event))
    }
}

fn flags(bits: u32) -> Option<String> {
    let names: Vec<&str> =
        FLAGS.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, name)| *name).collect();
    (!names.is_empty()).then(|| names.join("|"))
}

/// The error of a request; `None` if it ended well.
fn errno(status: i32) -> Option<u32> {
    let error = match status {
        0 => return None,
        ..0 => status.unsigned_abs() as i32,
        _ => OF_STATUS.get(status as usize - 1).copied().unwrap_or(libc::EIO),
    };
    Some(error as u32)
}

#[cfg(test)]
mod tests {
    use common::bpf::plain::bytes_of;

    use super::*;

    fn name(text: &[u8]) -> Name {
        std::array::from_fn(|at| text.get(at).copied().unwrap_or_default() as i8)
    }

    #[test]
    fn a_write_tells_where_it_went_and_who_made_it() {
        let raw = types::event {
            ts_ns: 7_000,
            device_ns: 1_234_567,
            queue_ns: 500,
            sector: 2_048,
            bytes: 4_096,
            key: OPS.len() as u32 + 1,
            pid: 11,
            tid: 12,
            flags: 1 | 8,
            comm: b"dd\0rubbish......".map(|byte| byte as i8),
            ..Default::default()
        };
        let names = [name(b"sda"), name(b"vda")];
        let decode = |bytes: &[u8]| Decoder::new().decode(bytes, &names);
        let (ns, event) = decode(bytes_of(&raw)).unwrap();
        assert_eq!((ns, event.disk.as_str(), event.op), (7_000, "vda", "write"));
        assert_eq!((event.pid, event.tid, event.comm.as_str()), (11, 12, "dd"));
        assert_eq!((event.sector, event.bytes, event.flags.as_deref()), (2_048, 4_096, Some("sync|fua")));
        assert_eq!((event.queue_us, event.duration_us, event.errno), (Some(0.5), 1_234.567, None));
        let unknown = types::event { queue_ns: NO_QUEUE, flags: 0, ..raw };
        let (_, event) = decode(bytes_of(&unknown)).unwrap();
        assert_eq!((event.queue_us, event.flags), (None, None));
        assert!(decode(&bytes_of(&raw)[..40]).is_none());
        assert!(decode(bytes_of(&types::event { key: 2 * OPS.len() as u32, ..raw })).is_none());
    }

    #[test]
    fn errors_have_the_numbers_of_programs() {
        let of = |status| errno(status).map(|error| error as i32);
        assert_eq!(
            [of(0), of(-5), of(10), of(1), of(13), of(77)],
            [
                None,
                Some(libc::EIO),
                Some(libc::EIO),
                Some(libc::EOPNOTSUPP),
                Some(libc::EBUSY),
                Some(libc::EIO)
            ]
        );
    }
}
