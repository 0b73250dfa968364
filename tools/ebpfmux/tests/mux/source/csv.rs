//! CSV input, CSV output, and conversion to and from JSON.

use crate::support::*;

const HEADER: &str = "ts,host,tool,interval_s,comm,count,p99_us,lost\n";

fn row(micros: u64, rest: &str) -> String {
    format!("{},web1,proclife,1.000012,{rest},0\n", ts(micros))
}

fn json(micros: u64, rest: &str) -> String {
    record(micros, "proclife", rest)
}

#[test]
fn csv_goes_to_json_and_back() {
    let csv = HEADER.to_owned() + &row(1, "\"a,\"\"b\"\"\nc\",3,1.50") + &row(2, "007,18446744073709551615,");
    let expected = json(1, r#""comm":"a,\"b\"\nc","count":3,"p99_us":1.50"#)
        + &json(2, r#""comm":"007","count":18446744073709551615,"p99_us":null"#);
    let output = run_with(&csv, &[]);
    assert_eq!((stdout(&output), stderr(&output)), (expected.clone(), String::new()));
    let output = run_with(&expected, &["-o", "csv"]);
    assert_eq!((stdout(&output), stderr(&output)), (csv.clone(), String::new()));
    // The csv crate agrees about what a row is.
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(&reader.records().next().unwrap().unwrap()[4], "a,\"b\"\nc");
}

#[test]
fn mixed_forms_merge_by_time() {
    let files = Files::new();
    let csv = files.write("a.csv", HEADER.to_owned() + &row(1, "a,1,2.5") + &row(3, "c,3,"));
    let ndjson = files.write("b.ndjson", json(2, r#""comm":"b","count":2,"p99_us":null"#));
    let expected = [
        json(1, r#""comm":"a","count":1,"p99_us":2.5"#),
        json(2, r#""comm":"b","count":2,"p99_us":null"#),
        json(3, r#""comm":"c","count":3,"p99_us":null"#),
    ];
    assert_eq!(stdout(&run(&[&csv, &ndjson])), expected.concat());
    let rows = [row(1, "a,1,2.5"), row(2, "b,2,"), row(3, "c,3,")].concat();
    assert_eq!(stdout(&run(&["-o", "csv", &ndjson, &csv])), HEADER.to_owned() + &rows);
}

#[test]
fn csv_passes_byte_for_byte_under_one_header() {
    let files = Files::new();
    let odd = |text: String| text.replace('\n', "\r\n").replace("web1", "\"web1\"");
    let a = files.write("a", odd(HEADER.to_owned() + &row(1, "a,1,") + &row(3, "a,3,")));
    let b = files.write("b", odd(HEADER.to_owned() + &row(2, "b,2,") + HEADER + &row(4, "b,4,")));
    let expected =
        odd(HEADER.to_owned() + &row(1, "a,1,") + &row(2, "b,2,") + &row(3, "a,3,") + &row(4, "b,4,"));
    let output = run(&["-o", "csv", &a, &b]);
    assert_eq!((stdout(&output), stderr(&output)), (expected, String::new()));
}

#[test]
fn columns_in_another_order_are_put_right() {
    let files = Files::new();
    let a = files.write("a", format!("ts,x,y\n{},1,2\n", ts(1)));
    let b = files.write("b", format!("y,ts,x\n4,{},3\n", ts(2)));
    assert_eq!(stdout(&run(&["-o", "csv", &a, &b])), format!("ts,x,y\n{},1,2\n{},3,4\n", ts(1), ts(2)));
}

#[test]
fn tools_with_different_columns_are_refused_with_the_remedy() {
    let files = Files::new();
    let a = files.write("a", record(1, "biolat", "\"ios\":1"));
    let b = files.write("b", record(2, "proclife", "\"forks\":1"));
    let output = run(&["-o", "csv", &a, &b]);
    let messages = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{messages}");
    assert!(
        messages.lines().count() == 1 && messages.contains("`forks`") && messages.contains("--join"),
        "{messages}"
    );
    // Good records are not lost.
    assert!(stdout(&output).ends_with("biolat,1.000012,1,0\n"));

    let output = run_with(&record(1, "biolat", "\"buckets\":[[1,2]]"), &["-o", "csv"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("`buckets` has no CSV form"), "{}", stderr(&output));
}

#[test]
fn bad_rows_are_left_out() {
    let text = HEADER.to_owned()
        + &row(1, "a,1,")
        + "1,2,3\n"
        + &row(2, "\"torn,2,")
        + &row(3, "c,3,")
        + &row(4, "d,4,").replace("2026-11", "2026-13")
        + row(5, "e,5,").trim_end();
    for args in [&["-o", "csv"][..], &["-o", "csv", "--lateness", "1"]] {
        let output = run_with(&text, args);
        let good = HEADER.to_owned() + &row(1, "a,1,") + &row(3, "c,3,") + &row(5, "e,5,");
        assert_eq!(stdout(&output), good, "{}", stderr(&output));
        assert!(stderr(&output).contains("line 3 has 3 fields, the header 8"), "{}", stderr(&output));
        assert!(stderr(&output).contains("3 bad lines"), "{}", stderr(&output));
    }
    assert_eq!(run_with(&text, &["--strict"]).status.code(), Some(1));
}

#[test]
fn lines_that_only_look_whole_are_found_when_converted() {
    let torn = json(2, r#""comm":"b"count":2"#);
    let text = json(1, "\"a\":1") + &torn + &json(3, "\"a\":3");
    let output = run_with(&text, &["-o", "csv"]);
    assert_eq!(lines(&stdout(&output)).len(), 3);
    assert!(stderr(&output).contains("stdin: line 2 is not valid JSON"), "{}", stderr(&output));
}
