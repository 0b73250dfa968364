//! What the kernel's security modules expose, in securityfs.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, openat};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

/// Where security modules expose their state.
pub struct Security(Option<OwnedFd>);

impl Security {
    /// The mounted file system, else a private one that is attached nowhere and is removed with its descriptor: for who
    /// may mount.
    pub fn open(may_mount: bool) -> Self {
        let mounted = File::open("/sys/kernel/security").ok().map(OwnedFd::from);
        let has_lsm = |root: &OwnedFd| open(root, "lsm").is_ok();
        let own = || {
            let new = fsopen("securityfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
            fsconfig_create(&new)?;
            fsmount(&new, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_RDONLY)
        };
        Self(mounted.filter(has_lsm).or_else(|| may_mount.then(own)?.ok()))
    }

    /// How the kernel is locked down: `none`, `integrity` or `confidentiality`; as its command line says for callers that
    /// may not see its present state. `None` if neither tells.
    pub fn lockdown(&self) -> Option<String> {
        self.read("lockdown").as_deref().and_then(chosen).or_else(locked_down_at_boot)
    }

    /// The security modules that are active.
    pub fn modules(&self) -> Vec<String> {
        self.read("lsm").map(|list| names(&list)).unwrap_or_default()
    }

    fn read(&self, name: &str) -> Option<String> {
        let mut text = String::new();
        File::from(open(self.0.as_ref()?, name).ok()?).read_to_string(&mut text).ok()?;
        Some(text)
    }
}

fn open(root: &OwnedFd, name: &str) -> rustix::io::Result<OwnedFd> {
    openat(root.as_fd(), name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// The word in brackets, by which the kernel marks the value in force.
fn chosen(text: &str) -> Option<String> {
    Some(text.split_once('[')?.1.split_once(']')?.0.to_string())
}

fn locked_down_at_boot() -> Option<String> {
    let words = std::fs::read_to_string("/proc/cmdline").ok()?;
    Some(words.split_whitespace().find_map(|word| word.strip_prefix("lockdown="))?.to_string())
}

fn names(list: &str) -> Vec<String> {
    list.trim().split(',').filter(|name| !name.is_empty()).map(String::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_is_read() {
        assert_eq!(chosen("none [integrity] confidentiality\n").as_deref(), Some("integrity"));
        assert_eq!(chosen("odd"), None);
        assert_eq!(names("lockdown,capability\n"), ["lockdown", "capability"]);
        assert!(names("\n").is_empty());
    }
}
