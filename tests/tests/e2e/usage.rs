//! --help, --schema and usage errors of every tool, which need nothing from the kernel.
#![allow(clippy::expect_used, reason = "tests")]

use tests::can_run;
use tests::programs::TOOLS;
use tests::refusal::{refuses, run};
use tests::schema_check::{FIRST, LAST, LEVELS, ToolSchema};
use tests::user::Programs;

#[test]
fn what_a_tool_says_of_itself_needs_no_rights() {
    if !can_run() {
        return;
    }
    let programs = Programs::new();
    for tool in TOOLS {
        let declared = ToolSchema::of(tool);
        assert_eq!(declared.schema["title"], tool);
        let fields = declared.fields();
        let last = [&LAST[..2], &LEVELS, &LAST[2..]].concat();
        assert_eq!((&fields[..4], &fields[fields.len() - last.len()..]), (&FIRST[..], &last[..]), "{tool}");
        let undescribed = |field: &&&str| declared.schema["properties"][**field]["description"].is_null();
        assert_eq!(fields.iter().find(undescribed), None, "{tool}: a field without a meaning");
        assert!(declared.help.contains(&format!("\nExamples:\n  {tool} ")), "{}", declared.help);
        for option in ["--help", "--schema", "--version"] {
            let output = programs.run::<&str>(&[], tool).arg(option).output().expect("setpriv runs");
            assert!(
                output.status.success() && output.stderr.is_empty() && !output.stdout.is_empty(),
                "{tool}"
            );
        }
        let (_, version, _) = run(&format!("$BIN/{tool} --version"));
        let short = format!("{tool} {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(version, short);
        let (_, details, _) = run(&format!("$BIN/{tool} --version -v"));
        let details = details.strip_prefix(&short).expect("the version itself stands first");
        let parts: Vec<_> = details.lines().filter_map(|line| line.split_once(": ")).collect();
        let names: Vec<_> = parts.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["commit", "target", "linked", "rustc", "clang", "libbpf"], "{tool}: {details}");
        let value = |name| parts.iter().find(|(known, _)| *known == name).expect("it has a line").1;
        assert!(value("target").starts_with(std::env::consts::ARCH), "{details}");
        for name in ["rustc", "clang", "libbpf"] {
            assert!(value(name).split('.').all(|part| part.parse::<u32>().is_ok()), "{tool}: {details}");
        }
    }
}

#[test]
fn bad_usage_is_one_line_and_status_2() {
    for tool in TOOLS {
        for (options, part) in [
            ("--frobnicate", "--frobnicate"),
            ("x", "x"),
            ("0", "0"),
            ("1 0", "0"),
            ("-1", "-1"),
            ("1 2 3", "3"),
            ("-o xml", "xml"),
            ("-d soon", "soon"),
            ("-p init", "init"),
            ("-p", "--pid"),
            ("-q -v", "-q"),
            ("--attach magic", "magic"),
        ] {
            refuses(&format!("$BIN/{tool} {options}"), 2, &[tool, part, "--help"]);
        }
        if ToolSchema::of(tool).has("--buckets") {
            refuses(&format!("$BIN/{tool} --buckets -o csv 0.1 1"), 2, &["--buckets has no CSV form"]);
        }
    }
}

/// What users of other tools type, and what they are told to type here, which must be right.
#[test]
fn habits_of_other_tools_are_answered_with_what_to_type() {
    if !can_run() {
        return;
    }
    for (typed, right) in [
        // biolatency, biosnoop, biotop, iostat
        ("biolat -m", "biolat 1"),
        ("biolat -D 10 1", "biolat 1"),
        ("biolat -Q", "biolat 1"),
        ("biolat -d sda 1", "biolat --disk sda"),
        ("biolat sda", "biolat --disk sda"),
        ("biolat -x 1", "biolat 1"),
        ("biolat -j", "biolat -o json"),
        // ext4slower, ext4dist
        ("fslat ext4", "fslat --fs ext4"),
        ("fslat -m", "fslat 1"),
        // execsnoop, opensnoop
        ("proclife bash", "proclife --comm bash"),
        ("proclife -n bash", "proclife --events --comm bash"),
        ("proclife -u 1000", "proclife --user 1000"),
        ("proclife -T", "proclife 1"),
        ("fdstat -x", "fdstat --events --errors"),
        ("fdstat -p nginx", "fdstat -p $(pidof -s nginx)"),
        // tcplife, tcptop, ss
        ("tcplife -L 80", "tcplife --port 80"),
        ("tcplife -p", "tcplife -p $(pidof -s nginx)"),
        ("tcplife -w", "tcplife -o wide"),
        ("sockls -tan", "sockls --proto tcp"),
        // cachetop, perf, bpftrace
        ("cachestat -r 20", "cachestat --by process --top 20"),
        ("irqlat -I 1000", "irqlat 1"),
        ("vfsstat -f json", "vfsstat -o json"),
        ("syncsnoop -a", "syncsnoop 1"),
    ] {
        let tool = typed.split(' ').next().unwrap_or_default();
        refuses(&format!("$BIN/{typed}"), 2, &[tool, &format!("type `{right}`"), "--help"]);
        if right.contains("pidof") {
            continue;
        }
        // What is advised is understood.
        let end = if right.starts_with("ebpfmux") { "-d 0.1 -o json -q" } else { "--schema" };
        let (status, _, said) = run(&format!("$BIN/{right} {end}"));
        assert!(matches!(status, Some(0 | 3 | 4)), "{right}: {status:?} {said:?}");
    }
}

#[test]
fn what_is_similar_is_named() {
    for (typed, similar) in [
        ("proclife --event", "--events"),
        ("biolat --bucket", "--buckets"),
        ("vfsstat --by proces", "process"),
    ] {
        refuses(&format!("$BIN/{typed}"), 2, &["a similar", similar]);
    }
    refuses("$BIN/ebpfmux --where 'disk = \"vda\"' /dev/null", 2, &["--where", "use =="]);
}

#[test]
fn notes_are_explained_by_their_number() {
    let (status, said, _) = run("$BIN/cachestat --explain N12");
    assert!(status == Some(0) && said.starts_with("N12: ") && said.contains("cachestat --check"), "{said}");
    refuses("$BIN/biolat --explain N999", 2, &["biolat", "no such note"]);
}
