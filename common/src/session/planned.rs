//! The plan of a tool, and what the session adds to it.

use std::path::Path;

use cli::exit::{Failure, Result};
use libbpf_rs::OpenObject;
use libbpf_rs::skel::{OpenSkel, SkelBuilder};

use super::check;
use super::open::{opened, programs, unusable};
use super::tool::Tool;
use crate::hooks::plan::{Plan, plan};
use crate::hooks::{Attach, Hook, Kernel, Program, Rung};
use crate::kernel::offline::Offline;
use crate::options::Common;
use crate::owner::By;
use crate::owner::new_cgroups::{self, PROGRAM};

/// For `--by cgroup` and `--by owner`. Without it, cgroups that exist only for a short time have no names.
const NEW_CGROUPS: Hook = Hook::new("cgroups", &[Rung::new(&[PROGRAM])]).optional();

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
