//! Every cause, on any machine.

use super::*;

fn denied(step: Step, restrictions: Restrictions) -> Diagnosis {
    let diagnosis = diagnose(step, true, "", &restrictions).unwrap();
    assert!(!diagnosis.reason.contains('\n') && !diagnosis.reason.contains("  "), "{}", diagnosis.reason);
    diagnosis
}

/// With these restrictions, this step fails with this status and scope, and a message that contains
/// all of these parts.
fn says(step: Step, restrictions: Restrictions, exit: Exit, scope: Scope, parts: &[&str]) {
    let diagnosis = denied(step, restrictions);
    assert_eq!((diagnosis.exit, diagnosis.scope), (exit, scope), "{}", diagnosis.reason);
    for part in parts {
        assert!(diagnosis.reason.contains(part), "{part:?} is not in {:?}", diagnosis.reason);
    }
}

fn modules(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn confidentiality() -> Restrictions {
    Restrictions { lockdown: Some("confidentiality".to_string()), ..Restrictions::default() }
}

const LOAD: Step = Step::Load(Some(Kind::Btf));
const ATTACH: Step = Step::Attach(Some(Kind::Tracepoint));

#[test]
fn lockdown_is_known_by_what_the_verifier_says() {
    let words = [
        "67: (85) call bpf_probe_read_str#45\nunknown func bpf_probe_read_str#45\n",
        "program of this type cannot use helper bpf_probe_read_kernel#113\n",
    ];
    for log in words {
        for restrictions in [confidentiality(), Restrictions::default()] {
            let diagnosis = diagnose(LOAD, false, log, &restrictions).unwrap();
            assert_eq!((diagnosis.exit, diagnosis.scope), (Exit::NotPermitted, Scope::Program));
            assert!(diagnosis.reason.contains("lockdown=integrity"));
        }
        let integrity = Restrictions { lockdown: Some("integrity".to_string()), ..Restrictions::default() };
        assert_eq!(diagnose(LOAD, false, log, &integrity), None);
    }
    assert_eq!(diagnose(LOAD, false, "BPF_STX uses reserved fields", &confidentiality()), None);
}

#[test]
fn lockdown_is_known_by_what_it_denies() {
    for step in [Step::Attach(Some(Kind::Kprobe)), ATTACH, Step::Load(Some(Kind::Fentry))] {
        says(step, confidentiality(), Exit::NotPermitted, Scope::Kind, &["locked down (confidentiality)"]);
    }
}

#[test]
fn a_seccomp_filter_is_named_whichever_error_it_gives() {
    for (errno, name) in [(Errno::PERM, "EPERM"), (Errno::NOSYS, "ENOSYS"), (Errno::ACCESS, "EACCES")] {
        let restrictions = Restrictions { seccomp: true, bpf: Some(errno), ..confidentiality() };
        let parts = ["seccomp filter refuses bpf(2)", name, "allow bpf and perf_event_open"];
        says(Step::Bpf, restrictions, Exit::NotPermitted, Scope::All, &parts);
        let restrictions =
            Restrictions { seccomp: true, perf: Some(errno), paranoid: Some(2), ..Restrictions::default() };
        says(ATTACH, restrictions, Exit::NotPermitted, Scope::Kind, &["refuses perf_event_open(2)", name]);
    }
    // ENOSYS does not indicate permissions, and has many causes.
    let restrictions = Restrictions { seccomp: true, perf: Some(Errno::NOSYS), ..Restrictions::default() };
    assert!(diagnose(ATTACH, false, "", &restrictions).unwrap().reason.contains("seccomp"));
    assert_eq!(diagnose(Step::Attach(Some(Kind::Btf)), false, "", &restrictions), None);
    // A filter that allows these calls, as most do, is not the cause.
    let restrictions = Restrictions { seccomp: true, ..Restrictions::default() };
    assert!(!denied(Step::Load(Some(Kind::Fentry)), restrictions).reason.contains("seccomp"));
}

#[test]
fn a_kernel_without_the_call_is_not_a_matter_of_rights() {
    let restrictions = Restrictions { bpf: Some(Errno::NOSYS), ..Restrictions::default() };
    says(Step::Bpf, restrictions, Exit::Unsupported, Scope::All, &["CONFIG_BPF_SYSCALL=y"]);
    let restrictions = Restrictions { perf: Some(Errno::NOSYS), ..Restrictions::default() };
    says(ATTACH, restrictions, Exit::Unsupported, Scope::Kind, &["CONFIG_PERF_EVENTS=y"]);
}

#[test]
fn security_modules_are_named() {
    let restrictions = Restrictions {
        seccomp: true,
        bpf: Some(Errno::ACCESS),
        modules: modules(&["lockdown", "capability", "selinux"]),
        ..Restrictions::default()
    };
    let parts = ["EACCES", "lockdown, capability, selinux", "audit log"];
    says(Step::Bpf, restrictions, Exit::NotPermitted, Scope::All, &parts);
    let restrictions =
        Restrictions { modules: modules(&["capability", "apparmor"]), ..Restrictions::default() };
    says(LOAD, restrictions, Exit::NotPermitted, Scope::Kind, &["active: apparmor)", "audit log"]);
    let restrictions = Restrictions { bpf: Some(Errno::PERM), ..Restrictions::default() };
    says(Step::Bpf, restrictions, Exit::NotPermitted, Scope::All, &["active: unknown"]);
}

#[test]
fn a_user_namespace_comes_before_all_else() {
    let restrictions = Restrictions {
        user_namespace: true,
        seccomp: true,
        bpf: Some(Errno::PERM),
        memlock: Some(65_536),
        ..confidentiality()
    };
    says(LOAD, restrictions, Exit::NotPermitted, Scope::All, &["user namespace", "outside"]);
}

#[test]
fn the_limit_of_locked_memory_is_reported_with_its_value() {
    for step in [Step::Load(None), LOAD] {
        let restrictions = Restrictions { memlock: Some(65_536), ..Restrictions::default() };
        let parts = ["RLIMIT_MEMLOCK", "64 KiB", "ulimit -l", "LimitMEMLOCK=", "CAP_SYS_RESOURCE"];
        says(step, restrictions, Exit::NotPermitted, Scope::All, &parts);
    }
    let restrictions =
        Restrictions { memlock: Some(65_536), perf: Some(Errno::PERM), ..Restrictions::default() };
    assert!(!denied(ATTACH, restrictions).reason.contains("MEMLOCK"), "attaching takes no memory");
}

#[test]
fn a_paranoid_kernel_asks_for_another_right() {
    let paranoid = Restrictions { perf: Some(Errno::ACCESS), paranoid: Some(3), ..Restrictions::default() };
    let in_container = denied(ATTACH, Restrictions { seccomp: true, ..paranoid.clone() });
    assert!(in_container.reason.contains("paranoid"), "a filter is no reason for EACCES");
    let parts = ["kernel.perf_event_paranoid is 3", "CAP_SYS_ADMIN", "perf_event_paranoid=2"];
    says(ATTACH, paranoid.clone(), Exit::NotPermitted, Scope::Kind, &parts);
    let admin = denied(ATTACH, Restrictions { admin: true, ..paranoid });
    assert!(!admin.reason.contains("paranoid"), "{}", admin.reason);
}

#[test]
fn a_kernel_without_function_tracing_is_not_taken_for_something_else() {
    let restrictions = Restrictions {
        lockdown: Some("integrity".to_string()),
        admin: true,
        modules: modules(&["lockdown", "capability", "landlock", "bpf"]),
        ..Restrictions::default()
    };
    let fentry = denied(Step::Load(Some(Kind::Fentry)), restrictions.clone());
    assert_eq!(fentry.reason, "not permitted to load: this kernel refuses function tracing");
    assert_eq!(fentry.scope, Scope::Kind);
    says(LOAD, restrictions, Exit::NotPermitted, Scope::Kind, &["does not say why"]);
}

#[test]
fn statistics_need_a_right_of_their_own() {
    says(
        Step::Statistics,
        Restrictions::default(),
        Exit::NotPermitted,
        Scope::All,
        &["--overhead", "CAP_SYS_ADMIN"],
    );
    let admin = Restrictions { admin: true, ..Restrictions::default() };
    assert!(!denied(Step::Statistics, admin).reason.contains("CAP_SYS_ADMIN"));
}

#[test]
fn what_the_verifier_turns_down_is_no_matter_of_rights() {
    let log = "R1 invalid mem access 'scalar'\nprocessed 7 insns (limit 1000000) max_states_per_insn 0\n";
    let restrictions =
        || Restrictions { modules: modules(&["lockdown", "selinux"]), ..Restrictions::default() };
    assert_eq!(diagnose(LOAD, true, log, &restrictions()), None);
    assert!(diagnose(LOAD, true, "", &restrictions()).is_some());
}

#[test]
fn a_function_with_fewer_arguments_is_not_a_matter_of_rights() {
    let log = "prog 'p': -- BEGIN PROG LOAD LOG --\nfunc 'd_alloc_parallel' doesn't have 4-th argument\n";
    let diagnosis = diagnose(Step::Load(Some(Kind::Fentry)), true, log, &Restrictions::default()).unwrap();
    assert_eq!((diagnosis.exit, diagnosis.scope), (Exit::Unsupported, Scope::Program));
    assert!(diagnosis.reason.contains("fewer arguments"));
}
