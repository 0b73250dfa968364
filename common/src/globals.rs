//! Constants that common code sets in any tool's object, found by name through the object's own types.

use libbpf_rs::btf::{Btf, types};
use libbpf_rs::{AsRawLibbpf, OpenObject};

use crate::exit::{Failure, Result};

/// Sets a `const volatile` variable before the object is loaded. The bytes must be those of its C type.
pub fn set_constant(object: &mut OpenObject, name: &str, bytes: &[u8]) -> Result<()> {
    let Some((offset, size)) = find(object, name) else {
        return Err(Failure::failed(format!("the object has no constant {name}")));
    };
    if size != bytes.len() {
        return Err(Failure::failed(format!("constant {name} has {size} bytes, not {}", bytes.len())));
    }
    let mut section = object.maps_mut().find(|map| map.name().to_string_lossy().ends_with(".rodata"));
    let target = section.as_mut().and_then(|map| map.initial_value_mut()?.get_mut(offset..offset + size));
    match target {
        Some(target) => target.copy_from_slice(bytes),
        None => return Err(Failure::failed(format!("constant {name} lies outside of its section"))),
    }
    Ok(())
}

fn find(object: &OpenObject, name: &str) -> Option<(usize, usize)> {
    // SAFETY: the object outlives the types read from it, which do not leave this function.
    let btf = Btf::from_bpf_object(unsafe { object.as_libbpf_object().as_ref() }).ok()??;
    let section = btf.type_by_name::<types::DataSec<'_>>(".rodata")?;
    section.iter().find_map(|var| {
        let found = btf.type_by_id::<types::Var<'_>>(var.ty)?;
        (found.name()? == name).then_some((var.offset as usize, var.size))
    })
}
