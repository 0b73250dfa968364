//! Functions of modules. A module's types continue those of the kernel, in numbers and in names. A
//! program that attaches there passes the number, and a descriptor of the module's types.

use std::collections::{HashMap, HashSet};
use std::ffi::c_char;
use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::layout::{TYPE, Tables, kind};
use super::{FOLDER, Index, KERNEL, Types, has_name};

/// `MODULE_NAME_LEN` of `linux/module.h`.
const NAME_LEN: usize = 64 - size_of::<u64>();

/// Functions of modules that were looked up.
#[derive(Default)]
pub struct Modules(HashMap<String, Function>);

/// A function of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// The module's name.
    pub module: String,
    /// The function's number among the types of the kernel and of the module.
    pub number: u32,
}

impl Modules {
    /// Looks up functions of these names in all loaded modules.
    pub fn find(kernel: &Types, index: &Index, names: &HashSet<String>) -> Self {
        let mut found = HashMap::new();
        let Some(base) = Tables::of(kernel.bytes()) else { return Self::default() };
        let base = Base { types: index.count() as u32, names: base.names.len() };
        let files = fs::read_dir(FOLDER).into_iter().flatten().flatten();
        for file in files.filter(|file| !names.is_empty() && file.file_name() != KERNEL) {
            let Ok(types) = Types::open(&file.path()) else { continue };
            let Some(tables) = Tables::of(types.bytes()) else { continue };
            if !names.iter().any(|name| has_name(tables.names, name)) {
                continue;
            }
            for (name, number) in functions(&tables, base, names) {
                let module = file.file_name().to_string_lossy().into_owned();
                found.entry(name).or_insert(Function { module, number });
            }
        }
        Self(found)
    }

    /// A function, if some module has it.
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.0.get(name)
    }
}

/// Whether the types of any loaded module have this name.
pub fn any_module_has(name: &str) -> bool {
    let files = fs::read_dir(FOLDER).into_iter().flatten().flatten();
    let mut modules = files.filter(|file| file.file_name() != KERNEL);
    modules.any(|file| Types::open(&file.path()).is_ok_and(|types| types.has_name(name)))
}

/// How many numbers, and how much of the table of names, the kernel's own types take.
#[derive(Clone, Copy)]
struct Base {
    types: u32,
    names: usize,
}

/// The functions of these names in a module; if its types are malformed, those that can be read.
fn functions(tables: &Tables<'_>, base: Base, names: &HashSet<String>) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    let mut at = 0;
    for number in base.types + 1.. {
        let Some((head, more)) = tables.head(at).and_then(|head| Some((head, head.more()?))) else { break };
        if head.kind() == kind::FUNC {
            let place = (head.name as usize).checked_sub(base.names);
            let name = place.and_then(|place| tables.name(place as u32));
            let name = name.and_then(|name| names.get(std::str::from_utf8(name).ok()?));
            found.extend(name.map(|name| (name.clone(), number)));
        }
        at += TYPE + more;
    }
    found
}

/// A descriptor of a module's types.
///
/// # Errors
/// When the module is gone, or the caller lacks CAP_SYS_ADMIN.
pub fn descriptor(module: &str) -> Result<OwnedFd> {
    let mut id = 0;
    loop {
        let before = id;
        // SAFETY: the number outlives the call.
        result(unsafe { libbpf_sys::bpf_btf_get_next_id(before, &raw mut id) })?;
        // SAFETY: takes no pointers.
        let opened = result(unsafe { libbpf_sys::bpf_btf_get_fd_by_id(id) });
        let descriptor = match opened {
            // SAFETY: a descriptor that the kernel has just returned, and that has no other owner.
            Ok(descriptor) => unsafe { OwnedFd::from_raw_fd(descriptor) },
            // Unloaded in the meantime.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if is_of(&descriptor, module)? {
            return Ok(descriptor);
        }
    }
}

/// Whether these types come from the kernel itself, and belong to this module.
fn is_of(types: &OwnedFd, module: &str) -> Result<bool> {
    let mut name = [0; NAME_LEN];
    let mut info = libbpf_sys::bpf_btf_info {
        name: name.as_mut_ptr() as u64,
        name_len: NAME_LEN as u32,
        ..Default::default()
    };
    let mut len = size_of_val(&info) as u32;
    // SAFETY: the buffer for the name, the result and its size outlive the call.
    result(unsafe { libbpf_sys::bpf_btf_get_info_by_fd(types.as_raw_fd(), &raw mut info, &raw mut len) })?;
    let name = name.iter().take_while(|byte: &&c_char| **byte != 0).map(|byte| *byte as u8);
    Ok(info.kernel_btf != 0 && name.eq(module.bytes()))
}

fn result(answer: i32) -> Result<i32> {
    if answer < 0 { Err(Error::from_raw_os_error(-answer)) } else { Ok(answer) }
}

#[cfg(test)]
mod tests {
    use super::super::layout::tests::{blob, info};
    use super::*;

    #[test]
    fn numbers_and_names_continue_those_of_the_kernel() {
        // A name of the kernel's at 3; of the module's own, `\0read\0write\0`, begin at 100.
        let types = [
            &[3, info(kind::FUNC, 0), 7][..],
            &[101, info(kind::STRUCT, 1), 8, 3, 1, 0],
            &[101, info(kind::FUNC, 0), 7],
            &[106, info(kind::FUNC, 0), 7],
        ]
        .concat();
        let (blob, base) = (blob(&types, b"\0read\0write\0"), Base { types: 1000, names: 100 });
        let find = |names: &[&str]| {
            let names = names.iter().map(|name| name.to_string()).collect();
            functions(&Tables::of(&blob).unwrap(), base, &names)
        };
        assert_eq!(find(&["read"]), [("read".to_string(), 1003)]);
        assert_eq!(find(&["write", "rea", "none"]), [("write".to_string(), 1004)]);
    }

    #[test]
    fn odd_types_end_the_search() {
        let base = Base { types: 0, names: 1 };
        let find = |types: &[u32]| {
            let names = HashSet::from(["a".to_string()]);
            functions(&Tables::of(&blob(types, b"\0a\0")).unwrap(), base, &names).len()
        };
        let function = [2, info(kind::FUNC, 0), 1];
        assert_eq!(find(&function), 1);
        assert_eq!(find(&[&function[..], &[0, info(31, 0), 0], &function].concat()), 1);
        assert_eq!(find(&[&[0, info(kind::STRUCT, 900), 0][..], &function].concat()), 0);
        assert_eq!(find(&[u32::MAX, info(kind::FUNC, 0), 1]), 0);
    }
}
