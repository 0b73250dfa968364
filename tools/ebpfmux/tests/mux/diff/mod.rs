//! `ebpfmux diff`: what changed between two recordings; noise is not taken for change.

mod work;

use serde_json::Value;
use test_support::streams::{Streams, record};

use crate::support::objects;
use work::{USUAL, Work, at, recording};

/// The figures of a comparison.
fn figures(streams: &Streams, options: &str) -> Vec<Value> {
    objects(&streams.good(&format!("ebpfmux diff -q {options} -o json")))
}

fn changed(figures: &[Value]) -> Vec<String> {
    let changed = figures.iter().filter(|figure| figure["verdict"] == "changed");
    changed.map(|figure| format!("{} {} {}", figure["tool"], figure["key"], figure["figure"])).collect()
}

fn figure<'a>(figures: &'a [Value], tool: &str, op: &str, name: &str) -> &'a Value {
    let is = |figure: &&Value| {
        figure["tool"] == tool && figure["figure"] == name && (op.is_empty() || figure["key"]["op"] == op)
    };
    figures.iter().find(is).unwrap_or_else(|| panic!("no {name} of {tool}: {figures:?}"))
}

#[test]
fn over_twenty_pairs_of_the_same_work_no_change_is_claimed() {
    let streams = Streams::default();
    let (mut compared, mut apart) = (0, 0.0_f64);
    for pair in 0..20 {
        streams.write("before", recording(1000 + pair, 60, USUAL));
        streams.write("after", recording(2000 + pair, 60, USUAL));
        // The strictest limit: it would end with 5.
        let figures = figures(&streams, "before after --fail-above 0 --least 0");
        assert_eq!(changed(&figures), [""; 0], "pair {pair}");
        compared += figures.iter().filter(|figure| figure["verdict"] == "noise").count();
        let changes = figures.iter().filter_map(|figure| figure["change_percent"].as_f64());
        apart = changes.fold(apart, |most, change| most.max(change.abs()));
    }
    // They do differ.
    assert!(compared > 20 * 15 && apart > 20.0, "{compared} figures, at most {apart} %");
}

#[test]
fn a_delay_is_found_with_its_factor_and_bounds() {
    let streams = Streams::default();
    let slow = Work { delay_us: 2000.0, ..USUAL };
    streams.write("before", recording(1, 60, USUAL)).write("after", recording(2, 60, slow));
    let figures = figures(&streams, "before after");
    for (op, name) in [("read", "p50_us"), ("read", "mean_us"), ("write", "p50_us"), ("write", "mean_us")] {
        let figure = figure(&figures, "biolat", op, name);
        let [before, after, change, low, high, bound] =
            ["before", "after", "change_percent", "low_percent", "high_percent", "bound_percent"]
                .map(|field| figure[field].as_f64().unwrap_or_else(|| panic!("{field}: {figure}")));
        assert_eq!(figure["verdict"], "changed", "{figure}");
        assert!((change - (after / before - 1.0) * 100.0).abs() < 1e-6, "{figure}");
        // 2 ms more, but for what both vary by.
        assert!((1800.0..2300.0).contains(&(after - before)), "{figure}");
        assert!(low < change && change < high && low > 100.0, "{figure}");
        assert!(if name == "p50_us" { (1.0..7.0).contains(&bound) } else { bound == 0.0 }, "{figure}");
    }
    // What does not take longer has not changed.
    let others = changed(&figures).into_iter().filter(|name| !name.contains("_us")).collect::<Vec<_>>();
    assert_eq!(others, [""; 0]);
}

#[test]
fn a_change_above_the_limit_ends_with_5() {
    let streams = Streams::default();
    let slow = Work { delay_us: 2000.0, ..USUAL };
    streams.write("before", recording(1, 60, USUAL)).write("after", recording(2, 60, slow));
    let ends = |files: &str, limit: &str| {
        let output = streams.shell(&format!("ebpfmux diff {files} {limit} > /dev/null"));
        (output.status, output.err)
    };
    let (status, said) = ends("before after", "--fail-above 20%");
    assert_eq!(status, Some(5), "{said}");
    assert!(said.contains("--fail-above: biolat vda read mean_us: +") && said.contains(" more"), "{said}");
    assert_eq!(ends("before after", "--fail-above +20%").0, Some(5));
    assert_eq!(ends("before after", "--fail-above -20%"), (Some(0), String::new()));
    assert_eq!(ends("after before", "--fail-above -20%").0, Some(5));
    assert_eq!(ends("before after", "--fail-above 9000%"), (Some(0), String::new()));
    assert_eq!(
        ends("before after", "--where 'tool != \"biolat\"' --fail-above 20%"),
        (Some(0), String::new())
    );
    assert_eq!(ends("before after", "--fail-above much").0, Some(2));
}

/// Records that do not vary at all.
fn steady(seconds: u32, mean_us: f64, count: u64) -> String {
    let line = |second: u32| {
        let values = format!(r#""disk":"vda","op":"read","count":{count},"mean_us":{mean_us}"#);
        record(f64::from(second), "web1", "biolat", &values)
    };
    (1..=seconds).map(line).collect()
}

#[test]
fn a_small_change_is_told_as_such_and_too_few_intervals_tell_nothing() {
    let streams = Streams::default();
    streams.write("before", steady(40, 100.0, 50)).write("after", steady(40, 103.0, 50));
    let of = figures(&streams, "before after");
    assert_eq!(figure(&of, "biolat", "read", "mean_us")["verdict"], "small");
    assert_eq!(figure(&of, "biolat", "read", "count")["verdict"], "noise");
    let of = figures(&streams, "before after --least 1%");
    assert_eq!(figure(&of, "biolat", "read", "mean_us")["verdict"], "changed");
    // It did something in seven intervals only: what that took is known seven times.
    let rare = |mean_us: f64| -> String {
        let busy = steady(40, mean_us, 50);
        let idle = "\"disk\":null,\"op\":null,\"count\":0,\"mean_us\":null,\"lost\":0}\n";
        let line = |(at, line): (usize, &str)| match at % 6 {
            0 => format!("{line}\n"),
            _ => line[..line.find("\"disk\"").unwrap()].to_owned() + idle,
        };
        busy.lines().enumerate().map(line).collect()
    };
    streams.write("rare", rare(100.0)).write("rarer", rare(900.0));
    let of = figures(&streams, "rare rarer");
    assert_eq!(figure(&of, "biolat", "read", "mean_us")["verdict"], "too few");
    assert_eq!(figure(&of, "biolat", "read", "count")["verdict"], "noise");
    streams.write("few", steady(7, 900.0, 50));
    let output = streams.shell("ebpfmux diff before few -o json --fail-above 1%");
    assert_eq!(output.status, Some(0), "{}", output.err);
    assert!(output.err.contains("biolat: 40 and 7 intervals are too few to tell"), "{}", output.err);
    let of = objects(&output.out);
    assert_eq!(figure(&of, "biolat", "read", "mean_us")["verdict"], "too few");
}

#[test]
fn percentiles_within_a_bucket_of_each_other_are_not_apart() {
    let streams = Streams::default();
    let all = |upper: f64| -> String {
        let line = |second: u32| {
            let values =
                format!(r#""disk":"vda","op":"read","count":50,"p99_us":{upper},"buckets":[[{upper},50]]"#);
            record(f64::from(second), "web1", "biolat", &values)
        };
        (1..=40).map(line).collect()
    };
    // The buckets from 1.024 to 1.088, to 1.152, and to 1.216 us.
    streams.write("one", all(1.088)).write("next", all(1.152)).write("third", all(1.216));
    let of = |files: &str| figures(&streams, &format!("{files} --least 0"));
    let verdict = |files: &str| figure(&of(files), "biolat", "read", "p99_us")["verdict"].clone();
    assert_eq!(
        [verdict("one next"), verdict("next one"), verdict("one third")],
        ["small", "small", "changed"]
    );
}

#[test]
fn the_same_files_give_the_same_answer() {
    let streams = Streams::default();
    streams.write("before", recording(1, 60, USUAL)).write("after", recording(2, 60, USUAL));
    let line = "ebpfmux diff -q before after -o json";
    assert_eq!(streams.good(line), streams.good(line));
    // A recording of the same, and CSV of one tool.
    streams.good("ebpfmux -q before --record rec > /dev/null; ebpfmux --where 'tool == \"proclife\"' -o csv before > csv");
    assert_eq!(streams.good("ebpfmux diff -q rec after -o json"), streams.good(line));
    let only = "--where 'tool == \"proclife\"' -o json";
    let csv = streams.good(&format!("ebpfmux diff -q csv after {only}"));
    assert_eq!(csv, streams.good(&format!("ebpfmux diff -q before after {only}")));
    let piped = streams.good("ebpfmux diff -q - after -o json < before");
    assert_eq!(piped, streams.good(line));
}

#[test]
fn spans_keys_and_conditions_choose_what_is_compared() {
    let streams = Streams::default();
    let (quick, slow) = (recording(1, 60, USUAL), recording(2, 180, Work { delay_us: 2000.0, ..USUAL }));
    let later: Vec<&str> = slow.lines().filter(|line| line[7..34] > *at(60.0)).collect();
    streams.write("all", quick + &later.join("\n") + "\n");
    let [before, after] =
        [(1.0, 60.0), (100.0, 159.0)].map(|(from, to)| format!("--from {} --to {}", at(from), at(to)));
    let of = figures(&streams, &format!("all all {before} {after}"));
    let slower = figure(&of, "biolat", "read", "p50_us");
    assert_eq!((&slower["verdict"], &slower["after_intervals"]), (&"changed".into(), &60.into()));
    let both = figures(&streams, &format!("all all {before}"));
    assert!(both.iter().all(|figure| figure["before"] == figure["after"]), "one span is for both");

    let by = figures(&streams, &format!("all all {before} {after} --by disk --where 'tool == \"biolat\"'"));
    assert!(by.iter().all(|figure| figure["key"] == serde_json::json!({"disk": "vda"})), "{by:?}");
    let sum =
        |figures: &[Value], op: &str| figure(figures, "biolat", op, "count")["before"].as_f64().unwrap();
    assert!((sum(&by, "") - sum(&of, "read") - sum(&of, "write")).abs() < 1e-9);
    for (options, status, said) in [
        ("all all --by count", 2, "`count` is a value"),
        ("all all --by nosuch", 2, "no record had a `nosuch`"),
        ("all all --where 'nosuch > 1'", 2, "nosuch"),
        ("all nosuch", 2, "cannot read nosuch"),
        ("all", 2, "AFTER"),
        ("all all --from x", 2, "--from: 'x' is no time"),
        ("all all --from 1 --from 2 --from 3", 2, "--from is given 3 times"),
    ] {
        let output = streams.shell(&format!("ebpfmux diff {options}"));
        assert_eq!(output.status, Some(status), "{options}: {}", output.err);
        assert!(output.err.contains(said) && output.err.lines().count() == 1, "{options}: {}", output.err);
    }
}

#[test]
fn what_is_not_compared_and_what_was_lost_is_told() {
    let streams = Streams::default();
    let event = "{\"ts\":\"2026-11-21T06:00:01.000000Z\",\"host\":\"web1\",\"tool\":\"syncsnoop\",\"call\":\"sync\"}\n";
    streams.write("before", steady(20, 100.0, 50).replacen("\"lost\":0", "\"lost\":17", 1) + event);
    streams.write(
        "after",
        steady(20, 100.0, 50)
            + &recording(1, 20, USUAL)
                .lines()
                .filter(|line| line.contains("proclife"))
                .map(|line| format!("{line}\n"))
                .collect::<String>(),
    );
    let output = streams.shell("ebpfmux diff before after -o table");
    assert_eq!(output.status, Some(0), "{}", output.err);
    for said in ["before: 1 records of events are left out", "proclife is only in after: it is not compared"]
    {
        assert!(output.err.contains(said), "{said}: {}", output.err);
    }
    assert!(
        output.out.contains("biolat: 20 intervals in 20 s, then 20 intervals in 20 s; lost 17, then 0"),
        "{}",
        output.out
    );
    streams.write("events", event);
    let output = streams.shell("ebpfmux diff before events");
    assert!(output.status == Some(1) && output.err.contains("there are only events"), "{}", output.err);
    streams.write(
        "proc",
        recording(1, 20, USUAL)
            .lines()
            .filter(|line| line.contains("proclife"))
            .map(|line| format!("{line}\n"))
            .collect::<String>(),
    );
    let output = streams.shell("ebpfmux diff proc before");
    assert!(output.status == Some(1) && output.err.contains("no tool in common"), "{}", output.err);
}

#[test]
fn a_key_that_one_side_lacks_counts_as_nothing_there() {
    let streams = Streams::default();
    let before = steady(40, 100.0, 50);
    let both = |line: &str| format!("{line}\n{}\n", line.replace("vda", "<vdb>|x"));
    streams.write("before", &before).write("after", before.lines().map(both).collect::<String>());
    let of = figures(&streams, "before after --by disk");
    let new: Vec<_> = of.iter().filter(|figure| figure["key"]["disk"] == "<vdb>|x").collect();
    assert_eq!(
        (&new[0]["before"], &new[0]["after"], &new[0]["verdict"]),
        (&0.0.into(), &50.0.into(), &"changed".into())
    );
    assert!(new[0]["change_percent"].is_null());
    let output = streams.shell("ebpfmux diff before after -o md --fail-above 20%");
    assert_eq!(output.status, Some(5));
    assert!(
        output.out.contains("| &lt;vdb>\\|x read | count/s | 0 | 50.0 | new |  | **changed** |"),
        "{}",
        output.out
    );
}

#[test]
fn tables_have_80_columns() {
    let streams = Streams::default();
    let slow = Work { delay_us: 2000.0, requests: 9e3, ..USUAL };
    streams.write("before", recording(1, 40, USUAL)).write("after", recording(2, 40, slow));
    for shape in ["table", "wide"] {
        let table = streams.good(&format!("ebpfmux diff before after -o {shape}"));
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        assert!(table.contains("vda read\n  count/s") && table.contains("changed\n"), "{table}");
    }
    let help = streams.good("ebpfmux diff --help");
    assert!(
        help.contains("Usage: ebpfmux diff [OPTIONS] <BEFORE> <AFTER>") && help.contains("Politis"),
        "{help}"
    );
    // A file of that name is one with its folder.
    streams.write("diff", steady(2, 1.0, 1));
    assert_eq!(streams.good("ebpfmux ./diff").lines().count(), 2);
}
