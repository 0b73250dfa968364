//! Scratch disks.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::NamedTempFile;

use crate::wait::{For, until};
use crate::{kernel, programs};

/// A disk that exists for one test.
pub struct Disk {
    /// Its name in `/dev`.
    pub name: String,
    kind: Kind,
}

enum Kind {
    /// Part of the guest.
    Own,
    Array,
    Null,
    Loop(#[expect(dead_code, reason = "removes the file")] NamedTempFile),
    Zram,
}

impl Disk {
    /// A loop device over a file, with direct I/O so that its times are a disk's. Neighbouring requests, also
    /// of two programs, that meet in its queue stay two.
    pub fn over_file(megabytes: u64) -> Self {
        let file = NamedTempFile::new_in(programs::scratch()).expect("a scratch file");
        let path = file.path().to_str().expect("UTF-8").to_string();
        // Written, not sparse: reading a hole would not reach the backing disk.
        let of = format!("of={path}");
        let count = format!("count={megabytes}");
        programs::succeed("dd", &["if=/dev/zero", &of, "bs=1M", &count, "conv=fsync", "status=none"]);
        let device = programs::succeed("losetup", &["--direct-io=on", "--find", "--show", &path]);
        let name = device.trim().strip_prefix("/dev/").expect("a device").to_string();
        Self { name, kind: Kind::Loop(file) }.without_merges()
    }

    /// A bio-based disk in memory.
    pub fn zram(megabytes: u64) -> Self {
        let number = fs::read_to_string("/sys/class/zram-control/hot_add").expect("the kernel has zram");
        let name = format!("zram{}", number.trim());
        fs::write(format!("/sys/block/{name}/disksize"), format!("{megabytes}M")).expect("disksize");
        let disk = Self { name, kind: Kind::Zram };
        until(For::Device, disk.path(), || Path::new(&disk.path()).exists().then_some(()));
        disk
    }

    /// A disk in a guest's memory: before Linux 6.3 it takes single pages without a bio.
    pub fn in_memory() -> Self {
        programs::succeed("modprobe", &["brd", "rd_nr=1", "rd_size=65536"]);
        Self { name: "ram0".to_string(), kind: Kind::Own }
    }

    /// A slow disk. In a guest it is a null_blk that completes after four milliseconds, eight requests
    /// at once: some kernels complete a loop device's request before the next can wait. That is half a millisecond for each,
    /// more than an emulated processor takes to ask for it, also beside others: so requests wait. On other machines it is a
    /// loop device. It merges no requests.
    pub fn slow() -> Self {
        if kernel::of_guest().is_none() {
            return Self::over_file(256);
        }
        let how =
            ["queue_mode=2", "irqmode=2", "completion_nsec=4000000", "hw_queue_depth=8", "nr_devices=1"];
        programs::succeed("modprobe", &[&["null_blk"], &how[..]].concat());
        Self { name: "nullb0".to_string(), kind: Kind::Null }.without_merges()
    }

    /// A guest's disk with two paths, of the kernel's own multipath driver. Its number is that of the
    /// controller that the kernel found first.
    pub fn with_paths() -> Self {
        let name = until(For::Device, "an NVMe disk", || {
            let all = fs::read_dir("/dev").expect("/dev").flatten();
            let mut names = all.filter_map(|entry| entry.file_name().into_string().ok());
            names.find(|name| name.starts_with("nvme") && name.ends_with("n1"))
        });
        Self { name, kind: Kind::Own }
    }

    /// A disk made of bios whose driver passes each on to other disks: an array of md's, of this level
    /// (`raid0`).
    pub fn over(lowers: &[&Self], level: &str) -> Self {
        programs::succeed("modprobe", &[level]);
        // One that was stopped keeps its name for some time, also past the end of the program that made it.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("md_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        fs::write("/sys/module/md_mod/parameters/new_array", &name).expect("a new array");
        let set = |attribute: &str, value: &str| {
            let path = format!("/sys/block/{name}/md/{attribute}");
            fs::write(&path, value).unwrap_or_else(|error| panic!("{path}: {value}: {error}"));
        };
        set("metadata_version", "none");
        set("level", level);
        set("chunk_size", "65536");
        set("raid_disks", &lowers.len().to_string());
        for (slot, Self { name, .. }) in lowers.iter().enumerate() {
            let number = fs::read_to_string(format!("/sys/block/{name}/dev")).expect("its number");
            set("new_dev", number.trim());
            set(&format!("dev-{name}/size"), "65000");
            set(&format!("dev-{name}/slot"), &slot.to_string());
        }
        // Without metadata, how much of each disk is used is told here. Copies are taken to be the same
        // already.
        if level == "raid1" {
            set("component_size", "65000");
            set("resync_start", "none");
        }
        set("array_state", "active");
        let disk = Self { name, kind: Kind::Array };
        until(For::Device, disk.path(), || Path::new(&disk.path()).exists().then_some(()));
        disk
    }

    /// A disk whose requests end in interrupts: a guest's idle one; here a loop device, for want of
    /// that.
    pub fn with_interrupts() -> Self {
        match kernel::of_guest() {
            Some(_) => Self { name: "vdb".to_string(), kind: Kind::Own },
            None => Self::over_file(16),
        }
    }

    /// A second disk of a guest.
    pub fn another() -> Self {
        Self { name: "vdc".to_string(), kind: Kind::Own }
    }

    /// The same disk, whose queue merges no requests: what was asked for is what is done.
    pub fn without_merges(self) -> Self {
        self.set("nomerges", "2");
        self
    }

    /// Its node.
    pub fn path(&self) -> String {
        format!("/dev/{}", self.name)
    }

    /// Sets an attribute of its queue.
    pub fn set(&self, attribute: &str, value: &str) {
        let path = format!("/sys/block/{}/queue/{attribute}", self.name);
        // Older kernels reject a number of requests that is already set.
        if fs::read_to_string(&path).is_ok_and(|now| now.trim() == value) {
            return;
        }
        fs::write(&path, value).unwrap_or_else(|error| panic!("{path}: {value}: {error}"));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        match self.kind {
            // It is removed with the guest.
            Kind::Null | Kind::Own => {}
            Kind::Array => drop(fs::write(format!("/sys/block/{}/md/array_state", self.name), "clear")),
            Kind::Loop(_) => drop(programs::run("losetup", &["--detach", &self.path()])),
            Kind::Zram => {
                let _ = fs::write(format!("/sys/block/{}/reset", self.name), "1");
                let number = self.name.trim_start_matches("zram");
                let _ = fs::write("/sys/class/zram-control/hot_remove", number);
            }
        }
    }
}

/// A disk that passes everything on to another one, later.
pub struct Delayed<'a> {
    /// Its name in `/dev`.
    pub name: String,
    mapped: String,
    lower: &'a Disk,
}

impl<'a> Delayed<'a> {
    /// Over this disk, by so many milliseconds.
    pub fn over(lower: &'a Disk, milliseconds: u32) -> Self {
        // Built in, or absent: then the next line says so.
        programs::run("modprobe", &["dm-delay"]);
        let mapped = format!("delayed_{}", std::process::id());
        programs::succeed(
            "dmsetup",
            &["create", "--noudevsync", &mapped, "--table", &Self::table(lower, milliseconds)],
        );
        let number =
            programs::succeed("dmsetup", &["info", "--columns", "--noheadings", "-o", "minor", &mapped]);
        let disk = Self { name: format!("dm-{}", number.trim()), mapped, lower };
        until(For::Device, disk.path(), || Path::new(&disk.path()).exists().then_some(()));
        disk
    }

    fn table(lower: &Disk, milliseconds: u32) -> String {
        let sectors = fs::read_to_string(format!("/sys/block/{}/size", lower.name)).expect("its size");
        format!("0 {} delay {} 0 {milliseconds}", sectors.trim(), lower.path())
    }

    /// Delays by so many milliseconds from now on.
    pub fn delay(&self, milliseconds: u32) {
        let table = Self::table(self.lower, milliseconds);
        programs::succeed("dmsetup", &["reload", &self.mapped, "--table", &table]);
        programs::succeed("dmsetup", &["suspend", "--noudevsync", &self.mapped]);
        programs::succeed("dmsetup", &["resume", "--noudevsync", &self.mapped]);
    }

    /// Its node.
    pub fn path(&self) -> String {
        format!("/dev/{}", self.name)
    }
}

impl Drop for Delayed<'_> {
    fn drop(&mut self) {
        programs::run("dmsetup", &["remove", "--noudevsync", "--retry", &self.mapped]);
    }
}

/// The disk that holds a directory's file system, as `/proc/diskstats` names it.
pub fn below(directory: &Path) -> String {
    let path = directory.to_str().expect("UTF-8");
    let device = programs::succeed("findmnt", &["-n", "-o", "SOURCE", "--target", path]);
    let listed = programs::succeed("lsblk", &["-n", "-s", "-l", "-o", "NAME,TYPE", device.trim()]);
    let disk =
        listed.lines().find_map(|line| Some(line.split_once(' ')?).filter(|(_, kind)| kind.trim() == "disk"));
    disk.expect("a disk").0.to_string()
}
