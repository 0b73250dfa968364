//! The PCI database of this system (`pci.ids`): the names of vendors, devices and classes.

use std::collections::HashMap;
use std::fs;

/// Where systems have it.
const PATHS: [&str; 3] =
    ["/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids", "/var/lib/pciutils/pci.ids"];

/// The names by their numbers.
#[derive(Debug, Default)]
pub struct Names {
    /// Of vendors.
    pub vendors: HashMap<u64, String>,
    /// Of devices: the vendor's number shifted by 16, and the device's.
    pub devices: HashMap<u64, String>,
    /// Of classes.
    pub classes: HashMap<u64, String>,
    /// Of subclasses: the class's number shifted by 8, and the subclass's.
    pub subclasses: HashMap<u64, String>,
}

/// The database of this system; `None` if there is none.
pub fn read() -> Option<Names> {
    PATHS.iter().find_map(|path| fs::read(path).ok()).map(|bytes| parse(&String::from_utf8_lossy(&bytes)))
}

/// Lines of vendors, and below each of its devices by a tab; the same of classes, which begin with `C`. What is below
/// those, by two tabs, has no use here.
fn parse(text: &str) -> Names {
    let mut names = Names::default();
    // The vendor or class that a line is below of.
    let (mut above, mut of_classes) = (None, false);
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.starts_with("\t\t")) {
        let (below, rest) = line.strip_prefix('\t').map_or((false, line), |rest| (true, rest));
        if !below {
            of_classes = rest.starts_with("C ");
        }
        let rest = if below { rest } else { rest.strip_prefix("C ").unwrap_or(rest) };
        let found = rest.split_once("  ").and_then(|(number, name)| {
            Some((u64::from_str_radix(number.trim(), 16).ok()?, name.trim().to_owned()))
        });
        let Some((number, name)) = found else {
            if !below {
                above = None;
            }
            continue;
        };
        match (below, of_classes, above) {
            (false, false, _) => drop(names.vendors.insert(number, name)),
            (false, true, _) => drop(names.classes.insert(number, name)),
            (true, false, Some(vendor)) => drop(names.devices.insert(vendor << 16 | number & 0xffff, name)),
            (true, true, Some(class)) => drop(names.subclasses.insert(class << 8 | number & 0xff, name)),
            (true, _, None) => {}
        }
        if !below {
            above = Some(number & 0xffff_ffff);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_read() {
        let names = parse(
            "# comment\n8086  Intel Corporation\n\t1000  82542 Gigabit Ethernet Controller (Fiber)\n\
             \t\t0e11 b0df  NC6132\n0014  Loongson\n\t7a00  Bridge\nodd\n\t1111  of nothing\n\
             C 02  Network controller\n\t00  Ethernet controller\n\t\t01  x\n",
        );
        assert_eq!(names.vendors[&0x8086], "Intel Corporation");
        assert_eq!(names.devices[&0x8086_1000], "82542 Gigabit Ethernet Controller (Fiber)");
        assert_eq!(names.devices[&0x0014_7a00], "Bridge");
        assert_eq!(names.classes[&2], "Network controller");
        assert_eq!(names.subclasses[&0x0200], "Ethernet controller");
        assert_eq!((names.vendors.len(), names.devices.len()), (2, 2));
    }
}
