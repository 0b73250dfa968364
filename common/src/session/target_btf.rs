//! What an object needs of the kernel's types: an index of the names, and the few types for its
//! CO-RE relocations, in a file for libbpf.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;

use libbpf_rs::btf::{Btf, BtfKind, BtfType, TypeId};
use libbpf_rs::{AsRawLibbpf, ObjectBuilder, OpenObject};
use rustix::fs::{MemfdFlags, memfd_create};

use crate::hooks::Program;
use crate::kernel::btf::{Index, Types, essential, target};

/// A file in memory for the types that an object is relocated by. It is empty until the object is
/// opened, which shows what it needs, and must be filled before the object is loaded.
pub struct TargetBtf(File);

impl TargetBtf {
    /// An empty one; `None` if the kernel does not create it, or libbpf could not open it.
    pub fn new() -> Option<Self> {
        // Before Linux 6.3 there is no such flag; from then on an administrator may require it.
        let new = memfd_create("btf", MemfdFlags::CLOEXEC | MemfdFlags::NOEXEC_SEAL);
        let new = new.or_else(|_| memfd_create("btf", MemfdFlags::CLOEXEC)).ok()?;
        let new = Self(new.into());
        File::open(new.path()).is_ok().then_some(new)
    }

    fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.0.as_raw_fd())
    }

    /// Has an object that is yet to be opened take its types from this file.
    ///
    /// # Errors
    /// None that can happen: the path has no NUL.
    pub fn set(&self, builder: &mut ObjectBuilder) -> libbpf_rs::Result<()> {
        builder.btf_custom_path(self.path()).map(drop)
    }

    /// Writes the types that the object names; `None` if the kernel's cannot be made smaller.
    pub fn fill(&mut self, types: &Types, index: &Index, wanted: &Wanted) -> Option<()> {
        let blob = types.subset(index, wanted.types.iter())?;
        self.0.write_all(&blob).ok()
    }
}

/// The names that an object and its programs need.
pub struct Wanted {
    /// Of types.
    types: HashSet<Vec<u8>>,
    /// Of types, and of what programs attach to.
    all: HashSet<Vec<u8>>,
}

impl Wanted {
    /// The names of all types of the object, including those that it is relocated by, and of the
    /// targets of all its programs; `None` if it has no types.
    pub fn of(object: &OpenObject, programs: &[Program]) -> Option<Self> {
        // SAFETY: the object outlives the types read from it, which do not leave this function.
        let btf = Btf::from_bpf_object(unsafe { object.as_libbpf_object().as_ref() }).ok()??;
        let local = (1..btf.len() as u32).filter_map(|id| btf.type_by_id::<BtfType<'_>>(TypeId::from(id)));
        let types: HashSet<_> = local
            .filter(|local| {
                !matches!(local.kind(), BtfKind::Func | BtfKind::Var | BtfKind::DataSec | BtfKind::DeclTag)
            })
            .filter_map(|local| Some(essential(local.name()?.as_bytes()).to_vec()))
            .collect();
        let targets = programs.iter().map(|program| target::name(program).0.into_bytes());
        let all = types.iter().cloned().chain(targets).collect();
        Some(Self { types, all })
    }

    /// Their index in the kernel's types; `None` if these are malformed.
    pub fn index(&self, types: &Types) -> Option<Index> {
        types.index(&self.all)
    }
}
