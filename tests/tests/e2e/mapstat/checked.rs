//! `--check --kernel`: what the files of a kernel tell of a config's programs, here those of the running one.

use super::*;

#[test]
fn a_kernels_files_tell_which_programs_have_a_target() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let configs = Configs::of(&[KINDS, PROBES]);
    let kernel = configs.path("kernel");
    fs::create_dir(&kernel).expect("a folder");
    fs::copy("/sys/kernel/btf/vmlinux", format!("{kernel}/vmlinux")).expect("the kernel's types");
    let symbols = fs::read_to_string("/proc/kallsyms").expect("the kernel's symbols");
    let names = symbols.lines().filter_map(|line| line.splitn(3, ' ').nth(2));
    fs::write(format!("{kernel}/symbols"), names.collect::<Vec<_>>().join("\n")).expect("it is written");
    let check = |name: &str| {
        let path = configs.path(&format!("{name}.yaml"));
        let mapstat = built("mapstat");
        let checked = programs::run(
            mapstat.to_str().expect("UTF-8"),
            &["-c", &path, "--check", "--kernel", &kernel, "-o", "json"],
        );
        (checked.status.code(), records::parse(&String::from_utf8_lossy(&checked.stdout)))
    };
    let attached = |rows: &[Value]| {
        let rows = rows
            .iter()
            .filter_map(|row| Some((row["program"].as_str()?.to_owned(), row["attached"].clone())));
        rows.collect::<BTreeMap<_, _>>()
    };
    let (status, rows) = check("kinds");
    let expected = [("never", Value::Bool(false)), ("on_call", Value::Bool(true))];
    assert_eq!(
        (status, attached(&rows)),
        (Some(3), expected.map(|(name, has)| (name.to_owned(), has)).into())
    );
    let exp2 = rows.iter().find(|row| row["metric"] == "kinds_exp2").expect("a metric");
    assert_eq!((&exp2["buckets"], &exp2["map"], &exp2["key_bytes"]), (&21.into(), &"Hash".into(), &8.into()));
    let (status, rows) = check("probes");
    // Not every kernel has tracepoints of system calls (CONFIG_FTRACE_SYSCALLS).
    let traced = ["tracing", "debug/tracing"].iter().any(|at| {
        fs::exists(format!("/sys/kernel/{at}/events/syscalls/sys_enter_getpriority")).is_ok_and(|there| there)
    });
    // Nor does every one list its variables (CONFIG_KALLSYMS_ALL).
    let lists_all = symbols.contains(" __tracepoint_sched_switch\n");
    let traced = if lists_all { Value::Bool(traced) } else { Value::Null };
    let (known, unknown) = (Value::Bool(true), Value::Null);
    let none_missing = traced != Value::Bool(false);
    let expected = [
        ("on_colon", &unknown),
        ("on_colon_done", &unknown),
        ("on_getpriority", &known),
        ("on_getpriority_traced", &traced),
        ("on_mark", &known),
        ("on_packet", &unknown),
        ("on_tick", &unknown),
    ];
    assert_eq!(
        (status, attached(&rows)),
        (
            Some(if none_missing { 0 } else { 3 }),
            expected.map(|(name, has)| (name.to_owned(), has.clone())).into()
        ),
        "{rows:?}"
    );
    // Nothing of a config can be used there whose symbols are missing.
    fs::write(format!("{kernel}/symbols"), "no_such\n").expect("it is written");
    let (status, rows) = check("probes");
    assert_eq!(status, Some(3));
    assert!(rows[0]["refused"].as_str().is_some_and(|why| why.contains("vfs_read")), "{rows:?}");
}
