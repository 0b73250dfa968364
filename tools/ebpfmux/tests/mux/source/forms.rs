//! Input in other forms than the tools', and numbers and times written in other ways.

use crate::support::*;

fn at(n: u64) -> String {
    record(n, "t", &format!("\"n\":{n}"))
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let csv = format!("ts,tool,n\n{},t,1\n", ts(1));
    for text in [at(1) + &at(2), csv] {
        let output = run_with(
            &format!("\u{feff}{text}"),
            &["-o", if text.starts_with("ts") { "csv" } else { "json" }],
        );
        assert_eq!((stdout(&output), stderr(&output)), (text.clone(), String::new()));
    }
}

#[test]
fn what_is_not_of_records_is_told_with_the_remedy() {
    let files = Files::new();
    let utf_16: Vec<u8> =
        ("\u{feff}".to_owned() + &at(1)).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let pretty = "{\n  \"ts\": \"2026-11-21T00:00:00.000001Z\",\n  \"n\": 1\n}\n";
    for (name, bytes, told) in [
        ("u", utf_16, "iconv -f UTF-16 -t UTF-8"),
        ("p", pretty.into(), "jq -c ."),
        ("a", format!("[{},{}]\n", at(1).trim(), at(2).trim()).into(), "jq -c '.[]'"),
        ("s", format!("ts;tool;n\n{};t;1\n", ts(1)).into(), "--ifs ';'"),
        ("t", format!("ts\ttool\tn\n{}\tt\t1\n", ts(1)).into(), "--itsv"),
        ("x", b"nonsense\n".to_vec(), "nothing in it is a record"),
    ] {
        let output = run(&[&files.write(name, bytes)]);
        let said = stderr(&output);
        assert_eq!((stdout(&output), output.status.code()), (String::new(), Some(1)), "{name}: {said}");
        assert!(said.contains(told) && said.contains(&format!("{name}: line 1 ")), "{name}: {said}");
        let last = said.lines().last().unwrap();
        assert!(last.contains("nothing in it is a record"), "{name}: {said}");
        let output = run(&["-q", &files.path(name)]);
        assert_eq!((stderr(&output).lines().count(), output.status.code()), (1, Some(1)), "{name}");
    }
    // What comes through a pipe is not decompressed.
    let output = mux(&["--run", "printf '\\x1f\\x8b\\x08\\x00\\n'"]).output().unwrap();
    assert!(stderr(&output).contains("gzip -dc"), "{}", stderr(&output));
    // One that is good among others does not hide the bad one.
    let output = run(&[&files.path("x"), &files.write("good", at(1))]);
    assert_eq!((stdout(&output), output.status.code()), (at(1), Some(1)));
}

#[test]
fn times_are_cut_to_nanoseconds_and_have_a_range() {
    let fine = at(1).replace("000001Z", "000001000999Z");
    let finer = at(1).replace("000001Z", "0000010010009999999+00:00");
    let far = at(1).replace("2026", "2300");
    let output = run_with(&(finer.clone() + &far + &fine), &["--lateness", "1"]);
    assert_eq!(stdout(&output), fine + &finer, "{}", stderr(&output));
    assert!(stderr(&output).contains("`ts` that is out of range"), "{}", stderr(&output));
}

#[test]
fn an_interval_is_a_number_of_seconds() {
    let good = at(1);
    let bad = at(2).replace("1.000012", "1e400");
    for args in [&["--window", "10"][..], &["-o", "csv"], &["--join"], &["--strict"]] {
        let output = run_with(&(good.clone() + &bad), args);
        assert!(
            stderr(&output).contains("`interval_s` that is out of range"),
            "{args:?}: {}",
            stderr(&output)
        );
        assert_eq!(output.status.code(), Some(i32::from(args == ["--strict"])), "{args:?}");
    }
    // What overflows when it is added up is not known: null, and an empty cell.
    let large = biolat(3, "1e308", "1e308");
    let text = large.clone() + &large.replace("000003Z", "000004Z");
    let json = stdout(&run_with(&text, &["--window", "10"]));
    let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(parsed["interval_s"].is_null() && parsed["mean_us"].is_null(), "{json}");
    let csv = stdout(&run_with(&text, &["--window", "10", "-o", "csv"]));
    assert!(!csv.contains("null") && csv.contains(",,"), "{csv}");
}

fn biolat(micros: u64, interval: &str, mean: &str) -> String {
    record(micros, "biolat", &format!(r#""disk":"vda","op":"read","count":3,"mean_us":{mean}"#))
        .replace("1.000012", interval)
}

#[test]
fn a_field_that_comes_twice_is_refused_if_that_is_asked_for() {
    let twice = record(1, "t", r#""n":1,"m":2,"n":3"#);
    assert_eq!(stdout(&run_with(&twice, &[])), twice);
    let output = run_with(&twice, &["--strict"]);
    assert_eq!((stdout(&output), output.status.code()), (String::new(), Some(1)));
    assert!(stderr(&output).contains("stdin:1: has `n` twice"), "{}", stderr(&output));
    let output = run_with(&format!("ts,n,n\n{},1,2\n", ts(1)), &["--strict"]);
    assert!(stderr(&output).contains("stdin:1: has `n` twice"), "{}", stderr(&output));
}

#[test]
fn text_that_looks_like_a_number_stays_text() {
    let header = "ts,host,tool,event,pid,tid,ppid,comm,path,argv,exit_code\n";
    let row = |tool: &str| format!("{},7,{tool},exec,12,12,1,7,1e400,123,0\n", ts(1));
    let output = run_with(&(header.to_owned() + &row("proclife")), &[]);
    let expected = format!(
        r#"{{"ts":"{}","host":"7","tool":"proclife","event":"exec","pid":12,"tid":12,"ppid":1,"comm":"7","path":"1e400","argv":"123","exit_code":0}}"#,
        ts(1)
    );
    assert_eq!(stdout(&output).trim(), expected, "{}", stderr(&output));
    // Of an unknown program nothing is declared but what all records have.
    let header = "ts,tool,comm,argv,ok\n";
    let output = run_with(&format!("{header}{},unknown,true,true,true\n", ts(1)), &[]);
    assert!(stdout(&output).contains(r#""comm":"true","argv":true,"ok":true"#), "{}", stdout(&output));
}

#[test]
fn a_whole_number_is_one_however_it_is_written() {
    let line = |micros: u64, count: &str, pid: &str| {
        record(
            micros,
            "biolat",
            &format!(r#""disk":"vda","op":"read","pid":{pid},"count":{count},"bytes":{count}"#),
        )
    };
    let text = line(1, "3", "7") + &line(2, "3.0", "7.0") + &line(3, "3e0", "70e-1");
    let window = stdout(&run_with(&text, &["--window", "10"]));
    assert!(window.lines().count() == 1 && window.contains(r#""count":9,"bytes":9"#), "{window}");
    let joined = stdout(&run_with(&text, &["--join"]));
    assert!(joined.contains(r#""biolat.vda.read.7.count":9,"biolat.vda.read.7.bytes":9"#), "{joined}");
    let output = run_with(&text, &["--assert", "biolat.vda.read['7'].count == 3", "--assert", "pid == 7"]);
    assert_eq!((stdout(&output), output.status.code()), (text, Some(0)), "{}", stderr(&output));
}

#[test]
fn an_expression_has_a_maximum_of_length_and_depth() {
    let brackets = |count: usize| format!("{}n == 1{}", "(".repeat(count), ")".repeat(count));
    let chain = |count: usize| vec!["n == 1"; count].join(" && ");
    for text in [brackets(50_000), brackets(2_050), chain(10_000), "!".repeat(50_000) + "true"] {
        let output = run_with(&at(1), &["--where", &text]);
        let said = stderr(&output);
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{text:.100}: {said}");
    }
    // As deep as that length allows.
    for text in [brackets(2_040), "!".repeat(4_000) + "true", "[".repeat(4_000)] {
        let output = run_with(&at(1), &["--where", &text]);
        assert!(matches!(output.status.code(), Some(0 | 2)), "{text:.100}: {output:?}");
    }
    assert_eq!(stdout(&run_with(&at(1), &["--where", &brackets(5)])), at(1));
}

#[test]
fn a_file_may_have_any_name() {
    use std::os::unix::ffi::OsStrExt;
    let files = Files::new();
    for name in [&b"a\xff"[..], b"a\nb", b"\x1b]0;x\x07", b" "] {
        let path = std::path::Path::new(&files.path(".")).join(std::ffi::OsStr::from_bytes(name));
        std::fs::write(&path, at(1) + "bad\n" + &at(2)).unwrap();
        let output = mux(&[]).arg(path).output().unwrap();
        assert_eq!((stdout(&output), output.status.code()), (at(1) + &at(2), Some(0)), "{name:?}");
        let said = stderr(&output);
        assert!(said.lines().count() == 1 && said.contains("line 2 "), "{said}");
        assert!(!said.trim_end().contains(char::is_control), "{said:?}");
    }
}
