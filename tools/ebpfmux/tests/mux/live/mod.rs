//! `--live` in a real terminal: keys are sent, and the screen is read.

mod ending;
mod keys;
mod long;
mod recording;
mod terminal;

use std::fs::{File, OpenOptions};
use std::io::Write;

use crate::support::{Files, record, run, stderr};
use terminal::Terminal;

/// The program, for a shell.
pub const MUX: &str = env!("CARGO_BIN_EXE_ebpfmux");

/// A record of biolat at this second.
pub fn biolat(second: u64, disk: &str, count: u64) -> String {
    let buckets = format!("[[77.824,{count}],[81.92,1],[1048.576,2]]");
    record(
        second * 1_000_000,
        "biolat",
        &format!(
            "\"disk\":\"{disk}\",\"op\":\"read\",\"count\":{count},\"p50_us\":{}.5,\"bytes\":{},\
             \"buckets\":{buckets},\"queue_buckets\":[[1.024,3]]",
            second + 10,
            count * 4096
        ),
    )
}

/// A stream that a test writes into while it is shown.
pub struct Stream {
    fifo: File,
    pub path: String,
    _files: Files,
}

impl Stream {
    pub fn new() -> Self {
        let files = Files::new();
        let path = files.fifo("stream");
        // Open for both, so that it does not end before the test does.
        let fifo = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        Self { fifo, path, _files: files }
    }

    pub fn write(&mut self, records: &str) {
        self.fifo.write_all(records.as_bytes()).unwrap();
    }

    /// Shown in a terminal of the usual size, with these words before the command.
    pub fn shown(&self, environment: &str) -> Terminal {
        Terminal::running(80, 24, &format!("{environment} {MUX} --live {}", self.path))
    }
}

/// The lines of a screen below the headings.
pub fn rows(screen: &str) -> Vec<&str> {
    screen.lines().skip(4).take_while(|line| !line.trim().is_empty()).collect()
}

/// The first word of each row.
pub fn names(screen: &str) -> Vec<String> {
    rows(screen).iter().filter_map(|row| row.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn what_cannot_be_drawn_on_is_refused_with_the_remedy() {
    let output = run(&["--live", "--run", "true"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    let said = stderr(&output);
    assert!(said.contains("needs a terminal") && said.lines().count() == 1, "{said}");

    let terminal = Terminal::new(80, 24);
    let mut number = 0;
    for (command, says) in [
        (format!("TERM=dumb {MUX} --live x"), "set TERM to what"),
        (format!("TERM= {MUX} --live x"), "TERM is not set"),
        (format!("{MUX} --live"), "of what?"),
        (format!("{MUX} --live --join x"), "cannot be used with"),
        (format!("{MUX} --live --serve 0 /nowhere /tmp"), "leave --record"),
    ] {
        number += 1;
        terminal.command(&format!("clear; {command}; echo end{number} $?"));
        let screen = terminal.until(&format!("end{number} 2"));
        let joined = screen.replace('\n', "");
        assert!(joined.contains(says), "{command}: {screen}");
        assert_eq!(terminal.asked("#{alternate_on}"), "0");
    }
}

#[test]
fn records_are_shown_as_they_come() {
    let mut stream = Stream::new();
    let terminal = stream.shown("");
    terminal.until("waiting for the first record");
    stream.write(&(biolat(1, "vda", 7) + &biolat(1, "vdb", 250_000)));
    let screen = terminal.until("vdb");
    assert!(screen.contains("LIVE") && screen.contains("2026-11-21 00:00:01 UTC"), "{screen}");
    assert!(screen.contains("web1") && screen.contains("2 rows") && screen.contains("1.00 s"), "{screen}");
    // The greatest count first, large ones short.
    assert_eq!(names(&screen), ["vdb", "vda"], "{screen}");
    assert!(screen.contains("250K") && screen.contains("977M"), "{screen}");
    stream.write(&(biolat(2, "vda", 9) + &biolat(2, "vdb", 3)));
    let screen = terminal.until("00:00:02");
    assert_eq!(names(&screen), ["vda", "vdb"], "{screen}");
    // The last two intervals of each row.
    assert!(rows(&screen)[0].trim_end().ends_with("▇█"), "{screen}");
    assert!(rows(&screen)[1].trim_end().ends_with("█▂"), "{screen}");
}

#[test]
fn a_strangers_text_obeys_nobody() {
    let mut stream = Stream::new();
    let terminal = stream.shown("");
    let odd = r#""comm":"\u001b[2Jclear\u202egpj","#;
    stream.write(&biolat(1, "日本語ディスク", 7).replace("\"op\"", &format!("{odd}\"op\"")));
    let screen = terminal.until("日本語");
    assert!(screen.contains("\\x1b[2J") && !screen.contains('\u{202e}'), "{screen}");
}

/// Whether a sequence sets a colour; 39 and 49 are none.
fn has_colours(screen: &str) -> bool {
    let sets = |number: &str| matches!(number.parse(), Ok(30..=38 | 40..=48 | 90..=107));
    let sequences = screen.split("\u{1b}[").skip(1).filter_map(|rest| rest.split_once('m'));
    sequences.flat_map(|(numbers, _)| numbers.split([';', ':'])).any(sets)
}

#[test]
fn without_colours_there_is_none() {
    let mut stream = Stream::new();
    let terminal = stream.shown("NO_COLOR=1");
    stream.write(&biolat(1, "vda", 7).replace("\"lost\":0", "\"lost\":5"));
    terminal.until("vda");
    terminal.press("h");
    terminal.until("buckets of all rows");
    assert!(!has_colours(&terminal.coloured()), "{:?}", terminal.coloured());
    drop(terminal);
    let terminal = stream.shown("");
    stream.write(&biolat(2, "vda", 7).replace("\"lost\":0", "\"lost\":5"));
    terminal.until("vda");
    assert!(has_colours(&terminal.coloured()));
}

#[test]
fn the_options_of_tables_are_heeded() {
    let line = biolat(1, "vda", 250_000).replace("\"lost\":0", "\"lost\":5");
    let shown = |environment: &str, options: &str| {
        let mut stream = Stream::new();
        let command = format!("{environment} {MUX} --live {options} {}", stream.path);
        let terminal = Terminal::running(80, 24, &command);
        stream.write(&line);
        let screen = terminal.until("vda");
        (stream, terminal, screen)
    };
    let (_stream, terminal, screen) = shown("TZ=America/New_York", "--color never");
    assert!(screen.contains("2026-11-20 19:00:01 EST") && screen.contains("250K"), "{screen}");
    assert!(!has_colours(&terminal.coloured()), "{:?}", terminal.coloured());
    let (mut stream, terminal, screen) =
        shown("TZ=America/New_York NO_COLOR=1", "--utc --exact --color always");
    assert!(screen.contains("2026-11-21 00:00:01 UTC") && screen.contains("250000"), "{screen}");
    assert!(has_colours(&terminal.coloured()), "{:?}", terminal.coloured());
    // Keys change what an option says, and times are typed as they are shown.
    terminal.press("x");
    terminal.until("250K");
    stream.write(&biolat(2, "vdb", 7));
    terminal.until("00:00:02");
    terminal.press("g");
    terminal.typed("00:00:01");
    terminal.press("Enter");
    terminal.until("00:00:01");
    terminal.until("PAUSED");
}

#[test]
fn a_screen_of_another_size_is_filled() {
    let mut stream = Stream::new();
    let terminal = stream.shown("");
    (0..60).for_each(|disk| stream.write(&biolat(1, &format!("disk{disk:02}"), 100 - disk)));
    let screen = terminal.until("disk18");
    assert!(!screen.contains("disk19") && screen.contains("?:help"), "{screen}");
    terminal.resize(120, 40);
    terminal.until("disk34");
    terminal.resize(40, 10);
    let screen =
        terminal.until_that("five rows", |screen| screen.contains("disk04") && !screen.contains("disk05"));
    assert!(screen.lines().all(|line| line.chars().count() <= 40), "{screen}");
    terminal.resize(10, 3);
    terminal.until("too small");
    terminal.resize(80, 24);
    terminal.until("disk18");
}

#[test]
fn what_is_said_on_stderr_has_a_place() {
    let terminal = Terminal::running(
        80,
        24,
        &format!(
            "{MUX} --live --run \"sh -c 'echo one problem >&2; echo not a record; sleep 600'\"; echo status $?"
        ),
    );
    terminal.until("line 1 is");
    terminal.press("m");
    terminal.until("one problem");
    terminal.press("m");
    terminal.until_without("one problem");
    terminal.press("q");
    // It is still there when the screen is gone.
    terminal.until("status");
    terminal.until("one problem");
}
