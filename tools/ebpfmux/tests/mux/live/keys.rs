//! Each key does what the help says.

use super::{Stream, biolat, names, rows};
use crate::live::terminal::Terminal;
use crate::support::record;

/// Three rows of one tool, and one of another.
fn shown() -> (Stream, Terminal) {
    let mut stream = Stream::new();
    let terminal = stream.shown("NO_COLOR=1");
    let second = |second| {
        let proclife =
            record(second * 1_000_000, "proclife", &format!("\"forks\":{},\"execs\":5", 30 + second));
        biolat(second, "vda", 20)
            + &biolat(second, "vdb", 30)
            + &biolat(second, "sda", 10 + second)
            + &proclife
    };
    stream.write(&second(1));
    stream.write(&second(2));
    terminal.until("00:00:02");
    (stream, terminal)
}

#[test]
fn rows_are_sorted_by_any_column_in_both_orders() {
    let (_stream, terminal) = shown();
    let sorted = |by: &[&str]| {
        terminal.until_that(&format!("{by:?}"), |screen| names(screen) == *by);
    };
    sorted(&["vdb", "vda", "sda"]);
    terminal.press("r");
    sorted(&["sda", "vda", "vdb"]);
    terminal.press("r");
    sorted(&["vdb", "vda", "sda"]);
    // To the left of the count are op and disk.
    terminal.press("<");
    terminal.until("op▼");
    terminal.press("<");
    terminal.until("disk▼");
    sorted(&["sda", "vda", "vdb"]);
    terminal.press("r");
    terminal.until("disk▲");
    sorted(&["vdb", "vda", "sda"]);
    terminal.press(">");
    terminal.press(">");
    terminal.until("count▲");
    sorted(&["sda", "vda", "vdb"]);
}

#[test]
fn a_column_that_has_no_room_comes_into_view_when_it_is_sorted_by() {
    let (_stream, terminal) = shown();
    terminal.resize(40, 24);
    terminal.until("columns (<>)");
    for heading in ["us▼", "bytes▼", "lost▼"] {
        terminal.press(">");
        terminal.until(heading);
    }
}

#[test]
fn a_filter_is_in_force_while_it_is_typed() {
    let (_stream, terminal) = shown();
    terminal.press("/");
    terminal.typed("VD");
    let screen = terminal.until("2 of 3 rows");
    assert!(screen.contains("filter: VD_") && names(&screen) == ["vdb", "vda"], "{screen}");
    terminal.typed("b");
    terminal.until("1 of 3 rows");
    terminal.press("BSpace");
    terminal.until("2 of 3 rows");
    // Letters are no commands until Enter.
    terminal.typed("q");
    terminal.until("0 of 3 rows");
    terminal.press("BSpace");
    terminal.press("Enter");
    terminal.until("filter VD");
    terminal.press("Escape");
    let screen = terminal.until("  3 rows");
    assert_eq!(names(&screen).len(), 3);
    terminal.press("/");
    terminal.typed("x");
    terminal.until("0 of 3 rows");
    terminal.press("Escape");
    terminal.until("  3 rows");
}

#[test]
fn each_tool_has_a_tab() {
    let (_stream, terminal) = shown();
    let of_disks = || terminal.until("vda");
    let of_processes = || terminal.until("forks");
    of_disks();
    terminal.press("Tab");
    let screen = of_processes();
    assert!(screen.contains("32") && screen.contains("1 row"), "{screen}");
    terminal.press("Tab");
    of_disks();
    terminal.press("BTab");
    of_processes();
    terminal.press("1");
    of_disks();
    terminal.press("2");
    of_processes();
    // There is no ninth.
    terminal.press("9");
    of_processes();
}

#[test]
fn the_selected_row_is_told_in_full() {
    let (_stream, terminal) = shown();
    let selected = |disk: &str| {
        terminal.press("Enter");
        terminal.until_that(disk, |screen| {
            screen.lines().any(|line| line.starts_with("disk ") && line.ends_with(disk))
        });
        terminal.press("Enter");
        terminal.until("rows");
        terminal.until("vda");
    };
    selected("vdb");
    terminal.press("Down");
    terminal.press("Down");
    selected("vda");
    terminal.press("j");
    selected("sda");
    terminal.press("Down");
    selected("sda");
    terminal.press("k");
    selected("vda");
    terminal.press("Up");
    selected("vdb");
    terminal.press("PageDown");
    selected("sda");
    terminal.press("PageUp");
    selected("vdb");
}

#[test]
fn a_heat_map_has_a_line_for_each_of_sixteen_buckets_an_octave() {
    let (_stream, terminal) = shown();
    terminal.press("h");
    let screen = terminal.until("buckets of all rows");
    // 73.7 us to 1.05 ms: more than there are lines.
    assert!(
        screen.contains("73.7 us") && screen.contains('█') && screen.contains("buckets in each line"),
        "{screen}"
    );
    terminal.press("z");
    let screen = terminal.until("1 bucket in each line");
    // Two neighbours: [73.728, 77.824) has the most, [77.824, 81.92) one of each disk.
    let line = |bound: &str| {
        let line = screen.lines().find(|line| line.trim_start().starts_with(bound));
        line.unwrap_or_else(|| panic!("{bound}: {screen}")).trim_end().chars().next_back().unwrap()
    };
    assert_eq!((line("73.7 us"), line("69.6 us")), ('█', 's'), "{screen}");
    assert!(['░', '▒'].contains(&line("77.8 us")), "{screen}");
    let lowest = |screen: &str| screen.lines().rev().nth(1).unwrap().to_owned();
    let before = lowest(&screen);
    terminal.press("]");
    let screen = terminal.until_that("it moves", |screen| lowest(screen) != before);
    terminal.press("[");
    terminal.until_that("it moves back", |screen| lowest(screen) == before);
    drop(screen);
    terminal.press("b");
    terminal.until("queue_buckets of all rows");
    terminal.press("b");
    terminal.until_without("queue_buckets");
    terminal.press("j");
    terminal.until("buckets of web1 vdb read");
    terminal.press("z");
    terminal.until_without("1 bucket in");
    terminal.press("h");
    terminal.until_without("buckets of");
    terminal.press("2");
    terminal.press("h");
    terminal.until("run the tool with --buckets");
}

#[test]
fn a_pause_holds_the_picture_and_not_the_stream() {
    let (mut stream, terminal) = shown();
    terminal.press("Space");
    terminal.until("PAUSED");
    stream.write(&biolat(3, "new", 1));
    stream.write(&biolat(4, "newer", 1));
    terminal.press("r");
    let screen =
        terminal.until_that("the order", |screen| names(screen).first().is_some_and(|name| name == "sda"));
    assert!(screen.contains("00:00:02") && !screen.contains("new"), "{screen}");
    terminal.press("Right");
    terminal.until_that("the next", |screen| names(screen) == ["new"]);
    terminal.press("Space");
    let screen = terminal.until("LIVE");
    assert_eq!(names(&screen), ["newer"], "{screen}");
}

#[test]
fn steps_go_back_and_on_in_what_is_kept() {
    let (mut stream, terminal) = shown();
    let count = |of: &str| {
        terminal.until_that(of, |screen| {
            rows(screen).iter().any(|row| row.starts_with("sda") && row.split_whitespace().nth(2) == Some(of))
        })
    };
    count("12");
    terminal.press("Left");
    let screen = count("11");
    assert!(screen.contains("PAUSED") && screen.contains("00:00:01"), "{screen}");
    terminal.press("Left");
    terminal.until("nothing older is kept");
    terminal.press("Right");
    count("12");
    // Behind the newest it goes on by itself.
    terminal.press("Right");
    terminal.until("LIVE");
    stream.write(&biolat(3, "sda", 77));
    count("77");
    terminal.press("Home");
    count("11");
    terminal.press("End");
    count("77");
    terminal.until("LIVE");
    terminal.press("g");
    terminal.typed("00:00:02");
    terminal.press("Enter");
    count("12");
    terminal.press("g");
    terminal.typed("09:00");
    terminal.press("Enter");
    terminal.until("not kept");
    terminal.press("+");
    terminal.until("only a recording");
}

#[test]
fn help_and_digits_and_a_new_picture() {
    let (_stream, terminal) = shown();
    terminal.press("?");
    // All of it has room.
    let screen = terminal.until("this help");
    assert!(
        screen.contains("quit") && screen.contains("heat map") && screen.contains("jump to a time"),
        "{screen}"
    );
    terminal.press("?");
    terminal.until_without("this help");
    terminal.press("x");
    terminal.until("122880");
    terminal.press("x");
    terminal.until("120K");
    terminal.press("C-l");
    terminal.until("vda");
    terminal.press("Tab");
    terminal.until("execs");
}
