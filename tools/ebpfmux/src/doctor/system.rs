//! What of this system decides what the tools can see.

use std::path::Path;

use cli::kernel_files::{TRACEFS, cgroup2_mount, is_tracefs};
use cli::mounts;
use cli::security::Security;
use rustix::fs::{Access, access};
use serde::Serialize;

/// Where the kernel describes its own types.
const BTF: &str = "/sys/kernel/btf/vmlinux";

/// The facts, as they are printed in JSON.
#[derive(Debug, Serialize)]
pub struct System {
    /// Its release.
    kernel: String,
    /// Of the machine.
    arch: String,
    /// Whether it describes its types.
    btf: bool,
    /// `none`, `integrity`, `confidentiality`; none if it is not exposed.
    lockdown: Option<String>,
    /// Where it is mounted; none if it is not.
    tracefs: Option<&'static str>,
    /// Whether this user may read it.
    tracefs_readable: bool,
    /// `v2`, `v1`, `v1 and v2`; none if none is mounted.
    cgroup: Option<&'static str>,
    /// Where v2 is mounted.
    cgroup2: Option<String>,
    /// The user.
    uid: u32,
}

impl System {
    /// As this process sees it.
    pub fn look() -> Self {
        let uname = rustix::system::uname();
        let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
        let tracefs = TRACEFS.into_iter().find(|place| is_tracefs(Path::new(place)));
        let has_v1 = mounts::each(&mounts::list().unwrap_or_default()).any(|mount| mount.kind == "cgroup");
        let cgroup2 = cgroup2_mount().map(|place| place.display().to_string());
        let uid = rustix::process::getuid();
        Self {
            kernel: text(uname.release()),
            arch: text(uname.machine()),
            btf: Path::new(BTF).exists(),
            lockdown: Security::open(uid.is_root()).lockdown(),
            tracefs,
            tracefs_readable: tracefs.is_some_and(|place| {
                access(format!("{place}/events"), Access::READ_OK | Access::EXEC_OK).is_ok()
            }),
            cgroup: match (has_v1, cgroup2.is_some()) {
                (false, true) => Some("v2"),
                (true, true) => Some("v1 and v2"),
                (true, false) => Some("v1"),
                (false, false) => None,
            },
            cgroup2,
            uid: uid.as_raw(),
        }
    }

    /// A line for each fact, with what follows from it and what to do.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let btf = match self.btf {
            true => BTF.to_owned(),
            false => format!("no {BTF}: no tool works; take a kernel with CONFIG_DEBUG_INFO_BTF=y"),
        };
        let lockdown = match self.lockdown.as_deref() {
            Some("confidentiality") => {
                "confidentiality: no program may read the kernel's memory; boot with another lockdown="
                    .to_owned()
            }
            Some(level) => level.to_owned(),
            None => "not exposed to this user (root sees it)".to_owned(),
        };
        let tracefs = match (self.tracefs, self.tracefs_readable) {
            (Some(place), true) => place.to_owned(),
            (Some(place), false) => {
                format!("{place}, not readable: tracepoints and kprobes by it need CAP_DAC_READ_SEARCH")
            }
            (None, _) if self.uid == 0 => "not mounted: a tool that needs it mounts it".to_owned(),
            (None, _) => format!("not mounted: as root, mount -t tracefs tracefs {}", TRACEFS[0]),
        };
        let cgroup = match (self.cgroup, &self.cgroup2) {
            (Some(version), Some(place)) => format!("{version} at {place}"),
            (Some(version), None) => {
                format!("{version}: --cgroup and --by cgroup need v2: mount -t cgroup2 none FOLDER")
            }
            (None, _) => "none is mounted: --cgroup and --by cgroup need v2".to_owned(),
        };
        let user = match self.uid {
            0 => "root".to_owned(),
            uid => format!("uid {uid}"),
        };
        let kernel = format!("{} {}", self.kernel, self.arch);
        vec![
            ("kernel", kernel),
            ("BTF", btf),
            ("lockdown", lockdown),
            ("tracefs", tracefs),
            ("cgroup", cgroup),
            ("user", user),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fact_that_stands_in_the_way_has_its_remedy() {
        let none = System {
            kernel: "6.1.0".to_owned(),
            arch: "x86_64".to_owned(),
            btf: false,
            lockdown: Some("confidentiality".to_owned()),
            tracefs: None,
            tracefs_readable: false,
            cgroup: Some("v1"),
            cgroup2: None,
            uid: 1000,
        };
        let text: Vec<_> = none.lines().into_iter().map(|(name, text)| format!("{name} {text}")).collect();
        for remedy in ["CONFIG_DEBUG_INFO_BTF", "lockdown=", "mount -t tracefs", "mount -t cgroup2"] {
            assert!(text.iter().any(|line| line.contains(remedy)), "{remedy}: {text:?}");
        }
    }
}
