//! Tables as a person sees them: real terminals of several sizes that show recordings, compared with the screens of
//! `tests/screens`. `SCREENS=write` in the environment writes them anew; then look at them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use test_support::terminal::Terminal;

use crate::support::{Files, run, stdout};

/// Sizes of screens: the smallest that terminals have, and larger ones.
const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 50)];
/// What terminals here have, whatever runs the test.
const ENVIRONMENT: [(&str, &str); 4] =
    [("TZ", "UTC"), ("NO_COLOR", ""), ("TERM", "screen"), ("LC_ALL", "C.UTF-8")];

/// Tools with records that were made up, and with a file for each size.
const MADE_UP: [&str; 3] = ["biolat", "fslat", "proclife"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens")
}

/// Compares what is shown with the screen of this name.
fn compare(name: &str, shown: &str, wrong: &mut String) {
    let path = folder().join(name);
    if std::env::var_os("SCREENS").is_some_and(|word| word == "write") {
        fs::write(path, shown).unwrap();
    } else if fs::read_to_string(&path).ok().as_deref() != Some(shown) {
        write!(wrong, "{name}:\n{shown}\n").unwrap();
    }
}

/// 300 sockets' owners in one interval; one had an error.
fn crowd() -> String {
    (0_u64..300).fold(String::new(), |mut lines, i| {
        let (error, drops) = (u64::from(i == 291), if i % 3 == 0 { "0" } else { "null" });
        let proto = if i % 3 == 0 { "udp" } else { "tcp" };
        writeln!(
            lines,
            "{{\"ts\":\"2026-11-22T03:04:05.000000Z\",\"host\":\"vm\",\"tool\":\"inetstat\",\"interval_s\":1.0,\
             \"proto\":\"{proto}\",\"pid\":{},\"comm\":\"worker-{i:03}\",\"sends\":{},\"send_errors\":{error},\"tx_bytes\":{},\
             \"receives\":{},\"receive_errors\":0,\"rx_bytes\":{},\"would_block\":0,\"accepts\":0,\"connects\":{},\
             \"connect_errors\":0,\"resets_sent\":0,\"resets_received\":0,\"retransmits\":0,\"retransmit_bytes\":0,\
             \"drops\":{drops},\"lost\":0}}",
            1000 + i * 37,
            i * 7,
            i * i * i * 1000,
            i * 5,
            i * 4096,
            i % 2
        )
        .unwrap();
        lines
    })
}

/// What a terminal shows of a recording.
fn screen(recording: &str, options: &str, size: (u16, u16), env: &[(&str, &str)]) -> String {
    let command = format!("{} {options} {recording}", env!("CARGO_BIN_EXE_ebpfmux"));
    let env: Vec<_> = ENVIRONMENT.iter().chain(env).copied().collect();
    Terminal::running(&command, &folder(), size.0, size.1, &env).ended()
}

#[test]
fn tables_fit_the_screen() {
    let files = Files::new();
    let crowd = files.write("crowd.ndjson", crowd());
    let mut wrong = String::new();
    for (name, recording) in [
        ("biolat", "biolat.ndjson"),
        ("fslat", "fslat.ndjson"),
        ("proclife", "proclife.ndjson"),
        ("merged", "merged.ndjson"),
        ("crowd", crowd.as_str()),
    ] {
        for size in SIZES {
            let shown = screen(recording, "", size, &[]);
            let width = usize::from(size.0);
            assert!(shown.lines().all(|line| line.chars().count() <= width), "{name}: {shown}");
            compare(&format!("{name}-{}x{}.txt", size.0, size.1), &shown, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Records that each tool printed on real kernels, and its three screens one below the other.
#[test]
fn each_tool_fits_the_screen() {
    let mut wrong = String::new();
    let tools: BTreeSet<&str> = record::fields::tools().collect();
    for tool in &tools {
        let recording = format!("{tool}.ndjson");
        assert!(folder().join(&recording).is_file(), "{recording} is missing: real records of {tool}");
        // Those with files of their own have more than that to show.
        if MADE_UP.contains(tool) {
            continue;
        }
        let mut all = String::new();
        for (columns, rows) in SIZES {
            let shown = screen(&recording, "", (columns, rows), &[]);
            let fits = shown.lines().all(|line| line.chars().count() <= usize::from(columns));
            assert!(fits && shown.starts_with(&format!("{tool}\n")), "{tool}: {shown}");
            write!(all, "== {columns}x{rows}\n{shown}").unwrap();
        }
        compare(&format!("{tool}.txt"), &all, &mut wrong);
    }
    assert!(tools.len() >= 18 && wrong.is_empty(), "{wrong}");
}

#[test]
fn the_reader_chooses_zone_digits_and_columns() {
    let mut wrong = String::new();
    let new_york = [("TZ", "America/New_York")];
    for (name, recording, options, size, env) in [
        ("new-york", "merged.ndjson", "", (100, 40), &new_york[..]),
        ("utc", "biolat.ndjson", "--utc --exact", (80, 24), &new_york),
        ("wide", "biolat.ndjson", "-o wide", (250, 20), &[]),
        ("select", "biolat.ndjson", "--select ts,disk,op,queue_p999_us", (80, 24), &[]),
        ("narrow", "fslat.ndjson", "", (40, 24), &[]),
    ] {
        compare(&format!("{name}.txt"), &screen(recording, options, size, env), &mut wrong);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn colours_mean_something_and_can_be_refused() {
    let recording = folder().join("biolat.ndjson");
    let recording = recording.to_str().unwrap();
    let coloured = stdout(&run(&["--utc", "-o", "table", "--color", "always", recording]));
    let mut wrong = String::new();
    compare("colours.txt", &coloured, &mut wrong);
    assert!(wrong.is_empty(), "{wrong}");
    // Losses and errors are red.
    assert!(coloured.contains("\u{1b}[31m   12\u{1b}[0m"), "{coloured:?}");
    let plain = stdout(&run(&["--utc", "-o", "table", recording]));
    assert!(!plain.contains('\u{1b}'));
    let red = |env: &[(&str, &str)]| {
        let command = format!("{} biolat.ndjson", env!("CARGO_BIN_EXE_ebpfmux"));
        let terminal = Terminal::running(&command, &folder(), 80, 24, env);
        terminal.ended();
        terminal.coloured().contains("[31m")
    };
    assert!(red(&[("TERM", "screen"), ("NO_COLOR", "")]));
    assert!(!red(&[("TERM", "screen"), ("NO_COLOR", "1")]));
    assert!(!red(&[("TERM", "dumb"), ("NO_COLOR", "")]));
}

#[test]
fn another_size_is_heeded_at_once() {
    let files = Files::new();
    let fifo = files.path("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &*fifo, 0o600.into()).unwrap();
    let recording = fs::read_to_string(folder().join("biolat.ndjson")).unwrap();
    let lines: Vec<&str> = recording.split_inclusive('\n').collect();
    let command = format!("{} {fifo}", env!("CARGO_BIN_EXE_ebpfmux"));
    let terminal = Terminal::running(&command, &folder(), 120, 40, &ENVIRONMENT);
    let mut source = fs::OpenOptions::new().write(true).open(&fifo).unwrap();
    source.write_all(lines[..4].concat().as_bytes()).unwrap();
    let heading = |screen: &str| {
        screen.lines().rfind(|line| line.starts_with("time ")).map(str::to_owned).unwrap_or_default()
    };
    let before = heading(&terminal.shows("discard"));
    terminal.resize(60, 40);
    source.write_all(lines[4..8].concat().as_bytes()).unwrap();
    drop(source);
    let shown = terminal.ended();
    let after = heading(&shown);
    assert!(before.len() > 60 && (40..=60).contains(&after.len()), "{before}\n{shown}");
    // What was shown before is now of two lines each, by the terminal; what came then fits.
    let lines = shown.lines().skip_while(|line| *line != after);
    assert_eq!(
        lines.filter(|line| line.as_bytes().get(2) == Some(&b':') && line.len() <= 60).count(),
        4,
        "{shown}"
    );
}

/// Programs read pipes: they get one heading, and no line that a person needs.
#[test]
fn pipes_have_one_heading_and_all_that_matters() {
    let files = Files::new();
    let crowd = files.write("crowd.ndjson", crowd());
    let table = stdout(&run(&["--utc", "-o", "table", &crowd]));
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], "inetstat");
    assert_eq!(lines.iter().filter(|line| line.starts_with("time ")).count(), 1, "{table}");
    assert!(lines[2].starts_with("UTC ") && lines.len() == 300 + 4, "{} {}", lines.len(), lines[2]);
}
