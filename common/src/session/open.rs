//! A tool's object, opened and set up, and what it needs of the kernel's types.

use std::mem::MaybeUninit;

use cli::exit::{Failure, Result};
use cli::shortage::Shortage;
use libbpf_rs::OpenObject;
use libbpf_rs::skel::{OpenSkel, SkelBuilder};

use super::attach_target;
use super::target_btf::{TargetBtf, Wanted};
use super::tool::Tool;
use crate::bpf::mmap;
use crate::hooks::Program;
use crate::kernel::btf::{Index, Types};

/// What an object needs of the kernel's types.
pub struct Target {
    /// The types used for its relocation; without them libbpf looks for them itself.
    pub btf: Option<TargetBtf>,
    /// The index of names; `None` if the kernel's types are malformed.
    pub index: Option<Index>,
}

/// The tool's object, opened for the first time, and what it needs of the kernel's types.
pub fn first_opened<B>(
    tool: &Tool<'_, B, B::Output, <B::Output as OpenSkel<'static>>::Output>,
) -> Result<(B::Output, Target)>
where
    B: SkelBuilder<'static>,
{
    attach_target::register();
    let mut btf = TargetBtf::new();
    let open = opened(tool, btf.as_ref())?;
    let wanted = Wanted::of(open.open_object(), &programs(open.open_object()));
    let found = Types::running().zip(wanted).and_then(|(types, wanted)| {
        let index = wanted.index(&types)?;
        let filled = btf.as_mut().and_then(|btf| btf.fill(&types, &index, &wanted));
        Some((index, filled.is_some()))
    });
    match found {
        Some((index, true)) => Ok((open, Target { btf, index: Some(index) })),
        other => Ok((opened(tool, None)?, Target { btf: None, index: other.map(|(index, _)| index) })),
    }
}

/// The tool's object, opened and set up.
pub fn opened<B>(
    tool: &Tool<'_, B, B::Output, <B::Output as OpenSkel<'static>>::Output>,
    btf: Option<&TargetBtf>,
) -> Result<B::Output>
where
    B: SkelBuilder<'static>,
{
    // Lives as long as the process, in which few objects are opened: the price of a skeleton that
    // can be passed on.
    let object: &'static mut MaybeUninit<OpenObject> = Box::leak(Box::new(MaybeUninit::uninit()));
    let mut builder = (tool.builder)();
    btf.map_or(Ok(()), |btf| btf.set(builder.object_builder_mut()))
        .map_err(|error| unusable("open", &error))?;
    let mut open = builder.open(object).map_err(|error| unusable("open", &error))?;
    (tool.configure)(&mut open).map_err(|error| unusable("set up", &error))?;
    mmap::size(open.open_object_mut()).map_err(|error| unusable("set up", &error))?;
    Ok(open)
}

/// The failure for an object that cannot be used.
pub fn unusable(what: &str, error: &libbpf_rs::Error) -> Failure {
    let (what, error) = (format!("cannot {what} the BPF object"), format!("{error:#}"));
    match Shortage::in_text(&error) {
        Some(shortage) => shortage.failure(what, error),
        None => Failure::failed(format!("{what}: {error}")),
    }
}

/// Its programs, of the kinds that tools use.
pub fn programs(object: &OpenObject) -> Vec<Program> {
    let named = |program: libbpf_rs::OpenProgram<'_>| {
        Program::from_section(&program.name().to_string_lossy(), &program.section().to_string_lossy())
    };
    object.progs().filter_map(named).collect()
}
