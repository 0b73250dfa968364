//! Capabilities: what a tool needs to attach, checked before it fails, and dropped once it has
//! attached.

use caps::{CapSet, Capability, CapsHashSet};
use cli::exit::{Failure, Result};
use cli::stderr::note;

use super::diagnosis::{Step, diagnose};
use super::restrictions::{self, Restrictions};

/// Refuses early, and by name, what the kernel would refuse later with only "operation not
/// permitted".
pub fn check() -> Result<()> {
    let effective = caps::read(None, CapSet::Effective).unwrap_or_default();
    if effective.contains(&Capability::CAP_SYS_ADMIN) {
        return Ok(());
    }
    let needed = [Capability::CAP_BPF, Capability::CAP_PERFMON];
    let missing: Vec<_> =
        needed.iter().filter(|cap| !effective.contains(cap)).map(Capability::to_string).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::not_permitted(format!(
        "{} missing: run it as root, or give it the capability",
        missing.join(" and ")
    )))
}

/// Refuses early, with the cause, if bpf(2) is refused for any request.
pub fn check_bpf() -> Result<()> {
    match restrictions::bpf() {
        None => Ok(()),
        Some(_) => Err(diagnose(Step::Bpf, true, "", &Restrictions::gather())
            .map_or_else(|| Failure::not_permitted("not permitted to use bpf(2)"), Failure::from)),
    }
}

/// Drops every capability, and the ways to regain any by running a program: the bounding set, if the caller may change it
/// (CAP_SETPCAP), and `PR_SET_NO_NEW_PRIVS`, which anybody may set.
///
/// CAP_BPF is kept if `works` fails without it: kernels before 6.5 refuse even to read a map to the
/// unprivileged when `kernel.unprivileged_bpf_disabled` is set.
///
/// A failure to drop capabilities does not stop the measurement: a note tells of it, unless `quiet`.
pub fn drop_all(works: impl Fn() -> bool, quiet: bool) {
    if let Err(error) = clear(works)
        && !quiet
    {
        note(&format!("could not drop capabilities: {error}"));
    }
}

fn clear(works: impl Fn() -> bool) -> std::result::Result<(), caps::errors::CapsError> {
    let keep_bpf = CapsHashSet::from([Capability::CAP_BPF]);
    let had_bpf = caps::has_cap(None, CapSet::Permitted, Capability::CAP_BPF)?;
    // No kernel refuses this. Otherwise root could regain them by running a program; no tool does.
    let _ = rustix::thread::set_no_new_privs(true);
    if caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP)? {
        caps::clear(None, CapSet::Bounding)?;
    }
    // What is not inheritable cannot be ambient either.
    caps::clear(None, CapSet::Inheritable)?;
    caps::clear(None, CapSet::Effective)?;
    if had_bpf && !works() {
        caps::set(None, CapSet::Effective, &keep_bpf)?;
        return caps::set(None, CapSet::Permitted, &keep_bpf);
    }
    caps::clear(None, CapSet::Permitted)
}
