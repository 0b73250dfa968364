//! Manual pages and completions, which come from the same definitions as `--help`.
#![allow(clippy::expect_used, reason = "tests")]

use tests::programs::{TOOLS, shell};

/// All tools, the one that merges included.
fn all() -> impl Iterator<Item = &'static str> {
    TOOLS.into_iter().chain(["ebpfmux"])
}

fn good(line: &str) -> String {
    let output = shell(line);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{line}: {}: {said}", output.status);
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The long options that `--help` lists.
fn options(tool: &str) -> Vec<String> {
    let help = good(&format!("$BIN/{tool} --help"));
    let listed = help.lines().filter(|line| line.starts_with("  -") || line.starts_with("      --"));
    let long = listed.filter_map(|line| line.split_once("--")?.1.split([' ', ',', '[', '=']).next());
    long.map(|name| format!("--{name}")).collect()
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
        assert!(page.contains("\n.SH EXAMPLES\n") && !page.contains(".SH EXTRA"), "{page}");
    }
}

/// As the shell asks for them: what begins so, after the tool's name. An option that a tool refuses is among them.
#[test]
fn bash_completes_options() {
    for tool in all() {
        let ask = format!(
            "source <($BIN/{tool} --generate bash); COMP_WORDS=({tool} --) COMP_CWORD=1; _{tool} {tool} -- {tool}; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let said = good(&ask);
        let told: Vec<&str> = said.lines().collect();
        for option in options(tool) {
            assert!(told.contains(&option.as_str()), "{tool}: {option} is not among {told:?}");
        }
        assert!(told.iter().all(|word| word.starts_with("--")), "{tool}: {told:?}");
    }
}

#[test]
fn zsh_and_fish_are_told_all_options() {
    for tool in all() {
        let zsh = good(&format!("$BIN/{tool} --generate zsh"));
        let fish = good(&format!("$BIN/{tool} --generate fish"));
        assert!(zsh.starts_with(&format!("#compdef {tool}\n")), "{zsh}");
        for option in options(tool) {
            let name = option.trim_start_matches('-');
            assert!(zsh.contains(&option), "{tool}: {option} is not in {zsh}");
            assert!(
                fish.contains(&format!("complete -c {tool} ")) && fish.contains(&format!("-l {name} ")),
                "{fish}"
            );
        }
    }
}

#[test]
fn another_shell_is_refused() {
    let output = shell("$BIN/vfsstat --generate tcsh");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(said, "vfsstat: --generate tcsh: not one of man, bash, zsh, fish\n");
}
