//! The handlers of interrupt lines: they come and go, and the BPF programs keep those that they
//! have seen, by processor.

use std::fs;

use cli::exit::{Failure, Result};
use common::bpf::batch;
use common::bpf::bytes::text;
use common::bpf::plain::{self, Plain};
use libbpf_rs::Map;
use record::histogram::RawHist;

use crate::row::{Deltas, Key, Kind};

/// For handlers that are added later, and few processors.
const MORE: usize = 64;
/// Of 2.5 KiB each.
const MAX: usize = 8192;
/// `NAME_LEN` in `bpf/irqlat.bpf.c`.
const NAME_LEN: usize = 64;

/// The number of entries, for the present handlers on this number of processors.
pub fn entries(cpus: usize) -> u32 {
    entries_for(handlers(&fs::read_to_string("/proc/interrupts").unwrap_or_default()), cpus)
}

fn entries_for(handlers: usize, cpus: usize) -> u32 {
    // A line mostly stays on a processor; but it may be moved to any other.
    (handlers * cpus + MORE).min(MAX) as u32
}

/// The number of handlers of the lines in /proc/interrupts, where commas separate those of one
/// line.
fn handlers(interrupts: &str) -> usize {
    let lines = interrupts.lines().filter(|line| {
        line.trim_start().split_once(':').is_some_and(|(number, _)| number.parse::<u32>().is_ok())
    });
    lines.map(|line| 1 + line.matches(", ").count()).sum()
}

/// `struct line_key` in `bpf/irqlat.bpf.c`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct RawKey {
    action: u64,
    name: u64,
    irq: u32,
    cpu: u32,
}

/// `struct line` in `bpf/irqlat.bpf.c`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Line {
    name: [u8; NAME_LEN],
    named: u64,
    unhandled: u64,
    unhandled_ns: u64,
    time: RawHist,
}

// SAFETY: integers and arrays of them, in the layout of the C structs.
unsafe impl Plain for RawKey {}
// SAFETY: as above.
unsafe impl Plain for Line {}

/// Adds what was measured in an interval, and empties the map.
///
/// # Errors
/// When the kernel refuses the read.
pub fn take(map: &Map<'_>, per_cpu: bool, deltas: &mut Deltas) -> Result<()> {
    let read = batch::drain(map, |key, value| {
        if let (Some((key, _)), Some((line, _))) = (plain::copy(key), plain::copy::<Line>(value)) {
            add(key, &line, per_cpu, deltas);
        }
    });
    read.map_err(|error| Failure::failed(format!("cannot read the map of interrupts: {error}")))
}

fn add(raw: RawKey, line: &Line, per_cpu: bool, deltas: &mut Deltas) {
    let name = text(&line.name);
    let key = Key { kind: Kind::Hard, name, irq: Some(raw.irq), cpu: per_cpu.then_some(raw.cpu) };
    let measured = deltas.entry(key).or_default();
    measured.time.add_raw(&line.time);
    measured.unhandled += line.unhandled;
    measured.unhandled_ns += line.unhandled_ns;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_are_counted_by_line_and_comma() {
        let interrupts = "           CPU0       CPU1
   9:          0          4   IO-APIC   9-fasteoi   acpi
  16:        100          0   IO-APIC  16-fasteoi   ehci_hcd:usb1, i801_smbus, snd
 120:          1          2   PCI-MSI 1-edge      nvme0q1
 NMI:          0          0   Non-maskable interrupts, never, of, lines
 ERR:          0
";
        assert_eq!(handlers(interrupts), 5);
        assert_eq!(
            [(5, 2), (0, 8), (1000, 128)].map(|(lines, cpus)| entries_for(lines, cpus)),
            [74, 64, 8192]
        );
    }

    fn line(name: &str, calls: u32, unhandled: u64) -> Line {
        let (name_bytes, time) = ([0; NAME_LEN], RawHist::EMPTY);
        let mut line = Line { name: name_bytes, named: 1, unhandled, unhandled_ns: 10 * unhandled, time };
        line.name[..name.len()].copy_from_slice(name.as_bytes());
        line.time.buckets[100] = calls;
        line.time.sum_ns = 7 * u64::from(calls);
        line
    }

    #[test]
    fn processors_add_up() {
        let key = |cpu| RawKey { action: 1, name: 2, irq: 9, cpu };
        let mut deltas = Deltas::new();
        add(key(0), &line("vio", 3, 1), false, &mut deltas);
        add(key(1), &line("vio", 4, 2), false, &mut deltas);
        let (found, measured) = deltas.pop_first().unwrap();
        assert_eq!((found.name.as_str(), found.irq, found.cpu), ("vio", Some(9), None));
        assert_eq!((measured.time.count(), measured.time.sum_ns(), measured.unhandled), (7, 49, 3));
        add(key(1), &line("vio", 5, 0), true, &mut deltas);
        let (found, measured) = deltas.pop_first().unwrap();
        assert_eq!((found.cpu, measured.time.count(), measured.unhandled), (Some(1), 5, 0));
    }
}
