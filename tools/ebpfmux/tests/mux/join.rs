//! `--join`.

use serde_json::{Value, json};

use crate::support::*;

const SECOND: u64 = 1_000_000;

#[test]
fn a_window_holds_every_tool_and_key() {
    let files = Files::new();
    let biolat = files.write(
        "biolat",
        [
            record(SECOND, "biolat", r#""disk":"vda","op":"read","count":3,"p99_us":1.5"#),
            record(SECOND, "biolat", r#""disk":"vda","op":"write","count":4,"p99_us":null"#),
            record(2 * SECOND, "biolat", r#""disk":null,"op":null,"count":0,"p99_us":null"#),
        ]
        .concat(),
    );
    let proclife = files.write(
        "proclife",
        record(SECOND / 2, "proclife", r#""forks":7"#) + &record(SECOND * 3 / 2, "proclife", r#""forks":8"#),
    );
    let output = run(&["--join", &biolat, &proclife]);
    assert_eq!(stderr(&output), "");
    let expected = [
        json!({"ts": ts(SECOND), "host": "web1", "tool": "ebpfmux", "interval_s": 1.0,
            "proclife.forks": 7, "proclife.lost": 0,
            "biolat.vda.read.count": 3, "biolat.vda.read.p99_us": 1.5, "biolat.vda.read.lost": 0,
            "biolat.vda.write.count": 4, "biolat.vda.write.p99_us": null, "biolat.vda.write.lost": 0}),
        json!({"ts": ts(2 * SECOND), "host": "web1", "tool": "ebpfmux", "interval_s": 1.0,
            "proclife.forks": 8, "proclife.lost": 0,
            "biolat.count": 0, "biolat.p99_us": null, "biolat.lost": 0}),
    ];
    assert_eq!(objects(&stdout(&output)), expected);
    assert!(
        stdout(&output)
            .starts_with(&format!("{{\"ts\":\"{}\",\"host\":\"web1\",\"tool\":\"ebpfmux\",", ts(SECOND)))
    );
}

#[test]
fn counts_add_in_a_longer_window_and_hosts_are_separate() {
    let text: String = (1..=20)
        .map(|n| record(n * SECOND / 2, "biolat", &format!(r#""pid":7,"bytes":{n},"p50_us":{n}.5"#)))
        .collect();
    let joined = objects(&stdout(&run_with(&text, &["--join=10"])));
    assert_eq!(joined.len(), 1);
    assert_eq!((&joined[0]["biolat.7.bytes"], &joined[0]["biolat.7.p50_us"]), (&json!(210), &json!(20.5)));

    let two = record(1, "t", "\"n\":1") + &record(2, "t", "\"n\":2").replace("web1", "web2.lan");
    let joined = objects(&stdout(&run_with(&two, &["--join"])));
    assert_eq!((&joined[0]["web1.t.n"], &joined[0]["web2%2Elan.t.n"]), (&json!(1), &json!(2)));
    assert!(joined[0].get("host").is_none());
}

#[test]
fn a_record_of_a_past_window_is_not_lost() {
    let text = [1, 5, 2].map(|n| record(n * SECOND, "t", &format!("\"n\":{n}"))).concat();
    let output = run_with(&text, &["--join"]);
    let n: Vec<Value> = objects(&stdout(&output)).iter().map(|joined| joined["t.n"].clone()).collect();
    assert_eq!(n, [1, 2, 5]);
    assert!(stderr(&output).contains("1 late record passed on"));
}

#[test]
fn csv_has_the_columns_of_the_first_windows() {
    let at = |n: u64, tool| record(n * SECOND, tool, "\"n\":1");
    let text = at(1, "a") + &at(2, "a") + &at(2, "b") + &at(3, "a") + &at(4, "c") + &at(5, "b");
    let output = run_with(&text, &["--join", "-o", "csv"]);
    let head = |n: u64| format!("{},web1,ebpfmux,1.0", ts(n * SECOND));
    let expected = format!(
        "ts,host,tool,interval_s,a.n,a.lost,b.n,b.lost\n{},1,0,,\n{},1,0,1,0\n{},1,0,,\n{},,,,\n{},,,1,0\n",
        head(1),
        head(2),
        head(3),
        head(4),
        head(5)
    );
    assert_eq!(stdout(&output), expected);
    let messages = stderr(&output);
    assert!(messages.contains("`c.n` is new") && messages.contains("2 values left out"), "{messages}");
    // Fewer windows than are examined for the header.
    assert_eq!(lines(&stdout(&run_with(&at(1, "a"), &["--join", "-o", "csv"]))).len(), 2);
}
