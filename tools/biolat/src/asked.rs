//! `--disk`: which disks, by the numbers that the BPF programs compare.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use clap_complete::CompletionCandidate;
use cli::exit::{Failure, Result};
use cli::usage;
use common::bpf::plain::length;
use rustix::fs::{major, minor};

use crate::skel::types::disk_filter;

/// How many the BPF programs compare.
const MAX: usize = length(|of: &disk_filter| &of.key);
/// All block devices by their names.
const BLOCK: &str = "/sys/class/block";

/// A disk that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Disk {
    major: u32,
    minor: u32,
}

impl Disk {
    /// A disk by its name, as in records and /sys/block, or by the path of its device.
    ///
    /// # Errors
    /// What is wrong, for a person.
    fn parse(text: &str) -> std::result::Result<Self, String> {
        let at = if text.contains('/') { of_device(Path::new(text))? } else { Path::new(BLOCK).join(text) };
        if text.is_empty() || text.starts_with('.') || !at.exists() {
            return Err("there is no such disk (/sys/block has their names)".to_string());
        }
        if at.join("partition").exists() {
            return Err(
                match fs::canonicalize(&at).ok().as_deref().and_then(Path::parent).and_then(Path::file_name) {
                    Some(disk) => format!("a partition: its disk is {}", disk.display()),
                    None => "a partition: only whole disks are told apart".to_string(),
                },
            );
        }
        let number = fs::read_to_string(at.join("dev"))
            .map_err(|_| "a path to a disk, which has no number of its own: ask for the disk".to_string())?;
        number_of(&number).ok_or_else(|| format!("{}/dev has no number of a device", at.display()))
    }

    /// As the BPF programs know it (`key_of_disk`).
    fn key(self) -> u64 {
        1 << 63 | u64::from(self.major) << 20 | u64::from(self.minor)
    }
}

/// Where the kernel tells of a device.
fn of_device(path: &Path) -> std::result::Result<PathBuf, String> {
    let found = fs::metadata(path).map_err(|error| error.to_string())?;
    if !found.file_type().is_block_device() {
        return Err("not a disk's device".to_string());
    }
    let number = found.rdev();
    Ok(format!("/sys/dev/block/{}:{}", major(number), minor(number)).into())
}

/// The disks whose names begin so, and the paths of their devices.
pub fn complete(begin: &OsStr) -> Vec<CompletionCandidate> {
    let begin = begin.to_string_lossy();
    let (folder, name) = begin.rsplit_once('/').map_or(("", &*begin), |(folder, name)| (folder, name));
    let slash = if folder.is_empty() && !begin.starts_with('/') { "" } else { "/" };
    if !folder.is_empty() && folder != "/dev" {
        return Vec::new();
    }
    let all = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let mut disks: Vec<String> = all
        .filter(|entry| entry.path().join("dev").exists())
        .filter_map(|entry| entry.file_name().into_string().ok().filter(|disk| disk.starts_with(name)))
        .collect();
    disks.sort_unstable();
    disks.into_iter().map(|disk| CompletionCandidate::new(format!("{folder}{slash}{disk}"))).collect()
}

/// `MAJOR:MINOR`.
fn number_of(text: &str) -> Option<Disk> {
    let (major, minor) = text.trim().split_once(':')?;
    Some(Disk { major: major.parse().ok()?, minor: minor.parse().ok()? })
}

/// The value of the BPF programs' constant for these disks.
///
/// # Errors
/// A usage error for what is no disk, and for more disks than there is room for.
pub fn filter(names: &[String]) -> Result<disk_filter> {
    let disk = |name: &String| {
        Disk::parse(name).map_err(|why| Failure::usage(format!("--disk {name}: {why} (see --help)")))
    };
    filter_of(&names.iter().map(disk).collect::<Result<Vec<_>>>()?)
}

fn filter_of(disks: &[Disk]) -> Result<disk_filter> {
    usage::at_most(MAX, disks, "--disk")?;
    let mut filter = disk_filter { disks: disks.len() as u64, ..disk_filter::default() };
    filter.key.iter_mut().zip(disks).for_each(|(to, disk)| *to = disk.key());
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_known_by_its_number() {
        let disk = number_of("259:3\n").unwrap();
        assert_eq!((disk, disk.key()), (Disk { major: 259, minor: 3 }, 1 << 63 | 259 << 20 | 3));
        assert_eq!([number_of("259"), number_of("a:b"), number_of("")], [None; 3]);
        let filter = filter_of(&[disk]).unwrap();
        assert_eq!((filter.disks, filter.key[0], filter.key[1]), (1, disk.key(), 0));
        assert!(filter_of(&[disk; MAX + 1]).unwrap_err().message.contains("16 times"));
    }

    #[test]
    fn disks_are_completed_by_name_and_device() {
        let shown = |begin: &str| -> Vec<String> {
            let found = complete(OsStr::new(begin)).into_iter();
            found.map(|one| one.get_value().to_str().unwrap().to_owned()).collect()
        };
        let names = shown("");
        assert!(names.iter().all(|name| Disk::parse(name).is_ok()), "{names:?}");
        assert_eq!(shown("/dev/"), names.iter().map(|name| format!("/dev/{name}")).collect::<Vec<_>>());
        assert!(shown("/etc/").is_empty() && shown("no-such-disk").is_empty());
    }

    #[test]
    fn what_is_no_disk_is_refused() {
        for text in ["", ".", "..", "no-such-disk", "/dev/no-such-disk", "/dev/null", "/etc/passwd", "/"] {
            assert!(Disk::parse(text).is_err(), "{text}");
        }
    }
}
