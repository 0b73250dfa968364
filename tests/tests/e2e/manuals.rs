//! Manual pages and completions, which come from the same definitions as `--help`.
#![allow(clippy::expect_used, reason = "tests")]

use std::path::Path;

use serde_json::Value;
use tests::kernel;
use tests::programs::{TOOLS, all, good, has_option, options, shell};

/// ebpfmux knows the fields that the tools declare, and each field has a kind.
#[test]
fn the_schemas_in_the_tree_are_the_tools_own() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../common/record/schemas");
    let mut known: Vec<String> = std::fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| entry.expect("a file").file_name().into_string().expect("UTF-8"))
        .collect();
    for (file, options) in schemas() {
        let printed = good(&format!("$BIN/{options} --schema"));
        let name = format!("{file}.json");
        let checked_in = std::fs::read_to_string(folder.join(&name)).unwrap_or_default();
        assert!(
            printed == checked_in,
            "schemas/{name} is not what `{options} --schema` prints: scripts/schemas"
        );
        known.retain(|known| *known != name);
        let schema: Value = serde_json::from_str(&printed).expect("JSON");
        for (field, property) in schema["properties"].as_object().expect("fields") {
            assert!(property["x-kind"].is_string(), "{options}: {field} has no kind: {property}");
        }
    }
    assert!(known.is_empty(), "no tool has these schemas: {known:?}");
}

/// The file of each schema, and the command that prints it.
fn schemas() -> Vec<(String, String)> {
    let mut schemas = Vec::new();
    for tool in TOOLS.into_iter().chain(["mapstat"]) {
        let events = has_option(tool, "--events");
        let of = |options: &str| good(&format!("$BIN/{tool} {options} --schema"));
        // Without --events and an interval, some tools print events, some intervals.
        let interval = if of("").contains("\"interval_s\"") { "" } else { " 1" };
        schemas.push((tool.to_owned(), format!("{tool}{interval}")));
        if events {
            schemas.push((format!("{tool}.events"), format!("{tool} --events")));
        } else if !interval.is_empty() {
            schemas.push((format!("{tool}.events"), tool.to_owned()));
        }
    }
    schemas
}

/// docs/tools is what the programs print.
#[test]
fn the_pages_in_the_tree_are_the_tools_own() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tools");
    for tool in all() {
        let printed = good(&format!("$BIN/{tool} --generate markdown"));
        let checked_in = std::fs::read_to_string(folder.join(format!("{tool}.md"))).unwrap_or_default();
        assert!(printed == checked_in, "docs/tools/{tool}.md is not current: scripts/schemas");
    }
}

/// By these words the tests know where a loss is no fault: completions of disk requests, interrupts themselves, packets
/// that end a connection.
#[test]
fn a_tool_says_whether_interrupts_run_its_programs() {
    for tool in ["biolat", "dnslat", "inetstat", "irqlat", "sockls", "tcplife"] {
        assert!(kernel::run_by_interrupts(tool), "{tool}");
    }
    assert!(!kernel::run_by_interrupts("proclife"));
}

#[test]
fn a_page_has_all_options_and_sections() {
    for tool in all() {
        let page = good(&format!("$BIN/{tool} --generate man"));
        assert!(page.contains(&format!(".TH {tool} 1")), "{page}");
        for option in options(tool) {
            let option = option.replace('-', "\\-");
            assert!(page.contains(&option), "{tool}: {option} is not in {page}");
        }
        for section in ["EXAMPLES", "\"EXIT STATUS\"", "\"SEE ALSO\""] {
            assert!(page.contains(&format!("\n.SH {section}\n")), "{tool}: no {section} in {page}");
        }
        assert!(!page.contains(".SH EXTRA"), "{page}");
        for (_, options) in schemas().iter().filter(|(_, options)| options.split(' ').next() == Some(tool)) {
            let schema: Value =
                serde_json::from_str(&good(&format!("$BIN/{options} --schema"))).expect("JSON");
            for field in schema["properties"].as_object().expect("fields").keys() {
                assert!(page.contains(&format!("\\fB{field}\\fR (")), "{tool}: {field} is not in {page}");
            }
        }
    }
}

#[test]
fn another_shell_is_refused() {
    let output = shell("$BIN/vfsstat --generate tcsh");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        stderr,
        "vfsstat: invalid value 'tcsh' for '--generate <FORM>' [possible values: man, markdown, bash, zsh, fish, options]; a similar value exists: 'zsh' (see --help)\n"
    );
}
