//! Whatever the input, what is kept of it is bounded, and what is left out is counted.

use crate::support::*;

fn keyed(keys: u64) -> String {
    (0..keys).map(|key| record(1, "t", &format!(r#""name":"{key}","n":1"#))).collect()
}

#[test]
fn a_window_has_a_maximum_of_keys() {
    let input = keyed(50) + &keyed(50) + &record(20_000_000, "t", r#""name":"later","n":1"#);
    let output = run_with(&input, &["--window", "10", "--window-keys", "20"]);
    let records = objects(&stdout(&output));
    assert_eq!(
        (records.len(), &records[0]["name"], &records[20]["name"]),
        (21, &"0".into(), &"later".into())
    );
    let said = stderr(&output);
    assert!(said.contains("a window is full: see --window-keys"), "{said}");
    assert!(said.contains("60 records or values left out of full windows: see --window-keys"), "{said}");
    let output = run_with(&input, &["--window", "10", "--window-keys", "20", "-q"]);
    assert_eq!((stderr(&output).contains("full"), objects(&stdout(&output)).len()), (false, 21));
    assert!(!stderr(&run_with(&input, &["--window", "10"])).contains("--window-keys"));
}

#[test]
fn long_names_and_values_take_room_from_keys() {
    // Of 20 keys, each has room for 8 KiB.
    let long = |key: u64| record(1, "t", &format!(r#""name":"{key}{}","n":1"#, "x".repeat(30_000)));
    let input: String = (0..10).map(long).collect();
    let output = run_with(&input, &["--window", "10", "--window-keys", "20"]);
    assert_eq!(objects(&stdout(&output)).len(), 1);
    assert!(stderr(&output).contains("9 records or values left out"), "{}", stderr(&output));
    // A value that is replaced by a longer one, without end.
    let grows = |length: usize| record(1, "t", &format!(r#""list":["{}"]"#, "x".repeat(length * 20_000)));
    let input: String = (1..20).map(grows).collect();
    let output = run_with(&input, &["--window", "10", "--window-keys", "20"]);
    assert!(stdout(&output).len() < 200_000);
    assert!(stderr(&output).contains("11 records or values left out"), "{}", stderr(&output));
}

#[test]
fn a_joined_record_has_a_maximum_of_fields() {
    let output = run_with(&keyed(50), &["--join=10", "--join-fields", "30"]);
    let records = objects(&stdout(&output));
    // ts, host, tool and interval_s beside.
    assert_eq!((records.len(), records[0].as_object().unwrap().len()), (1, 34));
    let said = stderr(&output);
    assert!(said.contains("a window is full: see --join-fields"), "{said}");
    assert!(said.contains("70 records or values left out of full windows: see --join-fields"), "{said}");
    let long = record(1, "t", &format!(r#""name":"{}","n":1"#, "x".repeat(40_000)));
    let output = run_with(&(keyed(5) + &long), &["--join=10", "--join-fields", "30"]);
    assert_eq!(objects(&stdout(&output))[0].as_object().unwrap().len(), 14);
    assert!(stderr(&output).contains("2 records or values left out"), "{}", stderr(&output));
}
