//! Tools at work in a real terminal (tmux), as a person uses them. What tables look like: `tools/ebpfmux/tests/screens`.
#![allow(clippy::expect_used, reason = "tests")]

use std::path::Path;

use test_support::terminal::Terminal;
use tests::can_run;
use tests::programs::built;
use tests::user::Programs;
use tests::wait::{For, until, until_or};

/// The headings on a screen, each the line with the names below the zone's.
fn headings(screen: &str) -> Vec<&str> {
    screen.lines().filter(|line| line.starts_with("time ")).collect()
}

#[test]
fn a_table_fits_its_terminal_and_heeds_another_size() {
    if !can_run() {
        return;
    }
    for (tool, first) in [("vfsstat", "reads"), ("proclife", "forks")] {
        let command = format!("{} -q 0.2", built(tool).display());
        let env = [("TZ", "America/New_York"), ("TERM", "screen")];
        let terminal = Terminal::running(&command, Path::new("/"), 80, 24, &env);
        let shown = terminal.shows("time ");
        let names = headings(&shown)[0].to_owned();
        assert!(names.contains(first) && names.contains("lost"), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        assert!(shown.contains("EST ") || shown.contains("EDT "), "{shown}");
        // Another heading for a narrower screen, with fewer columns.
        terminal.resize(40, 24);
        let narrower = || {
            let shown = terminal.screen();
            let heading = headings(&shown).last().copied().unwrap_or_default().to_owned();
            (heading.contains("lost") && heading.len() <= 40).then_some(heading)
        };
        let narrow =
            until_or(For::Record, format!("{tool}: a narrower heading"), narrower, || terminal.screen());
        let fewer = narrow.split_whitespace().count() < names.split_whitespace().count();
        assert!(fewer || names.len() <= 40, "{names}\n{narrow}");
        // The heading comes again, so that one is on the screen.
        let dashes = terminal.screen().lines().filter(|line| line.as_bytes().get(2) == Some(&b':')).count();
        until(For::Record, format!("{tool}: a full screen"), || {
            let shown = terminal.screen();
            let lines = shown.lines().filter(|line| line.as_bytes().get(2) == Some(&b':')).count();
            (lines > dashes && lines >= 18 && !headings(&shown).is_empty()).then_some(())
        });
    }
}

#[test]
fn without_rights_a_live_view_ends_as_the_tool_itself() {
    let programs = Programs::new();
    let alone = programs.run::<&str>(&[], "biolat").arg("1").output().expect("it runs");
    let why = String::from_utf8(alone.stderr).expect("UTF-8");
    let why = why.trim();
    let status = alone.status.code().expect("a status");
    assert!(status >= 3 && why.lines().count() == 1, "{status}: {why}");
    let command = programs.run::<&str>(&[], "biolat");
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_str().expect("UTF-8")).collect();
    // The screen is wide enough for the message.
    let line = format!("{} --live --utc 1; echo status $?", words.join(" "));
    let screen = Terminal::running(&line, Path::new("/"), 400, 24, &[("TERM", "tmux-256color")]).ended();
    assert_eq!(screen.trim(), format!("{why}\nstatus {status}"));
}

#[test]
fn a_live_view_heeds_the_tools_own_options() {
    if !can_run() {
        return;
    }
    let env = [("TZ", "America/New_York"), ("TERM", "tmux-256color")];
    for (options, zone) in [("", "E"), ("--utc", "UTC ")] {
        let line = format!("{} --live {options} 0.2", built("vfsstat").display());
        let terminal = Terminal::running(&line, Path::new("/"), 80, 24, &env);
        let screen = terminal.shows("1 row");
        assert!(screen.contains(&format!(" {zone}")), "{screen}");
        assert_eq!(screen.contains("UTC"), zone == "UTC ", "{screen}");
        terminal.tmux(&["send-keys", "q"]);
        terminal.shows("[ended]");
    }
}
