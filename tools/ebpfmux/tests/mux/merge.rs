//! Merging files and stdin: order, completeness, and bad input.

use std::process::Stdio;

use crate::support::*;

/// Pseudo-random numbers, the same in each run.
fn numbers(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    })
}

fn stream(seed: u64, count: usize) -> String {
    let mut at = 0;
    let times = numbers(seed).take(count).map(|number| {
        at += number % 5_000;
        at
    });
    times
        .enumerate()
        .map(|(i, at)| record(at, "biolat", &format!(r#""disk":"vd{seed}","count":{i}"#)))
        .collect()
}

#[test]
fn many_files_come_out_in_order_and_complete() {
    let files = Files::new();
    let streams: Vec<String> = (1..=9).map(|seed| stream(seed, 3_000)).collect();
    let names: Vec<String> =
        streams.iter().enumerate().map(|(i, text)| files.write(&i.to_string(), text)).collect();
    let output = run(&names.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(output.status.code(), Some(0));
    // The merge is defined as a stable sort of all records by time; ties are in the order of
    // sources.
    let all = streams.concat();
    let mut expected = lines(&all);
    expected.sort_by_key(|line| &line[..34]);
    assert!(lines(&stdout(&output)) == expected);
    assert_eq!(stderr(&output), "");
}

#[test]
fn lines_pass_byte_for_byte() {
    let text = concat!(
        "{\"ts\":\"2026-11-21T00:00:01.000000Z\",\"a\" : 1.50,\"s\":\"\\u00e9 {x}\"}\n",
        "{ \"x\": [1, {}], \"ts\": \"2026-11-21T01:00:02.5+01:00\" }\r\n",
        "{\"ts\":\"2026-11-21T00:00:03.000000Z\",\"s\":\"é\"}\n",
        "{\"ts\":\"2026-11-21T00:00:03.000000001Z\"}\n",
    );
    for args in [&[][..], &["--strict"], &["-"], &["--lateness", "1"]] {
        let output = run_with(text, args);
        assert_eq!((stdout(&output).as_str(), stderr(&output).as_str()), (text, ""));
    }
}

#[test]
fn other_forms_of_time_are_put_in_order() {
    let files = Files::new();
    let a = files.write("a", "{\"ts\":\"2026-11-21T02:00:02+01:00\",\"n\":2}\n{\"ts\":\"2026-11-21T01:00:02.000000002Z\",\"n\":4}\n");
    let b = files.write("b", "{\"n\":1,\"ts\":\"2026-11-21T01:00:01.000000Z\"}\n{\"n\":3,\"ts\":\"2026-11-21T01:00:02.000000001Z\"}\n");
    let output = run(&[&a, &b]);
    let n: Vec<_> = stdout(&output)
        .lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["n"].clone())
        .collect();
    assert_eq!(n, [1, 2, 3, 4]);
}

#[test]
fn a_last_line_without_its_end_is_good_if_whole() {
    let files = Files::new();
    let (first, second) = (record(1, "t", "\"n\":1"), record(2, "t", "\"n\":2"));
    let whole = files.write("whole", first.clone() + second.trim_end());
    let output = run(&[&whole]);
    assert_eq!((stdout(&output), stderr(&output)), (first.clone() + &second, String::new()));

    let cut = files.write("cut", first.clone() + &second[..second.len() - 5]);
    let output = run(&[&cut]);
    assert_eq!((stdout(&output), output.status.code()), (first, Some(0)));
    assert!(stderr(&output).contains(&format!("{cut}: line 2 is cut short")), "{}", stderr(&output));
}

#[test]
fn an_empty_file_is_no_matter() {
    let files = Files::new();
    let (empty, full) = (files.write("empty", ""), files.write("full", record(1, "t", "\"n\":1")));
    let output = run(&[&empty, &full]);
    assert_eq!((stdout(&output), stderr(&output)), (record(1, "t", "\"n\":1"), String::new()));
    assert!(stderr(&run(&["-v", &empty])).contains("is empty"));
    let output = run(&[&empty]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), String::new()));
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_merged() {
    let files = Files::new();
    let good = files.write("good", record(1, "t", "\"n\":1"));
    let (missing, directory) = (files.path("missing"), files.path("."));
    let output = run(&[&missing, &good, &directory]);
    assert_eq!((stdout(&output), output.status.code()), (record(1, "t", "\"n\":1"), Some(2)));
    let messages = stderr(&output);
    assert_eq!(messages.lines().count(), 2, "{messages}");
    assert!(messages.contains(&format!("ebpfmux: cannot read {missing}: No such file")), "{messages}");
    assert!(messages.contains(&format!("ebpfmux: cannot read {directory}: Is a directory")), "{messages}");
}

#[test]
fn bad_lines_are_left_out_counted_and_named_once() {
    let good: Vec<String> = (1..=3).map(|n| record(n, "t", &format!("\"n\":{n}"))).collect();
    let cut = &good[0][..60];
    let bad: Vec<Vec<u8>> = vec![
        b"not a record\n".to_vec(),
        // Lines of two writers, mixed.
        format!("{cut}{}", good[1]).into_bytes(),
        format!("{cut}\n").into_bytes(),
        format!("{}}}\n", good[1].trim_end()).into_bytes(),
        good[1].replace("web1", "we\0b").into_bytes(),
        good[1].replace("web1", "we\u{7}b").into_bytes(),
        [&good[1].as_bytes()[..40], b"\xff", &good[1].as_bytes()[40..]].concat(),
        good[1].replace("2026-11", "2026-13").into_bytes(),
        good[1].replace("\"ts\"", "\"tz\"").into_bytes(),
        b"[1]\n".to_vec(),
        b"{\"ts\":5}\n".to_vec(),
    ];
    let files = Files::new();
    for bad in &bad {
        let text = [good[0].as_bytes(), b"\n", bad, good[1].as_bytes(), bad, good[2].as_bytes()].concat();
        let file = files.write("f", &text);
        for args in [&[&*file][..], &["--lateness", "1", &file]] {
            let output = run(args);
            let messages = stderr(&output);
            assert_eq!((stdout(&output), output.status.code()), (good.concat(), Some(0)), "{messages}");
            assert_eq!(messages.lines().count(), 2, "{messages}");
            assert!(messages.starts_with(&format!("ebpfmux: {file}: line 3 ")), "{messages}");
            assert!(messages.ends_with(&format!("ebpfmux: {file}: 2 bad lines left out\n")), "{messages}");
        }
        let output = run(&["--strict", &file]);
        assert_eq!((stdout(&output), output.status.code()), (good[0].clone(), Some(1)));
        assert!(stderr(&output).starts_with(&format!("ebpfmux: {file}:3: ")), "{}", stderr(&output));
        assert_eq!(stderr(&output).lines().count(), 1);
        assert_eq!(stderr(&run(&["-q", &file])), "");
    }
}

#[test]
fn a_line_beyond_all_bounds_is_left_out() {
    let files = Files::new();
    let (first, last) = (record(1, "t", "\"n\":1"), record(2, "t", "\"n\":2"));
    let long = |bytes: usize| record(1, "t", &format!("\"x\":\"{}\"", "y".repeat(bytes)));
    let big = long(15 << 20);
    let file = files.write("f", [&first, &long(40 << 20), &big, &last].map(String::as_str).concat());
    let output = run(&[&file]);
    assert!(stdout(&output) == [&first, &big, &last].map(String::as_str).concat());
    assert!(stderr(&output).contains("line 2 is longer than 16 MiB"), "{}", stderr(&output));
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
}

#[test]
fn late_records_are_put_in_order_within_the_lateness_and_counted_beyond() {
    let files = Files::new();
    let at = |ms: u64| record(ms * 1000, "t", &format!("\"n\":{ms}"));
    let text: String = [1000, 3000, 2000, 9000, 5000, 9500].map(at).concat();
    let file = files.write("f", &text);
    let output = run(&[&file]);
    assert_eq!(stdout(&output), text);
    assert!(
        stderr(&output).contains("2 late records passed on out of order, late by up to 4 s"),
        "{}",
        stderr(&output)
    );

    let output = run(&["--lateness", "1", &file]);
    assert_eq!(stdout(&output), [1000, 2000, 3000, 5000, 9000, 9500].map(at).concat());
    // 5000 is later than the lateness allows, but no younger record has been passed on yet.
    assert_eq!(stderr(&output), "");

    let text: String = [1000, 9000, 12_000, 5000, 13_000].map(at).concat();
    let output = run(&["--lateness", "1", &files.write("g", &text)]);
    // Records are held no longer than the lateness requires, so it is passed on when it comes.
    assert_eq!(stdout(&output), [1000, 9000, 5000, 12_000, 13_000].map(at).concat());
    assert!(
        stderr(&output).contains("1 late record passed on out of order, late by up to 4 s"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let files = Files::new();
    let file = files.write("f", stream(1, 50_000));
    let mut child = mux(&[&file, &file]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
}

#[test]
fn wrong_usage_is_one_line() {
    for args in [
        &["--nonsense"][..],
        &["-o", "xml"],
        &["--wait", "x"],
        &["-", "-"],
        &["--run", "'"],
        &["--run", ""],
        &["--lateness=-1"],
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let messages = stderr(&output);
        assert!(messages.starts_with("ebpfmux: ") && messages.lines().count() == 1, "{messages}");
    }
    for args in ["--help", "-h", "--version"] {
        assert_eq!(run(&[args]).status.code(), Some(0));
    }
    assert!(stdout(&run(&["--help"])).contains("Examples:"));
}
