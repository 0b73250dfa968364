//! A swap area for one test, and what the kernel counts of swapping.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{self, OpenOptions};
use std::io::{Error, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use crate::disk::Disk;

/// Bytes of a page.
const PAGE: u64 = 4096;
/// Where how much is read ahead of a fault is set: the logarithm of the pages.
const READ_AHEAD: &str = "/proc/sys/vm/page-cluster";
/// `SWAP_FLAG_PREFER` with the highest priority (linux/swap.h): it is used before any other area.
const PREFERRED: i32 = 0x8000 | 0x7fff;

/// A swap area on a disk, without read-ahead; no longer used when dropped.
pub struct Swap {
    path: CString,
    read_ahead: String,
    #[expect(dead_code, reason = "removed after the area")]
    disk: Disk,
}

impl Swap {
    /// Makes a disk a swap area, and uses it.
    pub fn on(disk: Disk) -> Self {
        format(&disk.path());
        let path = CString::new(disk.path()).expect("no NUL");
        let read_ahead = fs::read_to_string(READ_AHEAD).expect("the kernel has swap");
        fs::write(READ_AHEAD, "0").expect("root may");
        // SAFETY: a path that ends with a NUL.
        let used = unsafe { libc::swapon(path.as_ptr(), PREFERRED) };
        assert_eq!(used, 0, "swapon {path:?}: {}", Error::last_os_error());
        Self { path, read_ahead, disk }
    }

    /// The same, with what the kernel reads ahead by default: eight pages at a time.
    pub fn with_read_ahead(disk: Disk) -> Self {
        let swap = Self::on(disk);
        fs::write(READ_AHEAD, "3").expect("root may");
        swap
    }
}

impl Drop for Swap {
    fn drop(&mut self) {
        // SAFETY: a path that ends with a NUL.
        unsafe { libc::swapoff(self.path.as_ptr()) };
        let _ = fs::write(READ_AHEAD, &self.read_ahead);
    }
}

/// Writes the header of a swap area, `union swap_header` of linux/swap.h.
fn format(path: &str) {
    let mut file = OpenOptions::new().read(true).write(true).open(path).expect("the disk");
    let pages = file.seek(SeekFrom::End(0)).expect("its size") / PAGE;
    let mut header = [0; PAGE as usize];
    header[1024..1028].copy_from_slice(&1u32.to_ne_bytes());
    header[1028..1032].copy_from_slice(&(pages as u32 - 1).to_ne_bytes());
    header[4086..].copy_from_slice(b"SWAPSPACE2");
    file.write_all_at(&header, 0).and_then(|()| file.sync_all()).expect("the header is written");
}

/// The counters of `/proc/vmstat`.
pub struct Vmstat(BTreeMap<String, u64>);

impl Vmstat {
    /// As they are now.
    pub fn now() -> Self {
        let text = fs::read_to_string("/proc/vmstat").expect("/proc/vmstat");
        let counters = text.lines().filter_map(|line| line.split_once(' '));
        Self(counters.filter_map(|(name, value)| Some((name.to_string(), value.parse().ok()?))).collect())
    }

    /// What was added to one since; `None` where the kernel does not count it.
    pub fn added(&self, name: &str) -> Option<u64> {
        let now = Self::now().0.get(name).copied()?;
        Some(now - self.0.get(name)?)
    }
}
