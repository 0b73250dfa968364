//! What processors send each other, where that comes by interrupt lines, as on arm64 and riscv. The kernel hides these
//! lines: /proc/interrupts shows `IPI0`, `IPI1`, … without their numbers, and all their handlers are called IPI
//! (arch/arm64/kernel/smp.c).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The name of their handlers.
const HANDLER: &str = "IPI";

/// The names of these lines, by their numbers.
#[derive(Default)]
pub struct Ipis(BTreeMap<u32, String>);

impl Ipis {
    /// Those of this kernel, which never change; none where they are no lines, or sysfs is not mounted.
    pub fn of_kernel() -> Self {
        let interrupts = fs::read_to_string("/proc/interrupts").unwrap_or_default();
        if labels(&interrupts).next().is_none() {
            return Self::default();
        }
        Self::of(&interrupts, &lines_in(Path::new("/sys/kernel/irq")))
    }

    /// From /proc/interrupts, and the numbers of all lines with such a handler. They follow each other, in the order of the
    /// labels, and where each processor has lines of its own, a processor's after another's (`ipi_setup_lpi`).
    fn of(interrupts: &str, lines: &[u32]) -> Self {
        let labels: Vec<String> = labels(interrupts).collect();
        if labels.is_empty() || !lines.len().is_multiple_of(labels.len()) {
            return Self::default();
        }
        Self(lines.iter().copied().zip(labels.iter().cloned().cycle()).collect())
    }

    /// What /proc/interrupts calls it, if it is a line of these.
    pub fn name(&self, line: u32, handler: &str) -> Option<&str> {
        if handler == HANDLER { self.0.get(&line).map(String::as_str) } else { None }
    }
}

/// Whether /proc/interrupts has this name for such a line.
pub fn is_label(name: &str) -> bool {
    name.strip_prefix(HANDLER).is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Their labels and descriptions in /proc/interrupts: `IPI0 Rescheduling interrupts`.
fn labels(interrupts: &str) -> impl Iterator<Item = String> {
    let named = interrupts.lines().filter_map(|line| line.trim_start().split_once(':'));
    named.filter(|(name, _)| is_label(name)).map(|(name, rest)| {
        let words = rest.split_whitespace().skip_while(|word| word.parse::<u64>().is_ok());
        [name].into_iter().chain(words).collect::<Vec<_>>().join(" ")
    })
}

/// The numbers of the lines with such a handler, in order.
fn lines_in(folder: &Path) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let handled = entries.filter(|entry| {
        fs::read_to_string(entry.path().join("actions")).is_ok_and(|actions| actions.trim_end() == HANDLER)
    });
    let mut lines: Vec<u32> = handled.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    lines.sort_unstable();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARM64: &str = "           CPU0       CPU1
 11:       4711       4712     GICv3  27 Level     arch_timer
IPI0:       101        203       Rescheduling interrupts
IPI1:         7         11       Function call interrupts
IPI2:         0          0       CPU stop interrupts
Err:          0
";
    const X86: &str = "           CPU0
  9:          0   IO-APIC   9-fasteoi   IPI
RES:        101   Rescheduling interrupts
";

    #[test]
    fn lines_are_called_what_the_kernel_calls_them() {
        let ipis = Ipis::of(ARM64, &[1, 2, 3]);
        assert_eq!(ipis.name(1, "IPI"), Some("IPI0 Rescheduling interrupts"));
        assert_eq!(ipis.name(3, "IPI"), Some("IPI2 CPU stop interrupts"));
        assert_eq!((ipis.name(4, "IPI"), ipis.name(1, "arch_timer")), (None, None));
        // Lines for each processor.
        let ipis = Ipis::of(ARM64, &[40, 41, 42, 43, 44, 45]);
        assert_eq!(ipis.name(41, "IPI"), ipis.name(44, "IPI"));
        assert_eq!(ipis.name(44, "IPI"), Some("IPI1 Function call interrupts"));
    }

    #[test]
    fn nothing_is_guessed() {
        // A kernel that sets up fewer lines than it has names for would have them mixed up.
        assert!(Ipis::of(ARM64, &[1, 2]).0.is_empty());
        assert!(Ipis::of(ARM64, &[]).0.is_empty());
        assert!(Ipis::of(X86, &[9]).0.is_empty());
        assert!(lines_in(Path::new("/nonexistent")).is_empty());
    }
}
