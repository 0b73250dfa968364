//! Why the kernel refused, in one line with the cause and the remedy.
//!
//! Restrictions are gathered elsewhere ([`super::restrictions`]). This module only decides, so that
//! every cause can be tested on any machine.

use std::fmt;

use caps::Capability;
use cli::exit::{Exit, Failure};
use rustix::io::Errno;

use super::restrictions::Restrictions;
use crate::hooks::{Kind, Refusal};

/// Security modules that can refuse root something by their own rules. The others that a kernel
/// lists guard something else, or, like `bpf`, have no rules unless a program adds them.
const WITH_RULES: [&str; 4] = ["selinux", "apparmor", "smack", "tomoyo"];

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// bpf(2) itself, for any request.
    Bpf,
    /// Loading a program of this kind; without a kind: creating maps, or what libbpf tries first.
    Load(Option<Kind>),
    /// Attaching a program of this kind; without a kind: an unknown program.
    Attach(Option<Kind>),
    /// Turning on the kernel's statistics of BPF programs.
    Statistics,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bpf => "use bpf(2)",
            Self::Load(_) => "load",
            Self::Attach(_) => "attach",
            Self::Statistics => "turn on the kernel's BPF statistics (--overhead)",
        })
    }
}

/// The programs to which a refusal applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This program; others of its kind may be allowed.
    Program,
    /// All programs of this kind.
    Kind,
    /// All other attempts.
    All,
}

/// A refusal that is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// The exit status, if the tool cannot run without it.
    pub exit: Exit,
    /// What was refused, why, and what to do.
    pub reason: String,
    /// The programs to which it applies.
    pub scope: Scope,
    /// The missing capability, if that is the cause.
    pub lacks: Option<Capability>,
}

impl From<Diagnosis> for Failure {
    fn from(diagnosis: Diagnosis) -> Self {
        Self::new(diagnosis.exit, diagnosis.reason)
    }
}

impl From<Diagnosis> for Refusal {
    fn from(diagnosis: Diagnosis) -> Self {
        Self {
            reason: diagnosis.reason,
            not_permitted: diagnosis.exit == Exit::NotPermitted,
            whole_kind: diagnosis.scope != Scope::Program,
            lacks: diagnosis.lacks,
        }
    }
}

/// Why this step was refused. `denied`: with EPERM or EACCES, and not by another error; `output`:
/// the messages of libbpf and the verifier. `None` if it is not a matter of permissions.
pub fn diagnose(step: Step, denied: bool, output: &str, restrictions: &Restrictions) -> Option<Diagnosis> {
    // EACCES from the verifier, which is about the program and not about permissions.
    if lacks_argument(output) {
        let reason = "its function has fewer arguments in this kernel".to_string();
        return Some(Diagnosis { exit: Exit::Unsupported, reason, scope: Scope::Program, lacks: None });
    }
    // If the lockdown state is unknown, the verifier's message decides: every kernel has these
    // helpers for every tracing program, and only lockdown removes them.
    let confidential = match restrictions.lockdown.as_deref() {
        Some(lockdown) => lockdown == "confidentiality",
        None => may_not_read(output),
    };
    // A call that is refused for any request is the cause, whatever its error.
    let by_perf = matches!(step, Step::Attach(Some(Kind::Kprobe | Kind::Tracepoint)));
    if !denied && restrictions.bpf.is_none() && !(by_perf && restrictions.perf.is_some()) {
        return (confidential && may_not_read(output))
            .then(|| not_permitted(step, Scope::Program, LOCKED_DOWN));
    }
    Some(if restrictions.user_namespace {
        not_permitted(
            step,
            Scope::All,
            "root in a user namespace has no right to BPF: run it outside of the (rootless) container",
        )
    } else if let Some(errno) = restrictions.bpf {
        refused_call(step, Scope::All, "bpf(2)", errno, "CONFIG_BPF_SYSCALL=y", restrictions)
    } else if let (Step::Load(_), Some(limit)) = (step, restrictions.memlock) {
        let cause = format!(
            "this kernel counts BPF's memory against RLIMIT_MEMLOCK, which is {} KiB: ulimit -l unlimited (a unit: \
             LimitMEMLOCK=infinity), or give it CAP_SYS_RESOURCE",
            limit / 1024
        );
        not_permitted(step, Scope::All, &cause)
    } else if let (true, Some(errno)) = (by_perf, restrictions.perf) {
        match restrictions.paranoid {
            // Distributions' kernels (Debian's, for example) have a level above 2, which requires
            // more.
            Some(level @ 3..) if errno == Errno::ACCESS && !restrictions.admin => {
                let cause = format!(
                    "kernel.perf_event_paranoid is {level}, which asks for CAP_SYS_ADMIN: give it that, or sysctl \
                     kernel.perf_event_paranoid=2"
                );
                Diagnosis {
                    lacks: Some(Capability::CAP_SYS_ADMIN),
                    ..not_permitted(step, Scope::Kind, &cause)
                }
            }
            _ => refused_call(
                step,
                Scope::Kind,
                "perf_event_open(2)",
                errno,
                "CONFIG_PERF_EVENTS=y",
                restrictions,
            ),
        }
    } else if step == Step::Statistics && !restrictions.admin {
        not_permitted(step, Scope::All, "needs CAP_SYS_ADMIN")
    } else if confidential {
        not_permitted(step, Scope::Kind, LOCKED_DOWN)
    } else if output.contains(VERIFIED) {
        return None;
    } else {
        let cause = match (step, ruling(restrictions)) {
            (Step::Load(Some(Kind::Fentry)), None) => "this kernel refuses function tracing".to_string(),
            (Step::Load(Some(Kind::Fentry)), Some(modules)) => {
                format!(
                    "this kernel refuses function tracing, or a security module does ({modules}: see the audit log)"
                )
            }
            (_, Some(modules)) => by_module(&modules),
            (_, None) => "the kernel does not say why (-v shows all)".to_string(),
        };
        not_permitted(step, Scope::Kind, &cause)
    })
}

/// What to do about a kernel that is locked down.
pub const LOCKED_DOWN: &str = "the kernel is locked down (confidentiality): boot it with lockdown=integrity";

/// Part of the verifier's last line about a program: the verifier rejected it, not a missing
/// permission.
const VERIFIED: &str = " insns (limit ";

/// Whether the verifier rejected a program for a helper that reads kernel memory.
fn may_not_read(output: &str) -> bool {
    // In the messages of older kernels (5.10, 6.1) and of newer ones (6.12).
    ["unknown func bpf_probe_read", "cannot use helper bpf_probe_read"]
        .iter()
        .any(|words| output.contains(words))
}

/// Whether the verifier rejected a program for an argument that its function does not have
/// (`btf_ctx_access` of kernel/bpf/btf.c).
fn lacks_argument(output: &str) -> bool {
    output.lines().any(|line| line.starts_with("func '") && line.contains("' doesn't have "))
}

/// A system call that is refused for any request.
fn refused_call(
    step: Step,
    scope: Scope,
    call: &str,
    errno: Errno,
    option: &str,
    restrictions: &Restrictions,
) -> Diagnosis {
    let name = match errno {
        Errno::NOSYS => "ENOSYS",
        Errno::ACCESS => "EACCES",
        _ => "EPERM",
    };
    // SELinux answers with EACCES; seccomp filters and the runtimes that install them use other
    // errors.
    if restrictions.seccomp && !(errno == Errno::ACCESS && ruling(restrictions).is_some()) {
        let cause = format!(
            "a seccomp filter refuses {call} ({name}): allow bpf and perf_event_open in the seccomp profile of the \
             container or unit"
        );
        return not_permitted(step, scope, &cause);
    }
    if errno == Errno::NOSYS {
        let reason = format!("this kernel has no {call}: needs {option}");
        return Diagnosis { exit: Exit::Unsupported, reason, scope, lacks: None };
    }
    let active =
        if restrictions.modules.is_empty() { "unknown".to_string() } else { restrictions.modules.join(", ") };
    not_permitted(step, scope, &format!("{call} gives {name}, {}", by_module(&active)))
}

fn by_module(modules: &str) -> String {
    let log = "see the audit log (ausearch -m avc, journalctl -k)";
    // SELinux classes for the two calls (security/selinux/include/classmap.h).
    let classes =
        if modules.contains("selinux") { ", of SELinux for the classes bpf and perf_event" } else { "" };
    format!("perhaps by a security module (active: {modules}): {log}{classes}")
}

/// The active security modules that have rules of their own, if there are any.
fn ruling(restrictions: &Restrictions) -> Option<String> {
    let with_rules: Vec<_> =
        restrictions.modules.iter().map(String::as_str).filter(|name| WITH_RULES.contains(name)).collect();
    (!with_rules.is_empty()).then(|| with_rules.join(", "))
}

fn not_permitted(step: Step, scope: Scope, cause: &str) -> Diagnosis {
    let reason = format!("not permitted to {step}: {cause}");
    Diagnosis { exit: Exit::NotPermitted, reason, scope, lacks: None }
}

#[cfg(test)]
mod tests;
