//! `ebpfmux --where`, `--assert` and `--select`.

use test_support::streams::{Streams, record, ts};

/// Three seconds of two tools: the second is idle, the third slow.
fn streams() -> Streams {
    let biolat = |at: f64, keys: &str, p99: &str| {
        record(at, "web", "biolat", &format!(r#"{keys},"count":3,"p99_us":{p99}"#))
    };
    let vda = r#""disk":"vda","op":"read""#;
    let streams = Streams::default();
    streams
        .write(
            "a",
            biolat(1.0, vda, "100.5")
                + &biolat(2.0, r#""disk":null,"op":null"#, "null")
                + &biolat(3.0, vda, "7000"),
        )
        .write(
            "b",
            (1..=3)
                .map(|n| record(f64::from(n) - 0.5, "web", "proclife", &format!("\"forks\":{n}")))
                .collect::<String>(),
        );
    streams
}

#[test]
fn where_passes_lines_on_as_they_are() {
    let streams = streams();
    let of = |expression: &str| {
        streams.good(&format!("ebpfmux a b --where '{expression}' | jq -r '.ts[17:19] + .tool'"))
    };
    // For null, or a field of another tool, the expression is unknown.
    assert_eq!(of("biolat.p99_us > 1"), "01biolat\n03biolat\n");
    assert_eq!(of("!(biolat.p99_us > 1000)"), "01biolat\n");
    assert_eq!(of("biolat.p99_us == null || proclife.forks == 2"), "01proclife\n02biolat\n");
    assert_eq!(of("tool == \"proclife\" && forks >= 2"), "01proclife\n02proclife\n");
    assert_eq!(
        of("biolat.vda.read.p99_us > 1 || web.proclife.forks == 3"),
        "01biolat\n02proclife\n03biolat\n"
    );
    assert_eq!(streams.good("ebpfmux a b --where true"), streams.good("ebpfmux a b"));
    assert_eq!(streams.good("ebpfmux a --where 'biolat.p99_us > 1000'"), streams.good("tail -1 a"));
}

#[test]
fn an_assertion_that_does_not_hold_ends_with_5_and_the_record() {
    let streams = streams();
    let broken = streams.shell("ebpfmux a b --assert 'biolat.p99_us < 5000'");
    assert_eq!(broken.status, Some(5), "{}", broken.err);
    assert_eq!(broken.err.lines().count(), 1, "{}", broken.err);
    for part in ["'biolat.p99_us < 5000'", "p99_us is 7000", "host web", "vda, read", &ts(3.0)] {
        assert!(broken.err.contains(part), "{part}: {}", broken.err);
    }
    assert_eq!(broken.out, streams.good("ebpfmux a b"), "the record is printed, as the last");
    assert_eq!(
        streams.good("ebpfmux a b --assert 'biolat.p99_us < 9000' --assert 'proclife.forks > 0'"),
        broken.out
    );
    // A joined record has several tools, and the condition must hold for each key.
    for expression in
        ["biolat.p99_us < 5000", "biolat.vda.read.p99_us < 5000", "biolat.p99_us < proclife.forks * 1000"]
    {
        let joined = streams.shell(&format!("ebpfmux a b --join --assert '{expression}'"));
        assert_eq!((joined.status, joined.out.lines().count()), (Some(5), 3), "{expression}: {}", joined.err);
        assert!(joined.out.lines().last().expect("a line").contains("7000"), "{}", joined.out);
    }
    let csv = streams.shell("ebpfmux a -o csv --assert 'p99_us < 5000'");
    assert!(csv.status == Some(5) && csv.out.ends_with(",7000,0\n"), "{}", csv.err);
    let killed = streams.shell("ebpfmux --run 'sh -c \"cat a; sleep 60\"' --assert 'biolat.p99_us < 5000'");
    assert_eq!(
        (killed.status, killed.out.lines().count()),
        (Some(5), 3),
        "the command is ended: {}",
        killed.err
    );
}

#[test]
fn a_misspelt_name_is_an_error() {
    let streams = streams();
    for (arguments, names) in [
        ("a b --assert 'biolat.p9_us < 5000'", "`biolat.p9_us` is not in a record of biolat"),
        ("a b --where 'biolta.p99_us < 5000'", "no record had a `biolta.p99_us`"),
        ("a b --where 'p99_us > 1'", "write TOOL.FIELD"),
        ("a --where 'p9_us > 1'", "it has ts, host"),
        ("a b --join --assert 'biolat.p9_us < 5000'", "`biolat.p9_us`"),
        ("a b --join --where 'biolat.vdb.read.p99_us > 1'", "no record had a `biolat.vdb.read.p99_us`"),
        ("a --select ts,p9_us", "`p9_us`"),
        ("a b --select ts,biolat.p99", "`biolat.p99`"),
        ("a --select biolta.p99_us", "no record had"),
        ("a --where 'p99_us <'", "column"),
        ("a --where 'tool < 5'", "no matching overload"),
        ("a --where 'count'", "double, not true or false"),
        ("a --where 'size(disk, 1) > 1'", "'size'"),
        ("a --assert 'startswith(disk, 1)'", "no function `startswith`"),
        ("a --select ''", "empty"),
        ("a b --where 'proclife.forks > 2' --select ts,biolat.p9_us", "no record had a `biolat.p9_us`"),
        ("a --where 'count > 9' --select ts,p9_us", "no record had a `p9_us`"),
    ] {
        let output = streams.shell(&format!("ebpfmux {arguments}"));
        assert_eq!((output.status, output.err.lines().count()), (Some(2), 1), "{arguments}: {}", output.err);
        assert!(output.err.contains(names), "{arguments}: {}", output.err);
    }
    let nothing = streams.shell("ebpfmux --assert 'a.b < 1' < /dev/null");
    assert!(nothing.status == Some(1) && nothing.err.contains("no record came"), "{}", nothing.err);
}

#[test]
fn select_keeps_fields_in_their_order() {
    let streams = streams();
    let first = |line: &str| streams.good(line).lines().next().expect("a line").to_owned();
    assert_eq!(first("ebpfmux a --select p99_us,disk"), r#"{"p99_us":100.5,"disk":"vda"}"#);
    assert_eq!(
        streams.good("ebpfmux a b --select biolat.p99_us,proclife.forks"),
        "{\"forks\":1}\n{\"p99_us\":100.5}\n{\"forks\":2}\n{\"p99_us\":null}\n{\"forks\":3}\n{\"p99_us\":7000}\n"
    );
    assert_eq!(
        streams.good("ebpfmux a b --join -o csv --select proclife.forks,biolat.vda.read.p99_us"),
        "proclife.forks,biolat.vda.read.p99_us\n1,100.5\n2,\n3,7000\n"
    );
    assert_eq!(
        streams.good("ebpfmux a -o csv | ebpfmux -o csv --where 'disk == \"vda\"' --select disk,p99_us"),
        "disk,p99_us\nvda,100.5\nvda,7000\n"
    );
    assert_eq!(streams.good("ebpfmux a --select ts --where 'count > 0' | head -1").lines().count(), 1);
    // All records with the field are filtered out, here or in the whole input.
    let held = |keep: &str| {
        streams.good(&format!("ebpfmux a b --where '{keep}' --select biolat.p99_us,proclife.forks"))
    };
    assert_eq!(held("proclife.forks > 2"), "{\"forks\":3}\n");
    assert_eq!(held("biolat.p99_us > 9000 || proclife.forks > 9"), "");
    assert_eq!(
        streams.good(
            "ebpfmux a b --join --where 'biolat.p99_us > 9000' --select proclife.forks,biolat.vda.read.p99_us"
        ),
        ""
    );
}
