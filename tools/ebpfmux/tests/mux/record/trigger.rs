//! `ebpfmux --record --trigger`: only the minutes around trouble are recorded.

use std::fmt::Write;

use test_support::streams::{Streams, record, ts};

/// Records of two tools, ten a second, of this many seconds; `p99_us` of the first is 9000 at these seconds, else 100.
fn streams(seconds: u32, troubles: &[u32]) -> Streams {
    let streams = Streams::default();
    let (mut disks, mut calls) = (String::new(), String::from("ts,tool,interval_s,n\n"));
    for tenth in 0..seconds * 10 {
        let time = f64::from(tenth) / 10.0;
        let trouble = tenth.is_multiple_of(10) && troubles.contains(&(tenth / 10));
        let p99 = if trouble { 9000 } else { 100 };
        disks += &record(time, "h", "disks", &format!("\"n\":{tenth},\"p99_us\":{p99}"));
        writeln!(calls, "{},plain,0.1,{tenth}", ts(time)).expect("a line");
    }
    streams.write("disks", disks);
    streams.write("calls.csv", calls);
    streams
}

/// Whether a line's time is in one of these spans, in seconds.
fn is_in(line: &str, spans: &[(f64, f64)]) -> bool {
    let at = &line[7..34];
    spans.iter().any(|(from, to)| *ts(*from) <= *at && *at <= *ts(*to))
}

#[test]
fn what_is_around_trouble_is_recorded_and_no_more() {
    let streams = streams(1000, &[200, 230, 500, 990]);
    let merged = streams.good("ebpfmux -q disks calls.csv");
    let output = streams.shell("ebpfmux disks calls.csv --record rec --trigger 'disks.p99_us > 5000'");
    assert_eq!(output.status, Some(0), "{}", output.err);
    assert!(output.out == merged, "the output is that without it");
    let around = [(140.0, 290.0), (440.0, 560.0), (930.0, 1050.0)];
    let expected: Vec<_> = merged.lines().filter(|line| is_in(line, &around)).collect();
    // 150, 120 and 70 s of 20 records each, and those of the last moment.
    assert_eq!(expected.len(), 2 * (1501 + 1201 + 700));
    let kept = streams.good("ebpfmux -q rec");
    assert!(
        kept.lines().eq(expected.iter().copied()),
        "{} lines of {}",
        kept.lines().count(),
        expected.len()
    );
    let notes: Vec<_> = output.err.lines().collect();
    assert_eq!(notes.len(), 4, "{notes:?}");
    assert!(
        notes[0].contains("'disks.p99_us > 5000' holds for")
            && notes[0].contains("p99_us is 9000")
            && notes[0].matches(&ts(200.0)).count() == 1
            && notes[0].ends_with("; recorded is from 60 s before that to 60 s after"),
        "{}",
        notes[0]
    );
    assert!(notes[3].ends_with("recorded 3 times, 6804 of 20000 records"), "{}", notes[3]);
}

#[test]
fn other_lengths_and_several_triggers() {
    let streams = streams(100, &[50]);
    let merged = streams.good("ebpfmux -q disks calls.csv");
    for (options, spans) in [
        ("--trigger 'disks.p99_us > 5000' --before 2 --after 0.5", vec![(48.0, 50.5)]),
        ("--trigger 'disks.p99_us > 5000' --before 0 --after 0", vec![(50.0, 50.0)]),
        (
            "--trigger 'disks.p99_us > 5000' --trigger 'plain.n == 800' --before 1 --after 1",
            vec![(49.0, 51.0), (79.0, 81.0)],
        ),
        // Spans that touch are one.
        ("--trigger 'plain.n == 100 || plain.n == 125' --before 2 --after 1", vec![(8.0, 13.5)]),
        // What is written, joined or left out does not matter to it.
        (
            "--trigger 'disks.p99_us > 5000' --before 2 --after 0.5 --window 10 --where 'tool == \"plain\"'",
            vec![(48.0, 50.5)],
        ),
    ] {
        streams.good(&format!("rm -rf rec; ebpfmux -q disks calls.csv --record rec {options} > /dev/null"));
        let expected: Vec<_> = merged.lines().filter(|line| is_in(line, &spans)).collect();
        let kept = streams.good("ebpfmux -q rec");
        assert!(
            !expected.is_empty() && kept.lines().eq(expected.iter().copied()),
            "{options}: {} lines instead of {}",
            kept.lines().count(),
            expected.len()
        );
    }
}

/// A record of the span that comes late is in it, one of before it is not; after a step of the clock the new time counts.
#[test]
fn late_records_and_steps_of_the_clock() {
    let streams = Streams::default();
    let line = |second: f64, n: u32| record(second, "h", "t", &format!("\"n\":{n}"));
    let lines = [(10.0, 1), (20.0, 2), (30.0, 99), (25.0, 3), (5.0, 4), (33.0, 5), (36.0, 6), (34.0, 7)];
    let mut text: String = lines.iter().map(|(second, n)| line(*second, *n)).collect();
    // An hour later, and back again.
    text += &[(3600.0, 8), (3601.0, 99), (40.0, 9), (41.0, 99), (46.5, 10)]
        .map(|(second, n)| line(second, n))
        .concat();
    streams.write("t", text);
    streams.good("ebpfmux -q t --record rec --trigger 'n == 99' --before 10 --after 5 > /dev/null");
    let kept = streams.good("ebpfmux -q rec --select n -o csv");
    let mut kept: Vec<u32> = kept.lines().filter_map(|line| line.parse().ok()).collect();
    kept.sort_unstable();
    assert_eq!(kept, [2, 3, 5, 7, 8, 9, 99, 99, 99]);
}

/// A load of 100 000 records a second, of which two seconds are kept; and where they have no room.
#[test]
fn a_stream_of_very_many_records() {
    let streams = Streams::default();
    let (mut text, mut noise) = (String::new(), 1u64);
    for n in 0..600_000u32 {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text += &record(f64::from(n) / 100_000.0, "h", "t", &format!("\"n\":{n},\"x\":{noise}"));
    }
    streams.write("t", text);
    let run = "rm -rf rec; ebpfmux t --record rec --trigger 'n == 500000' --before 2 --after 0.5";
    let output = streams.shell(&format!("{run} > /dev/null"));
    assert_eq!(output.status, Some(0), "{}", output.err);
    let numbers = || -> Vec<u32> {
        let kept = streams.good("ebpfmux -q rec --select n -o csv");
        kept.lines().filter_map(|line| line.parse().ok()).collect()
    };
    assert!(numbers() == (300_000..=550_000).collect::<Vec<_>>());
    let output = streams.shell(&format!("{run} --before-memory 1 > /dev/null"));
    assert_eq!(output.status, Some(0), "{}", output.err);
    let kept = numbers();
    assert_eq!(kept.last(), Some(&550_000));
    assert!((300_001..500_000).contains(&kept[0]) && kept.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    let lost = output.err.lines().find(|line| line.contains("--before-memory")).expect("a note");
    let last = ts(f64::from(kept[0] - 1) / 100_000.0);
    assert!(lost.contains(&format!("records up to {last} are missing")), "{lost}");
}

#[test]
fn what_cannot_be_is_said() {
    let streams = streams(5, &[]);
    for (options, status, message) in [
        ("--trigger 'n > 1'", 2, "--record"),
        ("--record rec --before 5", 2, "--trigger"),
        ("--record rec --trigger 'n >'", 2, "--trigger 'n >'"),
        ("--record rec --trigger 'disks.nn > 1'", 2, "`disks.nn` is not in"),
        ("--record rec --trigger 'dusks.n > 1'", 2, "no record had a `dusks.n`"),
        ("--record rec --trigger 'disks.n < 0'", 0, "none of 50 records met it; nothing was recorded"),
    ] {
        let output = streams.shell(&format!("rm -rf rec; ebpfmux disks {options} > /dev/null"));
        assert_eq!(output.status, Some(status), "{options}: {}", output.err);
        assert!(output.err.contains(message), "{options}: {}", output.err);
        assert!(!output.err.contains("panicked"), "{}", output.err);
    }
    // An empty recording is one.
    let output = streams.shell("ebpfmux rec");
    assert_eq!((output.status, output.out.as_str()), (Some(0), ""), "{}", output.err);
}
