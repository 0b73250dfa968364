//! The handlers of interrupt lines: they come and go, and the BPF programs keep those that they
//! have seen, by processor.

use std::fs;

use cli::exit::{Failure, Result};
use common::bpf::batch;
use common::bpf::bytes::{chars, text};
use common::bpf::layouts::raw_hist;
use common::bpf::plain::{self, Plain};
use libbpf_rs::Map;

use crate::ipis::{Ipis, is_label};
use crate::row::{Deltas, Key, Kind};
use crate::skel::types::{line, line_key};

/// For handlers that are added later, and few processors.
const MORE: usize = 64;
/// Of 2.5 KiB each.
const MAX: usize = 8192;

/// The number of entries, for the present handlers on this number of processors.
pub fn entries(cpus: usize) -> u32 {
    entries_for(handlers(&fs::read_to_string("/proc/interrupts").unwrap_or_default()), cpus)
}

fn entries_for(handlers: usize, cpus: usize) -> u32 {
    // A line mostly stays on a processor; but it may be moved to any other.
    (handlers * cpus + MORE).min(MAX) as u32
}

/// The number of handlers of the lines in /proc/interrupts, where commas separate those of one
/// line. Lines without a number there are lines as well (`ipis.rs`).
fn handlers(interrupts: &str) -> usize {
    let lines = interrupts.lines().filter(|line| {
        let name = line.trim_start().split_once(':').map(|(name, _)| name);
        name.is_some_and(|name| name.parse::<u32>().is_ok() || is_label(name))
    });
    lines.map(|line| 1 + line.matches(", ").count()).sum()
}

// SAFETY: generated from the C struct: integers.
unsafe impl Plain for line_key {}
// SAFETY: as above, and arrays and structs of them.
unsafe impl Plain for line {}

/// Adds what was measured in an interval, and empties the map.
///
/// # Errors
/// When the kernel refuses the read.
pub fn take(map: &Map<'_>, ipis: &Ipis, per_cpu: bool, deltas: &mut Deltas) -> Result<()> {
    let read = batch::drain(map, |key, value| {
        if let (Some((key, _)), Some((line, _))) = (plain::copy(key), plain::copy(value)) {
            add(key, &line, ipis, per_cpu, deltas);
        }
    });
    read.map_err(|error| Failure::failed(format!("cannot read the map of interrupts: {error}")))
}

fn add(raw: line_key, line: &line, ipis: &Ipis, per_cpu: bool, deltas: &mut Deltas) {
    let (name, cpu) = (text(chars(&line.name)), per_cpu.then_some(raw.cpu));
    let key = match ipis.name(raw.irq, &name) {
        Some(ipi) => Key { kind: Kind::Vector, name: ipi.to_string(), irq: None, cpu },
        None => Key { kind: Kind::Hard, name, irq: Some(raw.irq), cpu },
    };
    let measured = deltas.entry(key).or_default();
    measured.time.add_raw(raw_hist(&line.time));
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
IPI0:          5          7       Rescheduling interrupts
 ERR:          0
";
        assert_eq!(handlers(interrupts), 6);
        assert_eq!(
            [(5, 2), (0, 8), (1000, 128)].map(|(lines, cpus)| entries_for(lines, cpus)),
            [74, 64, 8192]
        );
    }

    fn called(name: &str, calls: u32, unhandled: u64) -> line {
        let mut line = line { named: 1, unhandled, unhandled_ns: 10 * unhandled, ..Default::default() };
        line.name.iter_mut().zip(name.bytes()).for_each(|(place, byte)| *place = byte as i8);
        line.time.buckets[100] = calls;
        line.time.sum_ns = 7 * u64::from(calls);
        line
    }

    #[test]
    fn processors_add_up() {
        let key = |cpu| line_key { action: 1, name: 2, irq: 9, cpu };
        let mut deltas = Deltas::new();
        let none = Ipis::default();
        add(key(0), &called("vio", 3, 1), &none, false, &mut deltas);
        add(key(1), &called("vio", 4, 2), &none, false, &mut deltas);
        let (found, measured) = deltas.pop_first().unwrap();
        assert_eq!((found.name.as_str(), found.irq, found.cpu), ("vio", Some(9), None));
        assert_eq!((measured.time.count(), measured.time.sum_ns(), measured.unhandled), (7, 49, 3));
        add(key(1), &called("vio", 5, 0), &none, true, &mut deltas);
        let (found, measured) = deltas.pop_first().unwrap();
        assert_eq!((found.cpu, measured.time.count(), measured.unhandled), (Some(1), 5, 0));
    }
}
