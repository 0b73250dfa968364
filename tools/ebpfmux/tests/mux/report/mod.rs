//! `ebpfmux report`: a page of a recording, in one file.

mod browser;
mod hour;

use test_support::streams::{Streams, record, ts};

/// A process that calls itself so.
const MARKUP: &str = "<script>alert(1)</script>&\\\"'";

fn biolat(second: u32, comm: &str, count: u64, lost: u64) -> String {
    let values = format!(
        r#""disk":"vda","op":"read","comm":"{comm}","count":{count},"bytes":{},"errors":0,"buckets":[[104.448,{count}]]"#,
        count * 4096
    );
    let line = record(f64::from(second), "web1", "biolat", &values);
    line.replace("\"lost\":0", &format!("\"lost\":{lost}"))
}

/// Forty seconds of which ten are missing.
fn recording() -> String {
    let seconds = (1..=20).chain(31..=40);
    let of = |second: u32| {
        let execs = record(f64::from(second), "web1", "proclife", "\"execs\":7,\"forks\":9,\"zombies\":1");
        biolat(second, MARKUP, 10, u64::from(second == 5)) + &biolat(second, "postgres", 30, 0) + &execs
    };
    seconds.map(of).collect()
}

/// The text of a page without its markup.
fn text(page: &str) -> String {
    let body = page.split_once("</style>").expect("a style").1;
    let mut text = String::new();
    for part in body.split('<') {
        text += part.split_once('>').map_or(part, |(_, behind)| behind);
        text.push(' ');
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_page_says_what_was_recorded_and_what_is_missing() {
    let streams = Streams::default();
    streams.write("rec", recording());
    let page = streams.good("ebpfmux report --utc rec");
    let text = text(&page);
    for said in [
        "web1 2026-11-21 06:00:01 UTC to 2026-11-21 06:00:40 UTC, of web1.",
        "biolat web1 30 1.00 s 1 1 06:00:01 06:00:40",
        "90 records.",
        "10 s, from 06:00:20 to 06:00:30: biolat of web1, proclife of web1",
        "kernel unknown: the recording does not hold it",
        "count per second mean 40, most 40",
        "lost per second",
        "read latency 1200 104 µs",
        "vda postgres 75.0 % 900",
        "execs per second mean 7, most 7",
        "zombies mean 1, most 1",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

#[test]
fn the_page_loads_nothing_and_names_stay_text() {
    let streams = Streams::default();
    streams.write("rec", recording());
    let page = streams.good("ebpfmux report rec --title '<b>x</b>' --assert 'tool != \"<i>\"'");
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
    for markup in
        ["<script", "http://", "https://", "url(", "@import", " src=", "<link", "<b>", "<i>", "onload"]
    {
        assert!(!page.contains(markup), "{markup}");
    }
    assert!(page.contains("default-src 'none'") && page.contains("&lt;b&gt;x&lt;/b&gt;"));
    assert!(page.contains("vda &lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#39;"), "{page}");
}

#[test]
fn conditions_are_of_all_records_and_the_page_is_whole() {
    let streams = Streams::default();
    streams.write("rec", recording());
    let output =
        streams.shell("ebpfmux report rec --utc --assert 'biolat.count < 20' --assert 'proclife.execs == 7'");
    assert_eq!(output.status, Some(5), "{}", output.err);
    assert!(
        output.err.contains("--assert 'biolat.count < 20' does not hold for a record of biolat"),
        "{}",
        output.err
    );
    let text = text(&output.out);
    assert!(
        text.contains("biolat.count &lt; 20 broken by 30 of 90 records 2026-11-21 06:00:01 UTC"),
        "{text}"
    );
    assert!(text.contains("proclife.execs == 7 holds for 90 records"), "{text}");
    assert!(output.out.trim_end().ends_with("</html>"));
}

#[test]
fn what_was_checked_is_told() {
    let streams = Streams::default();
    let hook = r#"{"hook":"I/O <i>","rung":"tp_btf:x","kind":"tp_btf","optional":false,"bound":"no flushes","passed":[]}"#;
    let check = format!(
        "{{\"kernel\":\"6.18.0-test\",\"arch\":\"x86_64\",\"btf\":true,\"lockdown\":null}}\n\
         {{\"tool\":\"biolat\",\"works\":\"yes\",\"hooks\":[{hook}]}}\n{{\"tool\":\"fslat\",\"hooks\":[{hook}]}}\n"
    );
    streams.write("rec", recording()).write("check.json", check);
    let text = text(&streams.good("ebpfmux report rec --check check.json"));
    for said in ["kernel 6.18.0-test", "biolat I/O &lt;i&gt; tp_btf:x no flushes"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(!text.contains("fslat") && !text.contains("unknown"), "{text}");
}

#[test]
fn a_span_and_a_recording_are_read_as_elsewhere() {
    let streams = Streams::default();
    streams.write("rec.nd", recording());
    streams.good("ebpfmux -q rec.nd --record rec > /dev/null");
    assert_eq!(streams.good("ebpfmux report rec"), streams.good("ebpfmux report - < rec.nd"));
    let part =
        text(&streams.good(&format!("ebpfmux report rec --utc --from {} --to {}", ts(31.0), ts(35.0))));
    assert!(part.contains("biolat web1 5 1.00 s 0 0 06:00:31 06:00:35"), "{part}");
    for (options, status, said) in [
        ("nosuch", 2, "cannot read nosuch"),
        ("", 2, "FILE"),
        ("rec --where 'nosuch == 1'", 2, "nosuch"),
        ("rec --check nosuch", 2, "--check: nosuch: cannot be read"),
        ("rec --from 2030-01-01", 1, "no record of an interval"),
    ] {
        let output = streams.shell(&format!("ebpfmux report {options} > page"));
        assert_eq!(
            (output.status, output.err.contains(said)),
            (Some(status), true),
            "{options}: {}",
            output.err
        );
    }
}
