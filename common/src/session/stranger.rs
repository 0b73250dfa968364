//! Objects that are not the suite's own: what they need of the kernel's types is found by our own index, too. libbpf would read
//! all types for it, twice as much as an object and its maps need otherwise.

use std::ffi::OsStr;
use std::path::Path;

use libbpf_rs::{Link, Object, ObjectBuilder, OpenObject, OpenProgramMut, ProgramMut};

use super::attach_target::{self, Resolver};
use super::target_btf::{TargetBtf, Wanted};
use crate::hooks::{Kind, Program};
use crate::kernel::btf::{Types, any_module_has, relocations, target};
use crate::kernel::running::Running;

/// Sections whose programs the kernel finds by the number of a type, and what that is of.
const TYPED: [(&str, Kind); 6] = [
    ("tp_btf", Kind::Btf),
    ("iter", Kind::Iter),
    ("fentry", Kind::Fentry),
    ("fexit", Kind::Fentry),
    ("fmod_ret", Kind::Fentry),
    ("lsm", Kind::Fentry),
];

/// An opened object.
pub struct Stranger {
    object: OpenObject,
    targets: Targets,
    /// The types for its relocation, if these are not libbpf's to find.
    types: Option<TargetBtf>,
}

/// What programs attach to.
pub struct Targets {
    kernel: Running,
    resolver: Resolver,
}

/// Opens an object, which is relocated by the types in the file `types`, else by the kernel's.
///
/// # Errors
/// When libbpf cannot open it.
pub fn open(path: &Path, types: Option<&Path>) -> libbpf_rs::Result<Stranger> {
    attach_target::register();
    let first = match types {
        Some(types) => opened(path, |builder| builder.btf_custom_path(types).map(drop))?,
        None => opened(path, |_| Ok(()))?,
    };
    let text = |text: &OsStr| text.to_string_lossy().into_owned();
    let programs = first.progs().filter_map(|one| typed(&text(one.name()), &text(one.section())));
    let programs: Vec<Program> = programs.collect();
    let (kernel, wanted) = (Types::running(), Wanted::of(&first, &programs));
    let index = kernel.as_ref().zip(wanted.as_ref()).and_then(|(kernel, wanted)| wanted.index(kernel));
    let few = index.as_ref().zip(kernel.zip(wanted)).filter(|_| types.is_none());
    let few = few.and_then(|(index, (kernel, wanted))| {
        // What the kernel itself does not have may be in a module, where libbpf looks for it.
        let has = |root: &relocations::Root| index.has(&root.name, root.kind);
        relocations::roots(path)?.iter().all(has).then_some(())?;
        let mut few = TargetBtf::new()?;
        few.fill(&kernel, index, &wanted)?;
        Some(few)
    });
    let object = match &few {
        Some(few) => opened(path, |builder| few.set(builder))?,
        None => first,
    };
    let targets = Targets { kernel: Running::of(index, &programs), resolver: Resolver::default() };
    Ok(Stranger { object, targets, types: few })
}

fn opened(
    path: &Path,
    set: impl FnOnce(&mut ObjectBuilder) -> libbpf_rs::Result<()>,
) -> libbpf_rs::Result<OpenObject> {
    let mut builder = ObjectBuilder::default();
    set(&mut builder)?;
    builder.open_file(path)
}

/// What the program attaches to by the number of a type; `None` if it does not. A function of a module may have the module's
/// name before it, and a program that may sleep has `.s` in its section.
fn typed(name: &str, section: &str) -> Option<Program> {
    let (prefix, target) = section.split_once('/')?;
    let prefix = prefix.trim_end_matches(".s");
    let (_, kind) = *TYPED.iter().find(|(known, _)| *known == prefix)?;
    let target = target.rsplit(':').next().unwrap_or(target);
    let target = if prefix == "lsm" { format!("bpf_lsm_{target}") } else { target.to_owned() };
    Some(Program { name: name.to_owned(), kind, target })
}

impl Stranger {
    /// Its programs, yet to be loaded, and what tells whether the kernel has their targets.
    pub fn parts(&mut self) -> (&mut OpenObject, &mut Targets) {
        (&mut self.object, &mut self.targets)
    }

    /// Loads it.
    ///
    /// # Errors
    /// When libbpf or the kernel refuses.
    pub fn load(self) -> libbpf_rs::Result<Object> {
        let Self { object, targets, types } = self;
        // Their memory may be libbpf's now.
        drop(targets);
        Types::forget_running();
        let loaded = object.load();
        attach_target::forget();
        drop(types);
        loaded
    }
}

impl Targets {
    /// Whether the kernel has what a program of this section attaches to, as far as types tell: of other programs attaching
    /// does.
    pub fn exist(&self, section: &str) -> bool {
        let Some(program) = typed("", section) else { return true };
        let in_modules = || {
            self.kernel.modules().function(&program.target).is_some()
                || program.kind != Kind::Fentry && any_module_has(&target::name(&program).0)
        };
        self.kernel.types_have(&program) || in_modules()
    }

    /// Tells libbpf the target of a program that is to be loaded.
    ///
    /// # Errors
    /// When there is no such target.
    pub fn resolve(&mut self, program: &mut OpenProgramMut<'_>) -> libbpf_rs::Result<()> {
        match resolved(&program.name().to_string_lossy(), &program.section().to_string_lossy()) {
            Some(typed) => self.resolver.resolve(program, &typed, &self.kernel),
            None => Ok(()),
        }
    }
}

/// A program whose target is resolved here.
fn resolved(name: &str, section: &str) -> Option<Program> {
    Program::from_section(name, section).filter(attach_target::is_typed)
}

/// Attaches a program of such an object, as its section says.
///
/// # Errors
/// When the kernel refuses.
pub fn attach(program: &ProgramMut<'_>) -> libbpf_rs::Result<Link> {
    match resolved(&program.name().to_string_lossy(), &program.section().to_string_lossy()) {
        Some(typed) => attach_target::attach(program, &typed),
        None => program.attach(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_attach_to_what_their_section_says() {
        let of = |section| typed("p", section).map(|program| (program.kind, program.target));
        for (section, kind, target) in [
            ("tp_btf/sched_switch", Kind::Btf, "sched_switch"),
            ("fentry.s/ext4:ext4_sync_file", Kind::Fentry, "ext4_sync_file"),
            ("fmod_ret/bpf_modify", Kind::Fentry, "bpf_modify"),
            ("lsm/file_open", Kind::Fentry, "bpf_lsm_file_open"),
            ("iter/task", Kind::Iter, "task"),
        ] {
            assert_eq!(of(section), Some((kind, target.to_owned())), "{section}");
        }
        for section in ["kprobe/x", "uprobe//bin/x:y", "fentry", "tp/a/b"] {
            assert_eq!(of(section), None, "{section}");
        }
    }
}
