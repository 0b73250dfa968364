//! From an opened object to one that measures: plan the hooks, load what they need, attach, give up rights.

use std::collections::BTreeMap;
use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Mutex;

use libbpf_rs::skel::{OpenSkel, Skel, SkelBuilder};
use libbpf_rs::{Link, MapCore, MapFlags, OpenObject, PrintLevel, set_print};

use crate::check;
use crate::cli::Common;
use crate::exit::{Failure, Result};
use crate::filter::Filter;
use crate::globals::set_constant;
use crate::hooks::{Hook, Plan, Program, plan};
use crate::kernel::Running;
use crate::overhead::{self, Cost};
use crate::privilege;
use crate::signals::Stop;

/// A tool at work: loaded, attached, without rights.
pub struct Session<S> {
    /// The tool's loaded skeleton.
    pub skel: S,
    /// What was attached, and what was passed over.
    pub plan: Plan,
    /// Becomes readable when the tool is asked to end.
    pub stop: Stop,
    /// By the program's name. Dropping a link detaches.
    links: BTreeMap<String, Link>,
    /// What the tool's own programs cost and miss.
    pub meter: Meter,
}

/// Reads the kernel's account of the tool's own programs.
pub struct Meter {
    programs: Vec<OwnedFd>,
    seen: Cost,
    /// Held for as long as the kernel shall keep statistics.
    statistics: Option<OwnedFd>,
}

impl Meter {
    /// What the programs cost and missed since the last call.
    pub fn account(&mut self) -> Account {
        let Some(now) = overhead::account(&self.programs) else { return Account::default() };
        let cost = now.since(self.seen);
        self.seen = now;
        Account { missed: cost.missed, cost: self.statistics.is_some().then_some((cost.ns, cost.runs)) }
    }
}

/// What came to an interval beside the tool's own numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Account {
    /// Events that the kernel did not let a program see.
    pub missed: u64,
    /// With `--overhead`: nanoseconds and runs of the tool's programs.
    pub cost: Option<(u64, u64)>,
}

/// What libbpf said while it worked, to explain a failure with.
static LIBBPF_SAID: Mutex<String> = Mutex::new(String::new());

fn keep(_: PrintLevel, message: String) {
    if let Ok(mut said) = LIBBPF_SAID.lock() {
        said.push_str(&message);
    }
}

fn print(_: PrintLevel, message: String) {
    eprint!("{message}");
}

/// Opens a tool's object, once it is sure that loading it can work at all.
pub fn open<'o, B: SkelBuilder<'o>>(
    builder: B,
    object: &'o mut MaybeUninit<OpenObject>,
    common: &Common,
) -> Result<B::Output> {
    privilege::check()?;
    if !Running::has_btf() {
        return Err(Failure::unsupported(
            "this kernel does not tell its types (no /sys/kernel/btf/vmlinux): needs CONFIG_DEBUG_INFO_BTF=y",
        ));
    }
    set_print(Some((PrintLevel::Info, if common.verbose { print } else { keep })));
    builder.open(object).map_err(|error| Failure::failed(format!("cannot open the BPF object: {error}")))
}

/// Plans, loads and attaches. `wanted` says which hooks this run needs.
pub fn start<'o, O: OpenSkel<'o>>(
    mut open: O,
    hooks: &[Hook],
    wanted: impl Fn(&Hook) -> bool,
    common: &Common,
    filter: &Filter,
) -> Result<Session<O::Output>> {
    let stop = Stop::on_signals()?;
    let kernel = Running::default();
    let plan = plan(hooks, wanted, &programs(open.open_object()), &kernel, common.attach)
        .map_err(Failure::failed)?;
    for note in kernel.take_notes().iter().filter(|_| !common.quiet) {
        eprintln!("note: {note}");
    }
    drop(kernel);
    if let Some(missing) = plan.missing().next() {
        if common.check {
            check::print(&plan, common.output)?;
        }
        return Err(check::failure(missing));
    }
    for mut program in open.open_object_mut().progs_mut() {
        let loads = plan.loads(&program.name().to_string_lossy());
        program.set_autoload(loads);
    }
    set_constant(open.open_object_mut(), "filter", &filter.to_bytes())?;
    let statistics = common.overhead.then(overhead::enable).transpose()?;
    let skel = open.load().map_err(|error| explain("load", &error))?;
    if let Some(cgroup) = filter.cgroup_fd() {
        let map = skel.object().maps().find(|map| map.name() == "filter_cgroup");
        let map = map.ok_or_else(|| Failure::failed("the object has no map filter_cgroup"))?;
        map.update(&0u32.to_ne_bytes(), &cgroup.to_ne_bytes(), MapFlags::ANY)
            .map_err(|error| Failure::failed(format!("--cgroup: the kernel refused it: {error}")))?;
    }
    let meter = Meter { programs: Vec::new(), seen: Cost::default(), statistics };
    let mut session = Session { skel, plan, stop, links: BTreeMap::new(), meter };
    session.attach()?;
    if !common.quiet {
        check::warn_of_bounds(&session.plan);
    }
    if let Err(error) = privilege::drop_all(|| overhead::account(&session.meter.programs).is_some())
        && !common.quiet
    {
        eprintln!("note: could not give up capabilities: {error}");
    }
    Ok(session)
}

impl<'o, S: Skel<'o>> Session<S> {
    /// In the reverse order of the object, so that what ends is watched before what begins: nothing that
    /// begins is then ever left without an end.
    fn attach(&mut self) -> Result<()> {
        let loaded: Vec<_> = self.skel.object().progs_mut().filter(|program| program.autoload()).collect();
        for program in loaded.iter().rev() {
            let name = program.name().to_string_lossy().into_owned();
            let link = program.attach().map_err(|error| explain(&format!("attach {name}"), &error))?;
            self.links.insert(name, link);
            let fd = program.as_fd().try_clone_to_owned();
            self.meter
                .programs
                .push(fd.map_err(|error| Failure::failed(format!("cannot keep a descriptor: {error}")))?);
        }
        Ok(())
    }

    /// The link of a program, if the plan took it.
    pub fn link(&self, program: &str) -> Option<&Link> {
        self.links.get(program)
    }
}

fn programs(object: &OpenObject) -> Vec<Program> {
    let named = |program: libbpf_rs::OpenProgram<'_>| {
        Program::from_section(&program.name().to_string_lossy(), &program.section().to_string_lossy())
    };
    object.progs().filter_map(named).collect()
}

/// What a refusal to load or attach means, and what to do.
fn explain(what: &str, error: &libbpf_rs::Error) -> Failure {
    let lockdown = fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
    if error.kind() == libbpf_rs::ErrorKind::PermissionDenied {
        let cause = if lockdown.contains("[confidentiality]") {
            "the kernel is locked down (confidentiality): boot it with lockdown=integrity"
        } else {
            "needs CAP_BPF and CAP_PERFMON, a kernel that is not locked down (confidentiality), and a security module or seccomp filter that allows bpf(2)"
        };
        return Failure::not_permitted(format!("not permitted to {what}: {cause}"));
    }
    let said = LIBBPF_SAID.lock().map(|said| said.lines().last().unwrap_or_default().to_string());
    let said = said.unwrap_or_default();
    Failure::failed(format!("cannot {what}: {error}; {} (-v shows all)", said.trim()))
}
