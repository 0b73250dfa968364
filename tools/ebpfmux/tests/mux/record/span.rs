//! `--from` and `--to`: the same records as a search through all, of a recording without reading all of it.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use test_support::streams::{Streams, record, ts};

/// Records a tenth of a second apart, whose text does not compress.
fn streams(records: u64) -> Streams {
    let streams = Streams::default();
    let mut seed = 7u64;
    let mut noise = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{seed:016x}")
    };
    let lines: String = (0..records)
        .map(|n| {
            let text: String = (0..16).map(|_| noise()).collect();
            record(n as f64 / 10.0, "web1", "t", &format!("\"n\":{n},\"x\":\"{text}\""))
        })
        .collect();
    streams.write("all", lines);
    streams
}

/// The lines of this text from one of these times, in seconds, to the other.
fn between(text: &str, from: Option<f64>, to: Option<f64>) -> String {
    let stamp = |line: &str| line[7..34].to_owned();
    let within = |line: &&str| {
        from.is_none_or(|from| stamp(line) >= ts(from)) && to.is_none_or(|to| stamp(line) <= ts(to))
    };
    text.split_inclusive('\n').filter(within).collect()
}

fn options(from: Option<f64>, to: Option<f64>) -> String {
    let option =
        |name: &str, time: Option<f64>| time.map_or(String::new(), |time| format!(" --{name} {}", ts(time)));
    option("from", from) + &option("to", to)
}

#[test]
fn a_span_has_the_lines_of_a_full_search() {
    let streams = streams(40_000);
    streams.good("ebpfmux -q all --record rec --record-size 2 > /dev/null; gzip -k all");
    let files = fs::read_dir(streams.path("rec")).expect("a recording").count();
    assert!(files > 2, "{files} files");
    let all = streams.good("cat all");
    for (from, to) in [
        (Some(0.0), Some(0.0)),
        (Some(1234.5), Some(1300.0)),
        (Some(1234.56), Some(1234.57)),
        (Some(3999.9), None),
        (None, Some(3.0)),
        (Some(2000.0), None),
        (Some(9999.0), None),
        (None, None),
    ] {
        let (span, expected) = (options(from, to), between(&all, from, to));
        for source in ["rec", "all", "all.gz", "- < all", "rec/00000002.ndjson.zst rec/00000001.ndjson.zst"] {
            let whole = if source.starts_with("rec/") {
                streams.good(&format!("ebpfmux -q {source}"))
            } else {
                all.clone()
            };
            let expected =
                if source.starts_with("rec/") { between(&whole, from, to) } else { expected.clone() };
            let output = streams.shell(&format!("ebpfmux -q{span} {source}"));
            assert_eq!((output.status, output.err.as_str()), (Some(0), ""), "{span} {source}");
            assert!(output.out == expected, "{span} {source}: {} lines", output.out.lines().count());
        }
    }
    // What combines records gets those of the span.
    let sum =
        streams.good(&format!("ebpfmux -q{} --where 't.n >= 1990' rec", options(Some(100.0), Some(200.0))));
    assert_eq!(sum.lines().count(), 11);
}

/// What comes before is not read: damage there is not found, and damage within is told.
#[test]
fn what_is_earlier_is_not_read() {
    let streams = streams(40_000);
    streams.good("ebpfmux -q all --record rec --record-size 2 > /dev/null");
    let all = streams.good("cat all");
    let damage = |file: &str, at: u64| {
        let file = OpenOptions::new().write(true).open(streams.path(file)).expect("a file");
        file.write_all_at(&[0x55; 64], at).expect("it is written");
    };
    damage("rec/00000001.ndjson.zst", 700_000);
    let (from, to) = (Some(3600.0), Some(3700.0));
    let output = streams.shell(&format!("ebpfmux{} rec", options(from, to)));
    assert_eq!((output.status, output.err.as_str()), (Some(0), ""));
    assert!(output.out == between(&all, from, to));
    let output = streams.shell("ebpfmux rec | wc -l");
    assert!(output.err.contains("00000001.ndjson.zst is damaged at byte"), "{}", output.err);
    // A damaged frame within: all other lines are there.
    let output = streams.shell(&format!("ebpfmux{} rec", options(Some(1.0), Some(3999.0))));
    let (found, expected) =
        (output.out.lines().count(), between(&all, Some(1.0), Some(3999.0)).lines().count());
    assert!(
        output.status == Some(1) && found < expected && found > expected - 5_000,
        "{found} of {expected}"
    );
    assert!(output.err.contains("is damaged at byte"), "{}", output.err);
    // Its writer was killed.
    let last = streams.good("ls rec | tail -1");
    let path = streams.path(&format!("rec/{}", last.trim()));
    let size = fs::metadata(&path).expect("a file").len();
    OpenOptions::new().write(true).open(&path).expect("a file").set_len(size - 100).expect("it is cut");
    let output = streams.shell(&format!("ebpfmux{} rec", options(from, to)));
    assert!(output.out == between(&all, from, to), "{}", output.err);
}

#[test]
fn times_that_are_none_are_refused() {
    let streams = Streams::default();
    for (options, said) in [
        ("--from soon", "--from: 'soon' is no time"),
        ("--to 25:00", "--to: '25:00' is no time"),
        ("--from 2026-11-21T07:00:00Z --to 2026-11-21T06:00:00Z", "--to is before --from"),
    ] {
        let output = streams.shell(&format!("ebpfmux {options} < /dev/null"));
        assert!(output.status == Some(2) && output.err.contains(said), "{options}: {}", output.err);
        assert_eq!(output.err.lines().count(), 1, "{}", output.err);
    }
    // Seen from now, and with the reader's own clock.
    let line = r#"echo "{\"ts\":\"$(date -u -d '-2 minutes' +%FT%T.000000Z)\",\"n\":1}""#;
    for (options, count) in
        [("--from -5m", 1), ("--from -1m", 0), ("--to -1m", 1), ("--from '2026-01-01 00:00'", 1)]
    {
        let lines = streams.good(&format!("{line} | TZ=America/New_York ebpfmux -q {options} | wc -l"));
        assert_eq!(lines.trim(), count.to_string(), "{options}");
    }
}
