//! Which rung each hook takes: decided by a pure function, so that what is attached is planned,
//! reported and tested rather than discovered.

use std::collections::BTreeSet;

use cli::notes::Note;

use super::{Attach, Hook, Kernel, Kind, NOT_ASKED_FOR, Program, Refusal, Rung};

/// What was decided for a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The hook's name.
    pub hook: &'static str,
    /// The programs of the rung chosen; empty where there is none.
    pub chosen: Vec<Program>,
    /// The rung chosen, in short.
    pub rung: Option<String>,
    /// What the rung chosen cannot see.
    pub limitation: Option<&'static Note>,
    /// The rungs rejected, each with the reason.
    pub rejected: Vec<(String, Refusal)>,
    /// Whether the tool is useful without this hook.
    pub optional: bool,
    /// Whether on a kernel without it there is nothing of the kind to see.
    pub absent_is_fine: bool,
}

impl Planned {
    /// The kinds of its programs, mostly one; several are joined by `+`.
    pub fn kinds(&self) -> String {
        let mut kinds: Vec<_> = self.chosen.iter().map(|program| program.kind.name()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds.join("+")
    }

    fn watches_functions(&self) -> bool {
        self.chosen.iter().any(|program| matches!(program.kind, Kind::Fentry | Kind::Kprobe))
    }
}

/// What was decided for all hooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// In the order in which the tool declares them.
    pub hooks: Vec<Planned>,
}

impl Plan {
    /// All programs that are to be loaded.
    pub fn programs(&self) -> impl Iterator<Item = &Program> {
        self.hooks.iter().flat_map(|hook| &hook.chosen)
    }

    /// Whether this program is to be loaded.
    pub fn loads(&self, program: &str) -> bool {
        self.program(program).is_some()
    }

    /// A program that is to be loaded.
    pub fn program(&self, name: &str) -> Option<&Program> {
        self.programs().find(|program| program.name == name)
    }

    /// Whether it relies on functions, which the compiler may have inlined in some places.
    pub fn watches_functions(&self) -> bool {
        self.hooks.iter().any(Planned::watches_functions)
    }

    /// Whether this hook relies on functions.
    pub fn watches_functions_for(&self, hook: &str) -> bool {
        self.hooks.iter().any(|planned| planned.hook == hook && planned.watches_functions())
    }

    /// A missing hook that makes the tool useless: one that it needs, or, if it needs none in
    /// particular and none is available, the first.
    pub fn failing(&self) -> Option<&Planned> {
        let none = || self.hooks.first().filter(|_| self.programs().next().is_none());
        self.missing().next().or_else(none)
    }

    /// The needed hooks that are not available.
    pub fn missing(&self) -> impl Iterator<Item = &Planned> {
        self.hooks.iter().filter(|hook| hook.chosen.is_empty() && !hook.optional)
    }
}

/// Picks a rung for each hook that is wanted in this run and that this kernel needs.
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
    let needed = |hook: &&Hook| wanted(hook) && hook.only_with.is_none_or(|name| kernel.has_name(name));
    for hook in hooks.iter().filter(needed) {
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
    let mut planned = Planned {
        hook: hook.name,
        chosen: vec![],
        rung: None,
        limitation: None,
        rejected: vec![],
        optional: hook.optional,
        absent_is_fine: hook.absent_is_fine,
    };
    let rungs = hook
        .rungs
        .iter()
        .map(|rung| Ok((rung, find(rung, programs)?)))
        .collect::<Result<Vec<_>, String>>()?;
    // A hook with only one possible rung is exempt from --attach.
    let forced =
        attach.kind().filter(|kind| rungs.iter().any(|(_, found)| found.iter().any(|p| p.kind == *kind)));
    for (rung, found) in rungs {
        let refused = if forced.is_some_and(|kind| !found.iter().any(|program| program.kind == kind)) {
            Some(Refusal::missing(NOT_ASKED_FOR))
        } else {
            found.iter().find_map(|program| kernel.can_attach(program).err())
        };
        match refused {
            Some(refusal) => planned.rejected.push((describe(&found, rung.variant), refusal)),
            None => {
                planned.rung = Some(describe(&found, rung.variant));
                planned.chosen = found;
                planned.limitation = rung.limitation;
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

/// A short description of a rung: the kind once, then the target of each program; and what
/// distinguishes it from other rungs.
pub fn describe(programs: &[Program], variant: &str) -> String {
    // The entry and the exit of a function have one target.
    let mut programs = programs.to_vec();
    programs.dedup_by(|a, b| (a.kind, &a.target) == (b.kind, &b.target));
    let mut word = String::new();
    for (index, program) in programs.iter().enumerate() {
        match index > 0 && programs[index - 1].kind == program.kind {
            true => word.push_str(&format!("+{}", program.short_target())),
            false if index > 0 => word.push_str(&format!("+{program}")),
            false => word.push_str(&program.to_string()),
        }
    }
    if variant.is_empty() { word } else { format!("{word} ({variant})") }
}

#[cfg(test)]
mod tests {
    use cli::notes;

    use super::*;

    /// A made-up kernel: it refuses these targets.
    struct Refuses(&'static [&'static str]);

    impl Kernel for Refuses {
        fn can_attach(&self, program: &Program) -> Result<(), Refusal> {
            let refused = self.0.contains(&program.target.as_str());
            if refused { Err(Refusal::missing(format!("no {}", program.target))) } else { Ok(()) }
        }

        fn has_name(&self, name: &str) -> bool {
            name == "a_field"
        }
    }

    const HOOKS: &[Hook] = &[
        Hook::new(
            "reads",
            &[
                Rung::new(&["read_f", "readv_f"]),
                Rung::new(&["read_k"]),
                Rung::new(&["read_t"]).limitation(&notes::SYSCALLS),
            ],
        ),
        Hook::new("extra", &[Rung::new(&["extra"])]).optional(),
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
        assert!(plan.hooks[0].rejected.is_empty());
    }

    #[test]
    fn a_rung_falls_as_a_whole_and_says_why() {
        let plan = planned(&["vfs_readv"], Attach::Auto);
        assert_eq!(describe(&plan.hooks[0].chosen, ""), "kprobe:vfs_read_k");
        assert_eq!(
            plan.hooks[0].rejected,
            [("fentry:vfs_read+vfs_readv".to_string(), Refusal::missing("no vfs_readv"))]
        );
        assert!(!plan.loads("read_f"));
    }

    #[test]
    fn a_function_whose_entry_and_exit_are_watched_is_named_once() {
        let sections = ["fentry/a", "fexit/a", "fentry/b"];
        let programs = sections.map(|section| Program::from_section("p", section).unwrap());
        assert_eq!(describe(&programs, ""), "fentry:a+b");
    }

    #[test]
    fn a_degraded_rung_tells_its_limitation() {
        let plan = planned(&["vfs_read", "vfs_read_k"], Attach::Auto);
        assert_eq!(plan.hooks[0].limitation, Some(&notes::SYSCALLS));
    }

    #[test]
    fn a_needed_hook_is_missed_and_an_optional_one_is_not() {
        let plan = planned(&["vfs_read", "vfs_read_k", "syscalls/sys_exit_read", "extra"], Attach::Auto);
        assert_eq!(plan.missing().map(|hook| hook.hook).collect::<Vec<_>>(), ["reads"]);
    }

    #[test]
    fn a_tool_whose_hooks_are_all_optional_needs_one_of_them() {
        let optional = [HOOKS[0].optional(), HOOKS[1]];
        let failing = |refused: &'static [&'static str]| {
            let plan = plan(&optional, |_| true, &programs(), &Refuses(refused), Attach::Auto).unwrap();
            plan.failing().map(|hook| hook.hook)
        };
        assert_eq!(failing(&["extra"]), None);
        assert_eq!(failing(&["vfs_read", "vfs_read_k", "syscalls/sys_exit_read", "extra"]), Some("reads"));
    }

    #[test]
    fn a_forced_kind_passes_better_rungs_but_leaves_other_hooks_alone() {
        let plan = planned(&[], Attach::Kprobe);
        assert_eq!(describe(&plan.hooks[0].chosen, ""), "kprobe:vfs_read_k");
        assert_eq!(describe(&plan.hooks[1].chosen, ""), "tp_btf:extra");
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
    fn a_hook_of_other_kernels_loads_nothing() {
        let loads = |name| {
            let hooks = [HOOKS[0], HOOKS[1].only_with(name)];
            plan(&hooks, |_| true, &programs(), &Refuses(&[]), Attach::Auto).unwrap().loads("extra")
        };
        assert_eq!((loads("a_field"), loads("another")), (true, false));
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
}
