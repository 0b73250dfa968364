//! From an opened object to a measuring one: plan the hooks, load the programs, attach, drop
//! capabilities.

mod attach_target;
pub mod capabilities;
mod check;
pub mod descriptors;
pub mod footprint;
pub mod libbpf_log;
mod open;
mod planned;
pub mod prog_stats;
mod records;
pub mod stranger;
pub mod target_btf;
mod tool;

use std::collections::BTreeMap;

use cli::exit::{Failure, Result};
use cli::shortage::Shortage;
use cli::signals::Stop;
use cli::stderr::note;
use cli::stdout;
use libbpf_rs::skel::{OpenSkel, Skel, SkelBuilder};
use libbpf_rs::{Link, MapCore, MapFlags};

use crate::bpf::globals::{map, set_constant};
use crate::hooks::plan::Plan;
use crate::hooks::refused::KnownRefusals;
use crate::hooks::{Kind, Program, Refusal};
use crate::kernel::btf::Types;
use crate::kernel::diagnosis::{Scope, Step, diagnose};
use crate::kernel::pid_namespace::ProcIds;
use crate::kernel::privilege;
use crate::kernel::restrictions::Restrictions;
use crate::kernel::running::Running;
use crate::measure::per_owner;
use crate::options::Common;
use crate::owner::filter::Filter;
use crate::owner::{self, By};
use attach_target::Resolver;
use capabilities::{CallerCapabilities, ExtraCapability};
use footprint::Holdings;
use open::{first_opened, opened, programs, unusable};
use planned::{add_new_cgroups, check_for, limit_walks, plan_tool};
use prog_stats::ProgStats;
pub use tool::{Selftest, Tool};

/// A running tool: loaded, attached, without capabilities.
pub struct Session<S> {
    /// The tool's loaded skeleton.
    pub skel: S,
    /// What was attached, and what was rejected.
    pub plan: Plan,
    /// Becomes readable when the tool is asked to end.
    pub stop: Stop,
    /// What the tool's own programs cost and miss.
    pub prog_stats: ProgStats,
    /// With `--overhead`: its programs and maps.
    holdings: Option<Holdings>,
    /// Whether these programs counted the self-test, which must not be reported.
    pub selftest_counted: bool,
    /// The links of what was attached, by the program's name. Dropping a link detaches.
    pub links: BTreeMap<String, Link>,
}

/// Plans, loads, attaches and runs the self-test: a rung that the kernel refuses, or that sees
/// nothing, is rejected in favor of the next one.
///
/// With `--check` it prints the result, and ends.
///
/// # Errors
/// When a hook that the tool needs is not available: status 3 if the kernel does not support it, 4
/// if the caller is not permitted. Status 2 when there is no such process or cgroup. Nothing, with
/// status 0, after `--check`.
pub fn start<B>(
    tool: &Tool<'_, B, B::Output, <B::Output as OpenSkel<'static>>::Output>,
    common: &Common,
) -> Result<Session<<B::Output as OpenSkel<'static>>::Output>>
where
    B: SkelBuilder<'static>,
{
    start_with(tool, common, &[], || ())
}

/// The same, with a last action of the tool that needs capabilities, after attaching, and the
/// capabilities for it, which `--check` lists.
///
/// # Errors
/// As for `start`.
pub fn start_with<B>(
    tool: &Tool<'_, B, B::Output, <B::Output as OpenSkel<'static>>::Output>,
    common: &Common,
    extra: &[ExtraCapability],
    last: impl FnOnce(),
) -> Result<Session<<B::Output as OpenSkel<'static>>::Output>>
where
    B: SkelBuilder<'static>,
{
    if let Some(folder) = &common.kernel {
        return Err(check_for(tool, common, folder));
    }
    if let Some(owner) = tool.owner {
        owner.check()?;
    }
    stdout::reopen();
    let mut filter = Filter::of(common, tool.decides_by_comm)?;
    let caller = common.check.then(CallerCapabilities::current);
    privilege::check().inspect_err(|_| {
        // All that is known without trying.
        let plan = Plan { hooks: Vec::new() };
        if let Some(caller) = &caller {
            let _ = check::print(&plan, &caller.least(), common.output);
        }
    })?;
    privilege::check_bpf()?;
    descriptors::reserve(descriptors::PLANNING)?;
    Running::check()?;
    libbpf_log::capture(common.verbose);
    let mut notes = filter.use_kernel_ids()?;
    notes.extend(tool.owner.iter().flat_map(|owner| owner.notes()));
    let statistics = common.overhead.then(prog_stats::enable).transpose()?;
    let (first, target) = first_opened(tool)?;
    let mut kernel = KnownRefusals::new(Running::of(target.index, &programs(first.open_object())));
    let mut first = Some(first);
    // The self-test runs once, by work of this process: without the user's filter, and for any
    // owner.
    let asks = filter.is_set() || tool.owner.is_some_and(|owner| owner.by != By::System);
    let mut selftest_done = tool.selftest.is_none();
    let (skel, plan, links, selftest_counted) = loop {
        let open = first.take().map_or_else(|| opened(tool, target.btf.as_ref()), Ok)?;
        let (program, refusal) =
            match attempt(tool, open, common, &kernel, caller.as_ref(), &filter, !selftest_done)? {
                Attempt::Attached { skel, plan, links, to_selftest: false } => {
                    break (skel, plan, links, false);
                }
                Attempt::Attached { skel, plan, links, to_selftest: true } => {
                    let unseen =
                        tool.selftest.map(|selftest| selftest(&skel, &plan)).transpose()?.unwrap_or_default();
                    match first_unseen(&plan, &unseen) {
                        Some(unseen) => (
                            unseen,
                            Refusal::missing("attached, but not called every time: inlined by the compiler"),
                        ),
                        None if asks => {
                            selftest_done = true;
                            continue;
                        }
                        None => break (skel, plan, links, true),
                    }
                }
                Attempt::Refused(program, refusal) => (program, refusal),
            };
        kernel.refused(&program, refusal);
    };
    Types::forget_running();
    attach_target::forget();
    notes.extend(kernel.kernel().take_notes());
    for text in notes.iter().filter(|_| !common.quiet) {
        note(text);
    }
    if let Some(caller) = caller {
        let needs = caller.needed(&plan, kernel.kernel(), common.overhead, extra);
        check::print(&plan, &needs, common.output)?;
        return Err(Failure::none());
    }
    if common.verbose {
        check::print_attached(&plan);
    }
    if !common.quiet {
        check::warn_of_limitations(&plan);
    }
    let probes = plan.programs().filter(|program| program.kind == Kind::Kprobe);
    let probes = probes.filter_map(|program| links.get(&program.name));
    let prog_stats = ProgStats::new([skel.object()], probes, statistics)?;
    let holdings = common.overhead.then(|| Holdings::of([skel.object()])).transpose()?;
    last();
    // Capabilities belong to a thread: they are dropped before there is a second one, which waits
    // for signals.
    privilege::drop_all(|| prog_stats.works(), common.quiet);
    prog_stats.since_last();
    check::tell_attached(&plan);
    Ok(Session { skel, plan, stop: Stop::on_signals()?, prog_stats, holdings, selftest_counted, links })
}

/// The result of trying a plan.
enum Attempt<S> {
    /// All is attached. With `to_selftest`, it is without the user's filter, and the self-test must
    /// run.
    Attached { skel: S, plan: Plan, links: BTreeMap<String, Link>, to_selftest: bool },
    /// The kernel refused this program, whose hook may have another rung.
    Refused(Program, Refusal),
}

fn attempt<B>(
    tool: &Tool<'_, B, B::Output, <B::Output as OpenSkel<'static>>::Output>,
    mut open: B::Output,
    common: &Common,
    kernel: &KnownRefusals<Running>,
    caller: Option<&CallerCapabilities>,
    filter: &Filter,
    may_selftest: bool,
) -> Result<Attempt<<B::Output as OpenSkel<'static>>::Output>>
where
    B: SkelBuilder<'static>,
{
    let mut plan = plan_tool(tool, open.open_object(), kernel, common.attach)?;
    limit_walks(&mut plan, || ProcIds::now() != ProcIds::Kernel);
    if let Some(missing) = plan.failing() {
        if let Some(caller) = caller {
            let needs = caller.needed(&plan, kernel.kernel(), common.overhead, &[]);
            check::print(&plan, &needs, common.output)?;
        }
        return Err(check::failure(missing));
    }
    let by = tool.owner.map_or(By::System, |owner| owner.by);
    add_new_cgroups(&mut plan, open.open_object_mut(), kernel, by)?;
    descriptors::reserve(descriptors::of_plan(&plan, open.open_object().maps().count(), common.overhead))?;
    // A tracepoint is where its event happens: only functions can be inlined.
    let to_selftest = may_selftest && plan.watches_functions();
    let no_filter = Filter::default();
    let filter = if to_selftest { &no_filter } else { filter };
    if let Some(owner) = tool.owner {
        let owner = if to_selftest { owner::Options::SYSTEM } else { owner };
        per_owner::configure(open.open_object_mut(), owner).map_err(|error| unusable("set up", &error))?;
    }
    libbpf_log::clear();
    let mut targets = Resolver::default();
    for mut program in open.open_object_mut().progs_mut() {
        let planned = plan.program(&program.name().to_string_lossy());
        program.set_autoload(planned.is_some());
        let Some(planned) = planned else { continue };
        if let Err(error) = targets.resolve(&mut program, planned, kernel.kernel()) {
            return refused(Some(planned), Step::Load, &error);
        }
    }
    // A tool without filters has no such constant; otherwise its default passes everything.
    if filter.is_set() {
        set_constant(open.open_object_mut(), "filter", &filter.to_bytes())?;
    }
    let skel = match open.load() {
        Ok(skel) => skel,
        Err(error) => {
            let program =
                libbpf_log::not_loaded(&libbpf_log::captured()).find_map(|name| plan.program(name).cloned());
            return refused(program.as_ref(), Step::Load, &error);
        }
    };
    if let Some(cgroup) = filter.cgroup_fd() {
        let map = map(skel.object(), "filter_cgroup")?;
        map.update(&0u32.to_ne_bytes(), &cgroup.to_ne_bytes(), MapFlags::ANY)
            .map_err(|error| Failure::failed(format!("--cgroup: the kernel refused it: {error}")))?;
    }
    // In the reverse order of the object, so that ends are watched before begins: then no begin is
    // left without an end.
    let mut links = BTreeMap::new();
    let loaded: Vec<_> = skel.object().progs_mut().filter(|program| program.autoload()).collect();
    for program in loaded.iter().rev() {
        let name = program.name().to_string_lossy().into_owned();
        let Some(planned) = plan.program(&name) else { continue };
        match attach_target::attach(program, planned) {
            Ok(link) => links.insert(name, link),
            Err(error) => return refused(Some(planned), Step::Attach, &error),
        };
    }
    drop(loaded);
    Ok(Attempt::Attached { skel, plan, links, to_selftest })
}

/// A program of the first of the hooks that saw nothing, if it has a rung.
fn first_unseen(plan: &Plan, unseen: &[&'static str]) -> Option<Program> {
    let hook = plan.hooks.iter().find(|hook| unseen.contains(&hook.hook) && !hook.chosen.is_empty())?;
    hook.chosen.first().cloned()
}

/// What a refusal means: for the program, if it is known, and possibly for all other attempts.
fn refused<S>(
    program: Option<&Program>,
    step: fn(Option<Kind>) -> Step,
    error: &libbpf_rs::Error,
) -> Result<Attempt<S>> {
    let step = step(program.map(|program| program.kind));
    let text = format!("{error:#}");
    if let Some(shortage) = Shortage::in_text(&text) {
        return Err(shortage.failure(format_args!("cannot {step} the BPF programs"), text));
    }
    let log = libbpf_log::captured();
    let denied = error.kind() == libbpf_rs::ErrorKind::PermissionDenied;
    let refusal = match diagnose(step, denied, &log, &Restrictions::gather()) {
        Some(diagnosis) if program.is_none() || diagnosis.scope == Scope::All => return Err(diagnosis.into()),
        Some(diagnosis) => diagnosis.into(),
        None => Refusal::missing(format!("this kernel does not {step} it: {error:#} (-v shows why)")),
    };
    let last = log.lines().last().unwrap_or_default().trim();
    let program =
        program.ok_or_else(|| Failure::failed(format!("cannot {step}: {error:#}; {last} (-v shows all)")))?;
    Ok(Attempt::Refused(program.clone(), refusal))
}
