//! The call in progress of each thread, of `bpf/include/under_way.h`.

use libbpf_rs::OpenObject;

use crate::kernel::running;

/// Chooses where it is kept, before an object is loaded: true for the tasks themselves, which the constant `task_storage`
/// must then say, too; false for a map.
///
/// # Errors
/// When libbpf refuses.
pub fn configure(object: &mut OpenObject) -> libbpf_rs::Result<bool> {
    let in_tasks = running::tasks_hold_storage();
    // An unused map is not created; the code that would use it is never reached.
    for mut map in object.maps_mut() {
        match map.name().to_str() {
            Some("under_way_in_task") => map.set_autocreate(in_tasks)?,
            Some("under_way") => map.set_autocreate(!in_tasks)?,
            _ => {}
        }
    }
    Ok(in_tasks)
}
