//! What a shell completes: options, and values that there are now. A real bash is asked, and once a person's terminal.
#![allow(clippy::expect_used, reason = "tests")]

use std::path::Path;
use std::time::{Duration, Instant};

use test_support::terminal::Terminal;
use tests::programs::{all, built, good, options, shell};
use tests::user::Programs;
use tests::wait::{For, until};

/// What bash's function for the tool replies to these words, the last of which is completed.
fn bash(tool: &str, words: &[&str]) -> Vec<String> {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
    let (count, last) = (words.len(), quoted.last().expect("a word"));
    let out = good(&format!(
        "PATH=$BIN:$PATH; source <({tool} --generate bash); COMP_WORDS=({tool} {}) COMP_CWORD={count}; \
         _clap_complete_{tool} {tool} {last} {tool}; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        quoted.join(" ")
    ));
    out.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// What a tool itself says to a shell.
fn said(tool: &str, by: &str, words: &[&str]) -> String {
    let words = [tool].iter().chain(words).map(|word| format!("'{word}'")).collect::<Vec<_>>();
    let index = words.len() - 1;
    good(&format!(
        "EBPF_FILTERS_COMPLETE={by} _CLAP_COMPLETE_INDEX={index} _CLAP_IFS=$'\\n' $BIN/{tool} -- {}",
        words.join(" ")
    ))
}

#[test]
fn bash_completes_all_options() {
    for tool in all() {
        let completed = bash(tool, &["--"]);
        for option in options(tool) {
            assert!(completed.contains(&option), "{tool}: {option} is not among {completed:?}");
        }
        assert!(completed.iter().all(|word| word.starts_with("--")), "{tool}: {completed:?}");
        for hidden in ["--generate", "--behind-screen"] {
            assert!(!completed.iter().any(|word| word == hidden), "{tool}: {completed:?}");
        }
    }
}

#[test]
fn zsh_and_fish_complete_all_options_with_what_they_do() {
    for tool in all() {
        let script = good(&format!("$BIN/{tool} --generate zsh"));
        assert!(script.starts_with(&format!("#compdef {tool}\n")), "{script}");
        let script = good(&format!("$BIN/{tool} --generate fish"));
        assert!(script.contains(&format!("--command {tool} ")), "{script}");
        let (zsh, fish) = (said(tool, "zsh", &["--"]), said(tool, "fish", &["--"]));
        for option in options(tool) {
            let has = |text: &str, between: char| {
                text.lines().any(|line| line.split(between).next() == Some(&option))
            };
            assert!(has(&zsh, ':') && has(&fish, '\t'), "{tool}: {option}: {zsh}{fish}");
        }
        assert!(fish.contains("--version\tPrint version"), "{fish}");
    }
}

#[test]
fn values_are_those_that_there_are() {
    let own = std::process::id().to_string();
    for option in ["-p", "--pid"] {
        assert!(bash("biolat", &[option, &own[..1]]).contains(&own), "{option}");
    }
    assert!(bash("biolat", &[&format!("--pid={own}")]).contains(&format!("--pid={own}")));
    assert!(said("biolat", "fish", &["-p", &own]).lines().any(|line| line.starts_with(&format!("{own}\t"))));
    let folders = shell(
        "find $(findmnt -t cgroup2 -no TARGET | head -1) -mindepth 1 -maxdepth 1 -type d -printf '%P\\n'",
    );
    for folder in String::from_utf8_lossy(&folders.stdout).lines() {
        let found = bash("vfsstat", &["--cgroup", folder]);
        assert!(found.iter().any(|path| path.trim_end_matches('/') == folder), "{folder}: {found:?}");
    }
    assert_eq!(bash("biolat", &["--by", "proc"]), ["process"]);
    assert_eq!(bash("ebpfmux", &["--run", "bio"]), ["biolat"]);
    assert_eq!(bash("ebpfmux", &["--run", "biolat --buck"]), ["biolat --buckets"]);
    assert_eq!(bash("ebpfmux", &["--where", "count > 0 && biolat.p99_"]), ["count > 0 && biolat.p99_us"]);
    assert_eq!(bash("ebpfmux", &["--assert", "tool == \"procl"]), ["tool == \"proclife\""]);
    // Of the tools that the line names.
    assert_eq!(bash("ebpfmux", &["--run", "proclife 1", "--where", "for"]), ["forks", "fork_errors"]);
    assert!(bash("ebpfmux", &["--window", "10", "--by", "disk,o"]).contains(&"disk,op".to_owned()));
    assert!(bash("ebpfmux", &["--select", "ts,p99"]).contains(&"ts,p99_us".to_owned()));
    let disks = shell("ls /sys/block");
    for disk in String::from_utf8_lossy(&disks.stdout).lines().filter(|disk| !disk.contains('!')) {
        let found = bash("ebpfmux", &["--where", &format!("biolat.disk == '{}", &disk[..1])]);
        assert!(found.contains(&format!("biolat.disk == '{disk}'")), "{found:?}");
    }
}

#[test]
fn nobody_needs_a_right_to_complete_or_waits_for_it() {
    let programs = Programs::new();
    let lines: [(&str, &[&str]); 5] = [
        ("biolat", &["biolat", "-p", ""]),
        ("biolat", &["biolat", "--cgroup", ""]),
        ("ebpfmux", &["ebpfmux", "--run", "biolat --"]),
        ("ebpfmux", &["ebpfmux", "--where", ""]),
        ("ebpfmux", &["ebpfmux", "--window", "1", "--by", ""]),
    ];
    for (tool, words) in lines {
        let mut quickest = Duration::MAX;
        // The machine may be busy with other things.
        for _ in 0..5 {
            let mut command = programs.run::<&str>(&[], tool);
            command.arg("--").args(words).env("EBPF_FILTERS_COMPLETE", "bash");
            command.env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string()).env("_CLAP_IFS", "\n");
            let start = Instant::now();
            let output = command.output().expect("it runs");
            quickest = quickest.min(start.elapsed());
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && output.stderr.is_empty(), "{words:?}: {output:?}");
            assert!(text.lines().count() > 1 || words[1] == "--cgroup", "{words:?}: {text}");
        }
        assert!(quickest < Duration::from_millis(200), "{words:?}: {quickest:?}");
    }
}

#[test]
fn in_a_persons_bash_the_tab_key_does_it() {
    let bin = built("biolat").parent().expect("a folder").display().to_string();
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap_or_default());
    let env = [("PATH", path.as_str()), ("PS1", "ready> "), ("TERM", "tmux-256color")];
    let terminal = Terminal::running("bash --norc --noprofile -i", Path::new("/"), 120, 24, &env);
    terminal.shows("ready>");
    let types = |keys: &[&str]| assert!(terminal.tmux(&[&["send-keys"][..], keys].concat()).status.success());
    types(&["for tool in biolat ebpfmux; do source <($tool --generate bash); done; clear", "Enter"]);
    until(For::Ready, "a clear screen", || terminal.screen().starts_with("ready>").then_some(()));
    for (typed, becomes) in [
        ("biolat --buck", "biolat --buckets "),
        ("biolat --by proc", "biolat --by process "),
        ("ebpfmux --run procl", "ebpfmux --run proclife "),
        ("ebpfmux --where 'count > 0 && biolat.p99_", "ebpfmux --where 'count > 0 && biolat.p99_us'"),
        ("ebpfmux --run 'biolat --buck", "ebpfmux --run 'biolat --buckets'"),
    ] {
        types(&["-l", typed]);
        terminal.shows(typed);
        types(&["Tab"]);
        terminal.shows(becomes.trim_end());
        types(&["C-u"]);
        types(&["C-l"]);
    }
}
