//! Hooks: where a tool attaches. Each has rungs in order of preference, and a pure function picks the first
//! that the kernel allows, so that what is attached is planned, told and tested rather than discovered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use clap::ValueEnum;

/// Something that a tool must see happen.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    /// Its name in `--check`.
    pub name: &'static str,
    /// The ways to see it, best first.
    pub rungs: &'static [Rung],
    /// Whether the tool is of use without it.
    pub optional: bool,
}

/// One way to see it: the programs that load together.
#[derive(Clone, Copy, Debug)]
pub struct Rung {
    /// Names of programs of the tool's object; their kind and target come from their own section.
    pub programs: &'static [&'static str],
    /// What this rung cannot see, for `--check` and a line on stderr; none for a full one.
    pub bound: Option<&'static str>,
}

/// The reason where a rung was not tried because of `--attach`.
const NOT_ASKED_FOR: &str = "not what --attach asks for";

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
    /// An iterator: runs when it is read.
    Iter,
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
    fn kind(self) -> Option<Kind> {
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
    /// What to: a tracepoint, a function, a kind of object.
    pub target: String,
}

impl Program {
    /// Reads kind and target off an ELF section's name; nothing where it is of no known kind.
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

    /// The target without the family of system calls, whose tracepoints tell it by their names.
    fn short_target(&self) -> &str {
        self.target.strip_prefix("syscalls/").unwrap_or(&self.target)
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Btf => "tp_btf",
            Kind::Fentry => "fentry",
            Kind::Kprobe => "kprobe",
            Kind::Tracepoint => "tracepoint",
            Kind::Iter => "iter",
        };
        write!(f, "{kind}:{}", self.short_target())
    }
}

/// Why a program cannot be attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// In a few words.
    pub reason: String,
    /// The kernel can, the caller may not.
    pub not_permitted: bool,
    /// It holds for all programs of the kind: no other needs to be tried.
    pub whole_kind: bool,
}

impl Refusal {
    /// The kernel cannot.
    pub fn missing(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), not_permitted: false, whole_kind: false }
    }

    /// Whether it was tried at all, or was not asked for.
    pub fn was_tried(&self) -> bool {
        self.reason != NOT_ASKED_FOR
    }

    /// The caller may not, whichever program of the kind it is.
    pub fn not_permitted(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), not_permitted: true, whole_kind: true }
    }
}

/// What the planner asks of a kernel.
pub trait Kernel {
    /// Whether this program can be attached here; if not, why.
    fn can_attach(&self, program: &Program) -> Result<(), Refusal>;
}

/// A kernel, and what it has refused so far when it was tried: the only judge of what it allows.
pub struct Tried<K> {
    kernel: K,
    programs: BTreeMap<String, Refusal>,
    kinds: Vec<(Kind, Refusal)>,
}

impl<K: Kernel> Tried<K> {
    /// A kernel that has not been tried.
    pub fn new(kernel: K) -> Self {
        Self { kernel, programs: BTreeMap::new(), kinds: Vec::new() }
    }

    /// Remembers that this program was refused, or its whole kind.
    pub fn refused(&mut self, program: &Program, refusal: Refusal) {
        if refusal.whole_kind {
            self.kinds.push((program.kind, refusal.clone()));
        }
        self.programs.insert(program.name.clone(), refusal);
    }

    /// The kernel itself.
    pub fn kernel(&self) -> &K {
        &self.kernel
    }
}

impl<K: Kernel> Kernel for Tried<K> {
    fn can_attach(&self, program: &Program) -> Result<(), Refusal> {
        let kind = self.kinds.iter().find(|(kind, _)| *kind == program.kind).map(|(_, refusal)| refusal);
        match self.programs.get(&program.name).or(kind) {
            Some(refusal) => Err(refusal.clone()),
            None => self.kernel.can_attach(program),
        }
    }
}

/// What was decided for a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The hook's name.
    pub hook: &'static str,
    /// The programs of the rung taken; empty where there is none.
    pub taken: Vec<Program>,
    /// What the rung taken cannot see.
    pub bound: Option<&'static str>,
    /// The rungs passed over, each with the reason.
    pub passed: Vec<(String, Refusal)>,
    /// Whether the tool is of use without this hook.
    pub optional: bool,
}

/// What was decided for all hooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// In the order in which the tool declares them.
    pub hooks: Vec<Planned>,
}

impl Plan {
    /// Whether this program is to be loaded.
    pub fn loads(&self, program: &str) -> bool {
        self.program(program).is_some()
    }

    /// A program that is to be loaded.
    pub fn program(&self, name: &str) -> Option<&Program> {
        self.hooks.iter().flat_map(|hook| &hook.taken).find(|taken| taken.name == name)
    }

    /// Whether it relies on functions, which the compiler may have inlined here and there.
    pub fn watches_functions(&self) -> bool {
        let mut taken = self.hooks.iter().flat_map(|hook| &hook.taken);
        taken.any(|program| matches!(program.kind, Kind::Fentry | Kind::Kprobe))
    }

    /// The hooks that the tool needs and cannot have.
    pub fn missing(&self) -> impl Iterator<Item = &Planned> {
        self.hooks.iter().filter(|hook| hook.taken.is_empty() && !hook.optional)
    }
}

/// Picks a rung for each hook that is wanted in this run.
///
/// # Errors
/// A mistake in the tool itself: a program that no rung names, or a rung that names no program. Both would
/// otherwise attach too much or too little in silence.
pub fn plan(
    hooks: &[Hook],
    wanted: impl Fn(&Hook) -> bool,
    programs: &[Program],
    kernel: &dyn Kernel,
    attach: Attach,
) -> Result<Plan, String> {
    let named: BTreeSet<&str> =
        hooks.iter().flat_map(|hook| hook.rungs).flat_map(|rung| rung.programs).copied().collect();
    if let Some(stray) = programs.iter().find(|program| !named.contains(program.name.as_str())) {
        return Err(format!("program {} is on no rung", stray.name));
    }
    let mut planned = Vec::new();
    for hook in hooks.iter().filter(|hook| wanted(hook)) {
        planned.push(plan_hook(hook, programs, kernel, attach)?);
    }
    Ok(Plan { hooks: planned })
}

fn plan_hook(
    hook: &Hook,
    programs: &[Program],
    kernel: &dyn Kernel,
    attach: Attach,
) -> Result<Planned, String> {
    let mut planned =
        Planned { hook: hook.name, taken: vec![], bound: None, passed: vec![], optional: hook.optional };
    let rungs = hook
        .rungs
        .iter()
        .map(|rung| Ok((rung, find(rung, programs)?)))
        .collect::<Result<Vec<_>, String>>()?;
    // A hook that can be had in one way only is not the one that --attach is about.
    let forced =
        attach.kind().filter(|kind| rungs.iter().any(|(_, found)| found.iter().any(|p| p.kind == *kind)));
    for (rung, found) in rungs {
        let refused = if forced.is_some_and(|kind| !found.iter().any(|program| program.kind == kind)) {
            Some(Refusal::missing(NOT_ASKED_FOR))
        } else {
            found.iter().find_map(|program| kernel.can_attach(program).err())
        };
        match refused {
            Some(refusal) => planned.passed.push((describe(&found), refusal)),
            None => {
                planned.taken = found;
                planned.bound = rung.bound;
                break;
            }
        }
    }
    Ok(planned)
}

fn find(rung: &Rung, programs: &[Program]) -> Result<Vec<Program>, String> {
    let find = |name: &&str| programs.iter().find(|program| program.name == **name).cloned();
    rung.programs.iter().map(|name| find(name).ok_or(format!("no program {name}"))).collect()
}

/// The programs of a rung in one word: the kind once, then what each is attached to.
pub fn describe(programs: &[Program]) -> String {
    let mut word = String::new();
    for (index, program) in programs.iter().enumerate() {
        match index > 0 && programs[index - 1].kind == program.kind {
            true => word.push_str(&format!("+{}", program.short_target())),
            false if index > 0 => word.push_str(&format!("+{program}")),
            false => word.push_str(&program.to_string()),
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A made-up kernel: it refuses these targets.
    struct Refuses(&'static [&'static str]);

    impl Kernel for Refuses {
        fn can_attach(&self, program: &Program) -> Result<(), Refusal> {
            let refused = self.0.contains(&program.target.as_str());
            if refused { Err(Refusal::missing(format!("no {}", program.target))) } else { Ok(()) }
        }
    }

    const HOOKS: &[Hook] = &[
        Hook {
            name: "reads",
            rungs: &[
                Rung { programs: &["read_f", "readv_f"], bound: None },
                Rung { programs: &["read_k"], bound: None },
                Rung { programs: &["read_t"], bound: Some("no reads by the kernel") },
            ],
            optional: false,
        },
        Hook { name: "extra", rungs: &[Rung { programs: &["extra"], bound: None }], optional: true },
    ];

    fn programs() -> Vec<Program> {
        [
            ("read_f", "fentry/vfs_read"),
            ("readv_f", "fentry/vfs_readv"),
            ("read_k", "kprobe/vfs_read_k"),
            ("read_t", "tp/syscalls/sys_exit_read"),
            ("extra", "tp_btf/extra"),
        ]
        .map(|(name, section)| Program::from_section(name, section).unwrap())
        .to_vec()
    }

    fn planned(refused: &'static [&'static str], attach: Attach) -> Plan {
        plan(HOOKS, |_| true, &programs(), &Refuses(refused), attach).unwrap()
    }

    #[test]
    fn the_first_rung_wins_and_the_others_stay_off() {
        let plan = planned(&[], Attach::Auto);
        let loaded: Vec<_> = programs().into_iter().filter(|p| plan.loads(&p.name)).map(|p| p.name).collect();
        assert_eq!(loaded, ["read_f", "readv_f", "extra"]);
        assert!(plan.hooks[0].passed.is_empty());
    }

    #[test]
    fn a_rung_falls_as_a_whole_and_says_why() {
        let plan = planned(&["vfs_readv"], Attach::Auto);
        assert_eq!(describe(&plan.hooks[0].taken), "kprobe:vfs_read_k");
        assert_eq!(
            plan.hooks[0].passed,
            [("fentry:vfs_read+vfs_readv".to_string(), Refusal::missing("no vfs_readv"))]
        );
        assert!(!plan.loads("read_f"));
    }

    #[test]
    fn a_degraded_rung_tells_its_bound() {
        let plan = planned(&["vfs_read", "vfs_read_k"], Attach::Auto);
        assert_eq!(plan.hooks[0].bound, Some("no reads by the kernel"));
    }

    #[test]
    fn a_needed_hook_is_missed_and_an_optional_one_is_not() {
        let plan = planned(&["vfs_read", "vfs_read_k", "syscalls/sys_exit_read", "extra"], Attach::Auto);
        assert_eq!(plan.missing().map(|hook| hook.hook).collect::<Vec<_>>(), ["reads"]);
    }

    #[test]
    fn a_forced_kind_passes_better_rungs_but_leaves_other_hooks_alone() {
        let plan = planned(&[], Attach::Kprobe);
        assert_eq!(describe(&plan.hooks[0].taken), "kprobe:vfs_read_k");
        assert_eq!(describe(&plan.hooks[1].taken), "tp_btf:extra");
        let refused = planned(&["vfs_read_k"], Attach::Kprobe);
        assert_eq!(refused.missing().count(), 1);
    }

    #[test]
    fn a_hook_that_is_not_wanted_loads_nothing() {
        let plan =
            plan(HOOKS, |hook| hook.name != "extra", &programs(), &Refuses(&[]), Attach::Auto).unwrap();
        assert!(!plan.loads("extra"));
    }

    #[test]
    fn a_stray_program_and_a_rung_without_program_are_refused() {
        let mut stray = programs();
        stray.push(Program::from_section("stray", "tp_btf/x").unwrap());
        let error = plan(HOOKS, |_| true, &stray, &Refuses(&[]), Attach::Auto).unwrap_err();
        assert_eq!(error, "program stray is on no rung");
        let error = plan(HOOKS, |_| true, &programs()[..4], &Refuses(&[]), Attach::Auto).unwrap_err();
        assert_eq!(error, "no program extra");
    }

    #[test]
    fn what_was_tried_and_refused_is_not_planned_again() {
        let mut tried = Tried::new(Refuses(&[]));
        let plan_tried =
            |tried: &Tried<Refuses>| plan(HOOKS, |_| true, &programs(), tried, Attach::Auto).unwrap();
        let first = plan_tried(&tried).program("readv_f").unwrap().clone();
        tried.refused(&first, Refusal::missing("attached, but never called"));
        let second = plan_tried(&tried);
        assert_eq!(second.hooks[0].passed[0].1.reason, "attached, but never called");
        assert_eq!(describe(&second.hooks[0].taken), "kprobe:vfs_read_k");
        tried.refused(&second.hooks[0].taken[0], Refusal::not_permitted("locked down"));
        assert_eq!(describe(&plan_tried(&tried).hooks[0].taken), "tracepoint:sys_exit_read");
    }

    #[test]
    fn a_kind_that_is_not_permitted_is_tried_once() {
        let mut tried = Tried::new(Refuses(&[]));
        tried.refused(&programs()[0], Refusal::not_permitted("locked down"));
        assert!(tried.can_attach(&programs()[1]).unwrap_err().not_permitted);
        assert!(tried.can_attach(&programs()[2]).is_ok());
    }

    #[test]
    fn sections_tell_kind_and_target() {
        assert_eq!(Program::from_section("p", "fexit/x").unwrap().kind, Kind::Fentry);
        assert_eq!(Program::from_section("p", "tp/a/b").unwrap().target, "a/b");
        assert_eq!(Program::from_section("p", "xdp/x"), None);
    }
}
