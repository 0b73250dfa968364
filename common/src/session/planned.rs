//! The plan of a tool, and what the session adds to it.

use std::path::Path;

use cli::exit::{Failure, Result};
use cli::notes::{self, Note};
use libbpf_rs::OpenObject;
use libbpf_rs::skel::{OpenSkel, SkelBuilder};

use super::check;
use super::open::{opened, programs, unusable};
use super::tool::Tool;
use crate::hooks::plan::{Plan, Planned, plan};
use crate::hooks::{Attach, Hook, Kernel, Kind, Program, Rung};
use crate::kernel::offline::Offline;
use crate::options::Common;
use crate::owner::By;
use crate::owner::new_cgroups::{self, PROGRAM};

/// For `--by cgroup` and `--by owner`. Without it, cgroups that exist only for a short time have no names.
const NEW_CGROUPS: Hook = Hook::new("cgroups", &[Rung::new(&[PROGRAM])]).optional();

/// What iterators over tasks, and over their files, do not visit: they begin at the PID namespace of their reader
/// (kernel/bpf/task_iter.c).
const OWN_NAMESPACE: &Note = &notes::OWN_NAMESPACE;

/// Adds the limitation that iterators have in a PID namespace.
pub fn limit_walks(plan: &mut Plan, in_namespace: impl FnOnce() -> bool) {
    let walks = |hook: &Planned| {
        let of_tasks = |program: &Program| program.kind == Kind::Iter && program.target.starts_with("task");
        hook.limitation.is_none() && hook.chosen.iter().any(of_tasks)
    };
    let mut hooks = plan.hooks.iter_mut().filter(|hook| walks(hook)).peekable();
    if hooks.peek().is_some() && in_namespace() {
        hooks.for_each(|hook| hook.limitation = Some(OWN_NAMESPACE));
    }
}

/// The plan of a tool's own hooks.
pub fn plan_tool<B>(
    tool: &Tool<'_, B, B::Output, <B::Output as OpenSkel<'static>>::Output>,
    object: &OpenObject,
    kernel: &dyn Kernel,
    attach: Attach,
) -> Result<Plan>
where
    B: SkelBuilder<'static>,
{
    let own: Vec<Program> = programs(object).into_iter().filter(|program| program.name != PROGRAM).collect();
    plan(tool.hooks, tool.wanted, &own, kernel, attach).map_err(Failure::failed)
}

/// Adds the hook of `--by cgroup`. It is not the tool's: the tool is useless with this hook alone.
pub fn add_new_cgroups(
    plan_of_tool: &mut Plan,
    object: &mut OpenObject,
    kernel: &dyn Kernel,
    by: By,
) -> Result<()> {
    let program: Vec<Program> =
        programs(object).into_iter().filter(|program| program.name == PROGRAM).collect();
    if by.is_cgroup() && !program.is_empty() {
        let added = plan(&[NEW_CGROUPS], |_| true, &program, kernel, Attach::Auto);
        plan_of_tool.hooks.extend(added.map_err(Failure::failed)?.hooks);
    }
    new_cgroups::configure(object, plan_of_tool.loads(PROGRAM)).map_err(|error| unusable("set up", &error))
}

/// Plans for a kernel that is not running here, prints the plan, and ends: status 3 if a needed
/// hook has no rung.
pub fn check_for<B>(
    tool: &Tool<'_, B, B::Output, <B::Output as OpenSkel<'static>>::Output>,
    common: &Common,
    folder: &Path,
) -> Failure
where
    B: SkelBuilder<'static>,
{
    let planned = || {
        let kernel = Offline::read(folder)?;
        let open = opened(tool, None)?;
        let plan = plan_tool(tool, open.open_object(), &kernel, common.attach)?;
        check::print(&plan, &[], common.output)?;
        Ok(plan.failing().map(check::failure))
    };
    planned().map_or_else(|failure| failure, |missing| missing.unwrap_or_else(Failure::none))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::Refusal;

    struct Willing;

    impl Kernel for Willing {
        fn can_attach(&self, _: &Program) -> std::result::Result<(), Refusal> {
            Ok(())
        }

        fn has_name(&self, _: &str) -> bool {
            true
        }
    }

    #[test]
    fn walks_over_tasks_are_of_a_namespace() {
        const HOOKS: &[Hook] = &[
            Hook::new("fds", &[Rung::new(&["walk"])]),
            Hook::new("sockets", &[Rung::new(&["of_network"])]),
            Hook::new("opens", &[Rung::new(&["open"])]),
        ];
        let programs = [("walk", "iter/task_file"), ("of_network", "iter/tcp"), ("open", "fentry/open")];
        let programs = programs.map(|(name, section)| Program::from_section(name, section).unwrap());
        let mut planned = plan(HOOKS, |_| true, &programs, &Willing, Attach::Auto).unwrap();
        limit_walks(&mut planned, || false);
        assert!(planned.hooks.iter().all(|hook| hook.limitation.is_none()));
        limit_walks(&mut planned, || true);
        let limited = planned.hooks.iter().map(|hook| hook.limitation);
        assert!(limited.eq([Some(OWN_NAMESPACE), None, None]));
    }
}
