//! Variables and maps of any tool's object, found by name.

use std::sync::atomic::{AtomicU32, AtomicU64};

use cli::exit::{Failure, Result};
use libbpf_rs::btf::{Btf, types};
use libbpf_rs::{AsRawLibbpf, Map, MapCore, Object, OpenObject};

/// Sets a `const volatile` variable before the object is loaded. The bytes must be those of its C type.
pub fn set_constant(object: &mut OpenObject, name: &str, bytes: &[u8]) -> Result<()> {
    set_in(object, ".rodata", name, bytes)
}

/// Sets any global variable before the object is loaded, as `set_constant`.
pub fn set_variable(object: &mut OpenObject, name: &str, bytes: &[u8]) -> Result<()> {
    let section = [".data", ".bss"].into_iter().find(|section| place(object, section, name).is_some());
    set_in(object, section.unwrap_or(".rodata"), name, bytes)
}

fn set_in(object: &mut OpenObject, section: &str, name: &str, bytes: &[u8]) -> Result<()> {
    let Some((offset, size)) = place(object, section, name) else {
        return Err(Failure::failed(format!("the object has no variable {name}")));
    };
    if size != bytes.len() {
        return Err(Failure::failed(format!("variable {name} has {size} bytes, not {}", bytes.len())));
    }
    let mut section = object.maps_mut().find(|map| map.name().to_string_lossy().ends_with(section));
    let target = section.as_mut().and_then(|map| map.initial_value_mut()?.get_mut(offset..offset + size));
    match target {
        Some(target) => target.copy_from_slice(bytes),
        None => return Err(Failure::failed(format!("variable {name} lies outside of its section"))),
    }
    Ok(())
}

/// A map of a loaded object.
pub fn map<'a>(object: &'a Object, name: &str) -> Result<Map<'a>> {
    let map = object.maps().find(|map| map.name() == name);
    map.ok_or_else(|| Failure::failed(format!("the object has no map {name}")))
}

/// A variable of 32 bits that a loaded object shares with user space. Its initial value must be 0.
pub fn shared_u32<'a>(object: &'a Object, name: &str) -> Result<&'a AtomicU32> {
    let at = shared(object, name, size_of::<u32>())?;
    // SAFETY: naturally aligned, in a mapping that lives as long as the object, and the kernel writes it too.
    Ok(unsafe { AtomicU32::from_ptr(at.cast()) })
}

/// A variable of 64 bits that a loaded object shares with user space. Its initial value must be 0.
pub fn shared_u64<'a>(object: &'a Object, name: &str) -> Result<&'a AtomicU64> {
    let at = shared(object, name, size_of::<u64>())?;
    // SAFETY: as above.
    Ok(unsafe { AtomicU64::from_ptr(at.cast()) })
}

fn shared(object: &Object, name: &str, size: usize) -> Result<*mut u8> {
    let mut len = 0;
    let section = object.maps().find(|map| map.name().to_string_lossy().ends_with(".bss"));
    // SAFETY: the map belongs to the object, which is loaded; the mapping's size is returned in
    // `len`.
    let data = section.map(|map| unsafe {
        libbpf_sys::bpf_map__initial_value(map.as_libbpf_object().as_ptr(), &raw mut len)
    });
    match (data, place(object, ".bss", name)) {
        (Some(data), Some((offset, found)))
            if !data.is_null() && found == size && offset % size == 0 && offset + size <= len as usize =>
        {
            // SAFETY: within the mapping, as just seen.
            Ok(unsafe { data.cast::<u8>().add(offset) })
        }
        _ => Err(Failure::failed(format!("the object has no variable {name}"))),
    }
}

/// The offset of a variable in its section, and its size.
fn place(
    object: &impl AsRawLibbpf<LibbpfType = libbpf_sys::bpf_object>,
    section: &str,
    name: &str,
) -> Option<(usize, usize)> {
    // SAFETY: the object outlives the types read from it, which do not leave this function.
    let btf = Btf::from_bpf_object(unsafe { object.as_libbpf_object().as_ref() }).ok()??;
    let section = btf.type_by_name::<types::DataSec<'_>>(section)?;
    section.iter().find_map(|var| {
        let found = btf.type_by_id::<types::Var<'_>>(var.ty)?;
        (found.name()? == name).then_some((var.offset as usize, var.size))
    })
}
