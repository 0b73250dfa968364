//! Decoders of devices.

use std::fs;

use super::{Pci, Without, native};
use crate::pci::Names;

/// Where block devices are listed: major, minor, blocks, name.
const PARTITIONS: &str = "/proc/partitions";

/// The name of a network device of this network namespace.
pub fn ifname(bytes: &[u8]) -> Result<Vec<u8>, Without> {
    let index = u32::from_ne_bytes(native(bytes)?);
    Ok(device_name(index).unwrap_or_else(|| format!("unknown:{index}").into_bytes()))
}

fn device_name(index: u32) -> Option<Vec<u8>> {
    let mut name = [0u8; libc::IF_NAMESIZE];
    // SAFETY: the buffer has the size that the function asks for.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr().cast()) };
    (!found.is_null()).then(|| super::text::string(name.to_vec()))
}

/// The name of a block device, by its number as user space has it (`new_encode_dev`).
pub fn major_minor(bytes: &[u8]) -> Result<Vec<u8>, Without> {
    let device = u64::from(u32::from_ne_bytes(native(bytes)?));
    let (major, minor) = (libc::major(device), libc::minor(device));
    let name = partition(&fs::read_to_string(PARTITIONS).unwrap_or_default(), major, minor);
    Ok(name.unwrap_or_else(|| format!("unknown:{major}:{minor}")).into_bytes())
}

fn partition(list: &str, major: u32, minor: u32) -> Option<String> {
    list.lines().find_map(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
        [first, second, _, name] if first.parse() == Ok(major) && second.parse() == Ok(minor) => {
            Some(name.to_owned())
        }
        _ => None,
    })
}

/// A name of the PCI database.
pub fn pci(number: u64, kind: Pci, names: Option<&Names>) -> String {
    let Some(names) = names else { return "missing pci.ids db".to_owned() };
    let found = match kind {
        Pci::Vendor => names.vendors.get(&number),
        Pci::Device => names.devices.get(&number),
        Pci::Class => names.classes.get(&number),
        Pci::Subclass => names.subclasses.get(&number),
    };
    found.cloned().unwrap_or_else(|| match kind {
        Pci::Vendor => format!("unknown pci vendor: 0x{number:02x}"),
        Pci::Device => format!("unknown pci device: 0x{number:04x}"),
        Pci::Class => format!("unknown pci class: 0x{number:02x}"),
        Pci::Subclass => {
            format!("unknown pci subclass: 0x{:02x} (class 0x{:02x})", number & 0xff, number >> 8)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn devices_have_names() {
        assert_eq!(ifname(&1u32.to_ne_bytes()), Ok(b"lo".to_vec()));
        assert_eq!(ifname(&[0; 4]), Ok(b"unknown:0".to_vec()));
        assert!(ifname(&[1]).is_err());
        let list = "major minor  #blocks  name\n\n 254        0   10 vda\n 259        1   10 nvme0n1p1\n";
        assert_eq!(partition(list, 259, 1).as_deref(), Some("nvme0n1p1"));
        assert_eq!(partition(list, 1, 259), None);
        let number = ((4095u32 & 0xfff) << 8) | 7;
        assert_eq!(major_minor(&number.to_ne_bytes()), Ok(b"unknown:4095:7".to_vec()));
    }

    #[test]
    fn pci_names_say_what_is_missing() {
        assert_eq!(pci(0x8086, Pci::Vendor, None), "missing pci.ids db");
        let names = Names { vendors: HashMap::from([(0x8086, "Intel".to_owned())]), ..Names::default() };
        let text = |number, kind| pci(number, kind, Some(&names));
        assert_eq!(text(0x8086, Pci::Vendor), "Intel");
        assert_eq!(text(0x1af4, Pci::Vendor), "unknown pci vendor: 0x1af4");
        assert_eq!(text(0x8086_1000, Pci::Device), "unknown pci device: 0x80861000");
        assert_eq!(text(1, Pci::Class), "unknown pci class: 0x01");
        assert_eq!(text(0x0203, Pci::Subclass), "unknown pci subclass: 0x03 (class 0x02)");
    }
}
