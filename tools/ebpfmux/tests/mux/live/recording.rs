//! Recordings and files are played.

use super::{MUX, biolat};
use crate::live::terminal::Terminal;
use crate::support::{Files, run};

/// A recording of so many seconds, of a disk whose count is the second.
fn recording(seconds: u64) -> (Files, String) {
    let files = Files::new();
    let all: String = (1..=seconds).map(|second| biolat(second, "vda", second)).collect();
    let file = files.write("run.ndjson", all);
    let folder = files.path("recording");
    let recorded = run(&["--record", &folder, &file]);
    assert!(recorded.status.success());
    (files, folder)
}

/// Waits until the disk's count is this.
fn count(terminal: &Terminal, of: u64) -> String {
    let of = of.to_string();
    terminal.until_that(&format!("a count of {of}"), |screen| {
        screen.lines().any(|line| line.starts_with("vda") && line.split_whitespace().nth(2) == Some(&of))
    })
}

/// Waits until it is this or more, while it plays.
fn plays_to(terminal: &Terminal, least: u64) {
    terminal.until_that(&format!("a count of {least} or more"), |screen| {
        let counts = screen.lines().filter(|line| line.starts_with("vda"));
        counts
            .filter_map(|line| line.split_whitespace().nth(2)?.parse().ok())
            .any(|count: u64| count >= least)
    });
}

fn jump(terminal: &Terminal, to: &str) {
    terminal.press("g");
    terminal.until("jump to:");
    terminal.typed(to);
    terminal.press("Enter");
}

#[test]
fn an_hour_is_stepped_through_and_jumped_in() {
    let (_files, folder) = recording(3600);
    let terminal = Terminal::running(80, 24, &format!("{MUX} --live {folder}; echo status $?"));
    let screen = count(&terminal, 1);
    assert!(screen.contains("PAUSED") && screen.contains("00:00:01"), "{screen}");
    terminal.press("Right");
    count(&terminal, 2);
    terminal.press("Right");
    count(&terminal, 3);
    terminal.press("Left");
    count(&terminal, 2);
    jump(&terminal, "00:30");
    let screen = count(&terminal, 1800);
    // The intervals before are there, too.
    assert!(screen.lines().any(|line| line.starts_with("vda") && line.contains("████████")), "{screen}");
    terminal.press("Right");
    count(&terminal, 1801);
    jump(&terminal, "-5m");
    count(&terminal, 1501);
    jump(&terminal, "+90");
    count(&terminal, 1591);
    jump(&terminal, "2026-11-21 00:59:00");
    count(&terminal, 3540);
    jump(&terminal, "nonsense");
    terminal.until("is no time");
    terminal.press("End");
    let screen = count(&terminal, 3600);
    assert!(screen.contains("END"), "{screen}");
    terminal.press("Right");
    terminal.until("this is the end");
    terminal.press("Home");
    count(&terminal, 1);
    terminal.press("Left");
    terminal.until("this is the beginning");
    jump(&terminal, "23:00");
    count(&terminal, 3600);
    terminal.press("q");
    terminal.until("status 0");
}

#[test]
fn what_is_no_more_kept_is_read_again() {
    // More intervals than are kept.
    let (_files, folder) = recording(9000);
    let terminal = Terminal::running(80, 24, &format!("{MUX} --live {folder}"));
    count(&terminal, 1);
    terminal.press("End");
    count(&terminal, 9000);
    jump(&terminal, "00:10:00");
    count(&terminal, 600);
    terminal.press("Left");
    count(&terminal, 599);
    terminal.press("Home");
    count(&terminal, 1);
    jump(&terminal, "02:00:00");
    count(&terminal, 7200);
    // Before what was read on the way to it.
    jump(&terminal, "01:00:00");
    count(&terminal, 3600);
}

#[test]
fn it_plays_as_fast_as_is_asked_for_and_stops() {
    let (_files, folder) = recording(3600);
    let terminal = Terminal::running(80, 24, &format!("{MUX} --live {folder}"));
    count(&terminal, 1);
    terminal.press("Space");
    terminal.until("PLAY ×1");
    // By the clock.
    plays_to(&terminal, 3);
    (0..4).for_each(|_| terminal.press("+"));
    terminal.until("PLAY ×16");
    terminal.press("-");
    terminal.until("PLAY ×8");
    plays_to(&terminal, 12);
    (0..20).for_each(|_| terminal.press("+"));
    terminal.until("PLAY ×1024");
    // To its end, where it stands.
    let screen = count(&terminal, 3600);
    terminal.until("END");
    drop(screen);
    terminal.press("Space");
    terminal.until("END");
    jump(&terminal, "00:00:05");
    count(&terminal, 5);
    terminal.press("Space");
    terminal.until("PLAY");
    terminal.press("Space");
    terminal.until("PAUSED");
}

#[test]
fn a_file_that_is_not_there_is_said_when_the_screen_is_gone() {
    let terminal = Terminal::running(80, 24, &format!("{MUX} --live /nowhere/x.ndjson; echo status $?"));
    terminal.until("status 2");
    let screen = terminal.until("/nowhere/x.ndjson");
    assert!(screen.contains("cannot read"), "{screen}");
}
