//! Bad input: five hundred broken lines among good ones, and a line without an end.

use test_support::streams::{Streams, record};

/// Peak memory while a line without an end is read: 16 MiB of it, twice while the buffer grows, and the program itself.
const MEMORY_KIB: u64 = 48 << 10;

fn good(n: usize) -> String {
    record(n as f64 / 100.0, "web", "t", &format!("\"n\":{n},\"name\":\"ü\""))
}

/// Lines that are not records, each with its line end.
fn broken() -> Vec<Vec<u8>> {
    let whole = good(1);
    let ts = &whole[..36];
    let with = |rest: &str| format!("{ts}{rest}\n").into_bytes();
    let mut lines: Vec<Vec<u8>> = Vec::new();
    // Truncated at every byte: one result is the beginning of another, and one splits the ü.
    lines.extend((1..whole.len() - 2).map(|end| [&whole.as_bytes()[..end], b"\n"].concat()));
    // Incomplete UTF-8 and invalid bytes, in many places.
    for at in (37..whole.len() - 12).step_by(3) {
        for bytes in [&b"\xc3"[..], b"\xff", b"\0", b"\x01"] {
            lines.push([&whole.as_bytes()[..at], bytes, &whole.as_bytes()[at..]].concat());
        }
    }
    // Invalid timestamps.
    for time in [
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00.000000Z",
        "9999-01-01T00:00:00.000000Z",
        "now",
        "",
        "2026-11-21",
        "1e999",
        "2026-11-21T25:00:00.000000Z",
        "2026-11-21T06:60:00.000000Z",
        "2026-11-21T06:00:61.000000Z",
        "-2026-11-21T06:00:00.000000Z",
    ] {
        lines.push(format!("{{\"ts\":\"{time}\",\"n\":1}}\n").into_bytes());
    }
    for value in ["1763700000", "null", "true", "[]", "{}", "1e999", "\"\\ud800\""] {
        lines.push(format!("{{\"ts\":{value},\"n\":1}}\n").into_bytes());
    }
    // Not an object, or without a timestamp.
    for line in [
        "{}",
        "[]",
        "null",
        "1",
        "\"ts\"",
        "{\"n\":1}",
        "ts,n",
        "1,2",
        "#",
        "{\"TS\":\"x\"}",
        "<xml/>",
        "}{",
        "{\"ts\"}",
        "{\"ts\":}",
        "{,}",
    ] {
        lines.push(format!("{line}\n").into_bytes());
    }
    // Deep nesting.
    for depth in [1, 100, 10_000, 200_000] {
        lines.push(with(&format!(",\"a\":{}", "[".repeat(depth))));
        lines.push(with(&format!(",\"a\":{}", "{\"a\":".repeat(depth))));
        lines.push(with(&format!(",\"a\":{}}}", "]".repeat(depth))));
    }
    // Two records in one line, and tokens that JSON does not have.
    for rest in [
        "}{\"a\":1}",
        ",\"a\":NaN}",
        ",\"a\":+1}",
        ",\"a\":01}",
        ",\"a\":'x'}",
        ",\"a\":1,}",
        ",\"a\" 1}",
        ",\"a\":\"\\x\"}",
        ",\"a\":\"\\u12\"}",
        ",\"a\":tru}",
        ",\"a\":- 1}",
        ",\"a\":.5}",
    ] {
        lines.push(with(rest));
    }
    let filler = (lines.len()..500).map(|n| format!("{ts},\"n\":{n}\"x\":{n}}}\n").into_bytes());
    lines.extend(filler.collect::<Vec<_>>());
    lines
}

/// The corpus, with a good line before each broken one, and one at the end.
fn corpus(broken: &[Vec<u8>]) -> (Vec<u8>, String) {
    let mut goods: Vec<String> = (0..=broken.len()).map(good).collect();
    // Records with numbers out of range are valid: their digits are passed on.
    goods[3] = goods[3].replace("\"n\":3", "\"n\":99999999999999999999999999999999999999999999,\"m\":-1e999");
    let mut mixed = Vec::new();
    for (good, broken) in goods.iter().zip(broken) {
        mixed.extend_from_slice(good.as_bytes());
        mixed.extend_from_slice(broken);
    }
    mixed.extend_from_slice(goods[goods.len() - 1].as_bytes());
    (mixed, goods.concat())
}

#[test]
fn five_hundred_broken_lines() {
    let broken = broken();
    assert!(broken.len() >= 500, "{}", broken.len());
    let (mixed, goods) = corpus(&broken);
    let streams = Streams::default();
    streams.write("bad", &mixed).write("good", good(100_000));
    // Passed on, converted, in windows and recorded: every parser finds the same lines.
    let count = format!("bad: {} bad lines left out", broken.len());
    let output = streams.shell("ebpfmux bad good --where true");
    assert_eq!(output.status, Some(0));
    assert!(output.out == goods.clone() + &good(100_000), "good lines pass, and only those: {}", output.err);
    let reported: Vec<&str> = output.err.lines().collect();
    assert!(
        reported.len() == 2 && reported[0].contains("bad: line 2 ") && reported[1].ends_with(&count),
        "{}",
        output.err
    );
    let output = streams.shell("ebpfmux bad --record rec > /dev/null; ebpfmux rec");
    assert!(output.out == goods && output.err.contains(&count), "{}", output.err);
    for options in ["--window 3600", "--join=3600 --select t.count"] {
        let output = streams.shell(&format!("ebpfmux bad {options}"));
        assert!(output.err.contains(&count) || output.status == Some(2), "{options}: {}", output.err);
    }
    // Passed on unparsed: a line that only looks valid may pass, no good line is lost.
    let output = streams
        .shell("ebpfmux bad | grep -aFxvf - bad > lost; grep -aFxc -f <(ebpfmux bad --where true) lost");
    assert_eq!(output.out, "0\n", "{}", output.err);
    for options in ["", "--where true", "-o csv", "--lateness 5"] {
        let strict = streams.shell(&format!("ebpfmux --strict {options} bad > /dev/null"));
        assert_eq!((strict.status, strict.err.lines().count()), (Some(1), 1), "{options}: {}", strict.err);
        assert!(strict.err.starts_with("ebpfmux: bad:2: "), "{}", strict.err);
    }
}

#[test]
fn a_device_that_fails_is_named_and_stops_no_other_source() {
    let streams = Streams::default();
    streams.write("good", good(3));
    // The kernel answers with EIO: nothing is mapped at its beginning.
    let output = streams.shell("ebpfmux good /proc/self/mem");
    assert_eq!((output.status, output.out), (Some(1), good(3)), "{}", output.err);
    let said = "ebpfmux: cannot read /proc/self/mem: Input/output error";
    assert!(output.err.starts_with(said) && output.err.lines().count() == 1, "{}", output.err);
}

#[test]
fn each_source_is_reported_once() {
    let streams = Streams::default();
    streams.write("a", "x\n".repeat(300) + &good(1)).write("b", good(2) + &"y\n".repeat(200));
    let output = streams.shell("ebpfmux a b");
    assert_eq!(output.out, good(1) + &good(2));
    for reported in ["a: line 1 ", "a: 300 bad lines", "b: line 2 ", "b: 200 bad lines"] {
        assert_eq!(output.err.matches(reported).count(), 1, "{reported}: {}", output.err);
    }
    assert_eq!(output.err.lines().count(), 4);
}

#[test]
fn csv_that_breaks() {
    let row = |n: usize| good(n)[7..34].to_owned() + &format!(",web,t,{n}\n");
    let header = "ts,host,tool,n\n";
    let bad = [
        "ts,tool,n\n",
        "1,2\n",
        ",,,\n",
        "now,web,t,1\n",
        &row(1).replace(",t,", ",t,t,"),
        &row(1).replace("web", "\"we\"b,\""),
        "ts,host,tool,m\n",
        "\"unclosed\n",
    ];
    let streams = Streams::default();
    let mixed: String = bad.iter().enumerate().map(|(n, bad)| row(n) + bad).collect();
    let (eighth, ninth) = (row(8), row(9));
    let bytes = [
        header.as_bytes(),
        mixed.as_bytes(),
        eighth.as_bytes(),
        b"2026-11-21T06:00:00.1Z,\xff,t,1\n",
        b"2026-11-21T06:00:00.1Z,\0,t,1\n",
        ninth.as_bytes(),
    ];
    streams.write("bad.csv", bytes.concat());
    let output = streams.shell("ebpfmux -o csv bad.csv");
    let goods: String = (0..10).map(row).collect();
    assert_eq!(output.out, header.to_owned() + &goods, "{}", output.err);
    assert!(output.err.contains("bad.csv: line 3 ") && output.err.contains("10 bad lines"), "{}", output.err);
    assert_eq!(streams.shell("ebpfmux --strict bad.csv").status, Some(1));
}

#[test]
fn a_line_without_an_end_takes_bounded_memory() {
    let streams = Streams::default();
    streams.write("good", good(1)).write("more", good(2) + "\n\n" + &good(3));
    // 100 MB of one line, then good ones; through a pipe and as a file; as JSON, as CSV, and compressed.
    streams
        .shell("(cat good; head -c 100000000 /dev/zero | tr '\\0' x; echo; cat more) > long; zstd -q1 long");
    streams.shell("(ebpfmux -o csv good; head -c 100000000 /dev/zero | tr '\\0' x; echo; ebpfmux -o csv more | tail -n +2) > long.csv");
    let goods = [good(1), good(2), good(3)].concat();
    for line in [
        "ebpfmux long",
        "cat long | ebpfmux -",
        "ebpfmux long --lateness 1 --where true",
        "ebpfmux long.zst",
        "ebpfmux long.csv",
    ] {
        let (first, rest) = line.split_at(line.find("ebpfmux").expect("it is there"));
        let output = streams.shell(&format!("{first}/usr/bin/time -f 'peak %M' {rest}"));
        assert_eq!(output.out, goods, "{line}: {}", output.err);
        let reported = output.err.lines().filter(|line| line.starts_with("ebpfmux:")).count();
        assert!(output.err.contains(" is longer than 16 MiB") && reported == 1, "{}", output.err);
        let peak = output.err.lines().find_map(|line| line.strip_prefix("peak ")?.parse::<u64>().ok());
        assert!(peak.is_some_and(|peak| peak <= MEMORY_KIB), "{line}: {peak:?} KiB");
    }
    let strict = streams.shell("ebpfmux --strict long");
    assert!(strict.status == Some(1) && strict.err.contains("long:2: is longer"), "{}", strict.err);
}

/// What `/metrics` keeps of 100 000 names of fields, and of labels of 50 MB.
#[test]
fn odd_names_and_long_labels_take_bounded_memory() {
    let streams = Streams::default();
    let all = |count: usize, values: &dyn Fn(usize) -> String| -> String {
        (0..count).map(|n| record(1.0, "web", "t", &values(n))).collect()
    };
    streams.write("names", all(100_000, &|n| format!("\"name{n}\":{n}")));
    streams.write("keys", all(100_000, &|n| format!("\"name{n}\":\"a\",\"n\":1")));
    streams.write("labels", all(500, &|n| format!("\"name\":\"{n}{}\",\"n\":1", "x".repeat(100_000))));
    for file in ["names", "keys", "labels"] {
        let line = format!("/usr/bin/time -f 'peak %M' ebpfmux -q {file} --serve 0 > /dev/null");
        let output = streams.shell(&line);
        assert_eq!(output.status, Some(0), "{file}: {}", output.err);
        let peak = output.err.lines().find_map(|line| line.strip_prefix("peak ")?.parse::<u64>().ok());
        assert!(peak.is_some_and(|peak| peak <= MEMORY_KIB), "{file}: {peak:?} KiB");
    }
}
