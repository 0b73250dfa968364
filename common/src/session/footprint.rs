//! What the tool's own programs and maps occupy in the kernel: memory, and entries of its hash maps.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::FileExt;

use cli::exit::{Failure, Result};
use cli::interval::Footprint;
use libbpf_rs::{MapCore, MapHandle, MapType, Object};

use crate::bpf::batch;

/// Bytes of the longest fdinfo file of a map or program, of which the memory stands near the begin.
const FDINFO: usize = 1024;

/// The tool's own programs and maps.
pub struct Holdings {
    /// The kernel's account of each, in files that are opened while it is permitted; `None` without /proc.
    accounts: Option<Vec<File>>,
    /// How many maps there are.
    maps: u64,
    /// Those whose keys come and go.
    hashes: Vec<MapHandle>,
}

impl Holdings {
    /// Those of loaded objects.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn of<'a>(objects: impl IntoIterator<Item = &'a Object> + Clone) -> Result<Self> {
        let unkept =
            |error: libbpf_rs::Error| Failure::failed(format!("cannot keep a descriptor: {error:#}"));
        // libbpf has a descriptor for the others, too, but no map behind it.
        let maps = objects.clone().into_iter().flat_map(Object::maps);
        let maps: Vec<_> = maps.filter(|map| map.autocreate()).collect();
        let hashes = maps.iter().filter(|map| matches!(map.map_type(), MapType::Hash | MapType::LruHash));
        let hashes = hashes.map(MapHandle::try_from).collect::<libbpf_rs::Result<_>>().map_err(unkept)?;
        let programs = objects.into_iter().flat_map(Object::progs_mut).filter(|program| program.autoload());
        let programs: Vec<_> = programs.map(|program| program.as_fd().as_raw_fd()).collect();
        let all = maps.iter().map(|map| map.as_fd().as_raw_fd()).chain(programs);
        let accounts = all.map(|fd| File::open(format!("/proc/self/fdinfo/{fd}"))).collect::<io::Result<_>>();
        Ok(Self { accounts: accounts.ok(), maps: maps.len() as u64, hashes })
    }

    /// What they occupy now.
    pub fn now(&self) -> Footprint {
        let bytes = self.accounts.as_ref().and_then(|files| files.iter().map(memory).sum());
        Footprint { bytes, maps: self.maps, keys: self.hashes.iter().map(entries).sum() }
    }
}

/// How many entries a hash map holds; `None` if the kernel refuses.
fn entries(map: &MapHandle) -> Option<u64> {
    let mut count = 0;
    batch::read(map, |_, _| count += 1).ok().map(|()| count)
}

/// The memory of a program or map, from its fdinfo.
fn memory(account: &File) -> Option<u64> {
    let mut text = [0; FDINFO];
    let read = account.read_at(&mut text, 0).ok()?;
    memlock(&String::from_utf8_lossy(text.get(..read)?))
}

fn memlock(fdinfo: &str) -> Option<u64> {
    fdinfo.lines().find_map(|line| line.strip_prefix("memlock:")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::memlock;

    #[test]
    fn memory_is_read_from_fdinfo() {
        assert_eq!(memlock("pos:\t0\nmap_type:\t1\nmemlock:\t4096\nfrozen:\t0\n"), Some(4096));
        assert_eq!(memlock("pos:\t0\nflags:\t02\n"), None);
        assert_eq!(memlock("memlock:\tmuch\n"), None);
    }
}
