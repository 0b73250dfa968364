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
        assert_eq!(version, format!("{tool} {}\n", env!("CARGO_PKG_VERSION")));
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
