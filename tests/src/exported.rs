//! A directory that this machine's own NFS server exports, and an NFSv4 mount of it.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::mounted::Mounted;
use crate::programs;

/// The expiry of clients and exports in the server's caches: the maximum of a 31-bit time.
const FOR_EVER: &str = "2147483647";
/// `NFSEXP_INSECURE_PORT`, `NFSEXP_NOSUBTREECHECK` and `NFSEXP_FSID` of `linux/nfsd/export.h`.
const FLAGS: u32 = 0x2 | 0x400 | 0x2000;
/// The minimum that the kernel accepts. After its start a server lets no client open a file for
/// this long.
const GRACE_SECONDS: &str = "10";

/// An NFSv4.2 mount, over the loopback device, of a file system of its own; for as long as this lives.
pub struct Exported {
    at: TempDir,
    beneath: Mounted,
}

impl Exported {
    /// Whether this kernel has a server and a client; loads their modules.
    pub fn is_to_be_had() -> bool {
        ["nfsd", "nfsv4"].iter().all(|module| programs::run("modprobe", &[module]).status.success())
    }

    /// Starts the server and mounts. The test writes the cache entries that rpc.mountd would write,
    /// before they are needed.
    pub fn start() -> Self {
        let beneath = Mounted::new("ext4");
        let at = tempfile::tempdir().expect("a directory to mount on");
        programs::succeed("mount", &["-t", "nfsd", "nfsd", "/proc/fs/nfsd"]);
        let path = beneath.path().to_str().expect("UTF-8");
        write("/proc/net/rpc/auth.unix.ip/channel", &format!("nfsd 127.0.0.1 {FOR_EVER} local\n"));
        let export = format!("local {path} {FOR_EVER} {FLAGS} 65534 65534 0\n");
        write("/proc/net/rpc/nfsd.export/channel", &export);
        // By fsid 0, which makes it the root of all exports.
        write("/proc/net/rpc/nfsd.fh/channel", &format!("local 1 \\x00000000 {FOR_EVER} {path}\n"));
        // Older NFS versions would need a port mapper.
        write("/proc/fs/nfsd/versions", "-2 -3 +4 +4.1 +4.2\n");
        write("/proc/fs/nfsd/nfsv4gracetime", GRACE_SECONDS);
        write("/proc/fs/nfsd/nfsv4leasetime", GRACE_SECONDS);
        write("/proc/fs/nfsd/portlist", "tcp 2049\n");
        write("/proc/fs/nfsd/threads", "2\n");
        let options = "vers=4.2,addr=127.0.0.1,clientaddr=127.0.0.1";
        let place = at.path().to_str().expect("UTF-8");
        programs::succeed("mount", &["-i", "-t", "nfs4", "-o", options, "127.0.0.1:/", place]);
        Self { at, beneath }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.at.path()
    }
}

fn write(file: &str, text: &str) {
    fs::write(file, text).unwrap_or_else(|error| panic!("{file}: {error}"));
}

impl Drop for Exported {
    fn drop(&mut self) {
        let umount = |path: &Path| drop(Command::new("umount").arg(path).status());
        umount(self.at.path());
        // While the server runs and has it cached, the exported file system is busy.
        for (file, text) in [
            ("/proc/fs/nfsd/threads", "0\n"),
            ("/proc/net/rpc/nfsd.fh/flush", FOR_EVER),
            ("/proc/net/rpc/nfsd.export/flush", FOR_EVER),
            ("/proc/net/rpc/auth.unix.ip/flush", FOR_EVER),
        ] {
            drop(fs::write(file, text));
        }
        umount(Path::new("/proc/fs/nfsd"));
        umount(self.beneath.path());
    }
}
