//! Hooks: where a tool attaches, and the rungs of each, in order of preference. `plan` chooses
//! among them.

pub mod plan;
pub(crate) mod refused;

use std::fmt;

use caps::Capability;
use clap::ValueEnum;
use cli::notes::Note;

/// Something that a tool needs to see.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    /// Its name in `--check`.
    pub name: &'static str,
    /// The ways to see it, best first.
    pub rungs: &'static [Rung],
    /// Whether the tool is useful without it.
    pub optional: bool,
    /// Whether on a kernel without it there is nothing of the kind to see.
    pub absent_is_fine: bool,
    /// Only kernels whose types have this name, of a type or a field, need it; `None`: all.
    pub only_with: Option<&'static str>,
}

impl Hook {
    /// A hook that the tool needs.
    pub const fn new(name: &'static str, rungs: &'static [Rung]) -> Self {
        Self { name, rungs, optional: false, absent_is_fine: false, only_with: None }
    }

    /// The same, but left out on kernels whose types do not have this name, of a type or a field.
    pub const fn only_with(self, name: &'static str) -> Self {
        Self { only_with: Some(name), ..self }
    }

    /// The same, but the tool is useful without it.
    pub const fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    /// The same, but on a kernel without it there is nothing of the kind to see: only `--check`
    /// reports it.
    pub const fn if_present(self) -> Self {
        Self { optional: true, absent_is_fine: true, ..self }
    }
}

/// One way to see it: the programs that load together.
#[derive(Clone, Copy, Debug)]
pub struct Rung {
    /// Names of programs of the tool's object; their kind and target come from their own section.
    pub programs: &'static [&'static str],
    /// What this rung cannot see, for `--check` and a line on stderr; none if it sees everything.
    pub limitation: Option<&'static Note>,
    /// How it differs from a rung on the same targets, for `--check`; empty if the targets differ.
    pub variant: &'static str,
}

impl Rung {
    /// A rung that sees everything.
    pub const fn new(programs: &'static [&'static str]) -> Self {
        Self { programs, limitation: None, variant: "" }
    }

    /// The same, but with a limitation.
    pub const fn limitation(self, limitation: &'static Note) -> Self {
        Self { limitation: Some(limitation), ..self }
    }

    /// The same, but with a limitation on x86, whose kernels have functions of their own for calls of 32-bit programs.
    pub const fn limitation_on_x86(self, limitation: &'static Note) -> Self {
        if cfg!(target_arch = "x86_64") { self.limitation(limitation) } else { self }
    }

    /// The same, distinguished by this from others on the same targets.
    pub const fn variant(self, variant: &'static str) -> Self {
        Self { variant, ..self }
    }
}

/// The reason for a rung that was not tried because of `--attach`.
pub(crate) const NOT_ASKED_FOR: &str = "not what --attach asks for";

/// How a program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A tracepoint with typed arguments (`tp_btf`).
    Btf,
    /// The entry or exit of a function through its ftrace trampoline (`fentry`, `fexit`).
    Fentry,
    /// A breakpoint on a function (`kprobe`, `kretprobe`).
    Kprobe,
    /// A classic tracepoint, found through tracefs.
    Tracepoint,
    /// An iterator: runs when its file descriptor is read.
    Iter,
}

impl Kind {
    /// Its name in `--check` and for who runs the tool.
    pub fn name(self) -> &'static str {
        match self {
            Self::Btf => "tp_btf",
            Self::Fentry => "fentry",
            Self::Kprobe => "kprobe",
            Self::Tracepoint => "tracepoint",
            Self::Iter => "iter",
        }
    }
}

/// What `--attach` forces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Attach {
    /// The best that this kernel allows.
    #[default]
    Auto,
    /// Tracepoints with typed arguments.
    Btf,
    /// Function entries and exits through trampolines.
    Fentry,
    /// Breakpoints on functions.
    Kprobe,
    /// Classic tracepoints.
    Tracepoint,
}

impl Attach {
    /// The kind that is forced, if one is.
    pub fn kind(self) -> Option<Kind> {
        match self {
            Self::Auto => None,
            Self::Btf => Some(Kind::Btf),
            Self::Fentry => Some(Kind::Fentry),
            Self::Kprobe => Some(Kind::Kprobe),
            Self::Tracepoint => Some(Kind::Tracepoint),
        }
    }
}

/// A program of a tool's object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// How it is attached.
    pub kind: Kind,
    /// Its target: a tracepoint, a function, a type of kernel object.
    pub target: String,
}

impl Program {
    /// Derives kind and target from the name of an ELF section; `None` for an unknown kind.
    pub fn from_section(name: &str, section: &str) -> Option<Self> {
        let (prefix, target) = section.split_once('/')?;
        let kind = match prefix {
            "tp_btf" => Kind::Btf,
            "fentry" | "fexit" => Kind::Fentry,
            "kprobe" | "kretprobe" | "kprobe.multi" | "kretprobe.multi" => Kind::Kprobe,
            "tp" | "tracepoint" => Kind::Tracepoint,
            "iter" => Kind::Iter,
            _ => return None,
        };
        Some(Self { name: name.to_string(), kind, target: target.to_string() })
    }

    /// The target without the family of system calls, which is clear from the names of their
    /// tracepoints.
    pub fn short_target(&self) -> &str {
        self.target.strip_prefix("syscalls/").unwrap_or(&self.target)
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.name(), self.short_target())
    }
}

/// Why a program cannot be attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// In a few words.
    pub reason: String,
    /// The kernel can, but the caller is not permitted.
    pub not_permitted: bool,
    /// It applies to all programs of the kind: no other needs to be tried.
    pub whole_kind: bool,
    /// The missing capability, if that is the cause.
    pub lacks: Option<Capability>,
}

impl Refusal {
    /// The kernel cannot.
    pub fn missing(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), not_permitted: false, whole_kind: false, lacks: None }
    }

    /// Whether it was tried, rather than excluded by `--attach`.
    pub fn was_tried(&self) -> bool {
        self.reason != NOT_ASKED_FOR
    }

    /// The caller is not permitted, for any program of the kind.
    pub fn not_permitted(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), not_permitted: true, whole_kind: true, lacks: None }
    }

    /// The same, because of a missing capability.
    pub fn lacking(self, capability: Capability) -> Self {
        Self { lacks: Some(capability), ..self }
    }
}

/// The planner's view of a kernel.
pub trait Kernel {
    /// Whether this program can be attached here; if not, why.
    fn can_attach(&self, program: &Program) -> Result<(), Refusal>;

    /// Whether its own types have this name, of a type or a field.
    fn has_name(&self, name: &str) -> bool;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_tell_kind_and_target() {
        assert_eq!(Program::from_section("p", "fexit/x").unwrap().kind, Kind::Fentry);
        assert_eq!(Program::from_section("p", "tp/a/b").unwrap().target, "a/b");
        assert_eq!(Program::from_section("p", "xdp/x"), None);
    }
}
