//! `ebpfmux --record`: the stream on disk, and its replay.

use std::fs;

use test_support::streams::{Streams, record, ts};

/// Two streams of this many records, each with a late one, and one of CSV.
fn streams(records: u64) -> Streams {
    let streams = Streams::default();
    let mut seed = 1u64;
    // They compress badly, as real numbers do.
    let mut noise = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed
    };
    for (name, host) in [("a", "web1"), ("b", "web2")] {
        let mut lines: Vec<String> = (0..records)
            .map(|n| {
                record(n as f64 / 50.0, host, "t", &format!("\"n\":{n},\"x\":{},\"y\":{}", noise(), noise()))
            })
            .collect();
        lines.swap(10, 20);
        streams.write(name, lines.concat());
    }
    streams.write("c.csv", format!("ts,tool,n,p99_us\n{},u,1,\n{},u,2,1.50\n", ts(0.1), ts(0.2)));
    streams
}

fn recorded(streams: &Streams, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(streams.path(folder)).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

#[test]
fn a_replay_is_the_same_stream() {
    let streams = streams(30_000);
    let merged = streams.shell("ebpfmux -q a b c.csv").out;
    for rotation in ["", "--record-size 1", "--record-age 0.001"] {
        let output = streams.shell(&format!("rm -rf rec; ebpfmux -q a b c.csv --record rec {rotation}"));
        assert_eq!((output.status, output.err.as_str()), (Some(0), ""));
        assert!(output.out == merged, "recording changes nothing");
        let files = recorded(&streams, "rec");
        assert_eq!(files.len() > 1, !rotation.is_empty(), "{rotation}: {files:?}");
        assert_eq!(files[0], "00000001.ndjson.zst");
        assert!(streams.shell("ebpfmux -q rec").out == merged, "{rotation}");
        // One file after the other.
        assert!(streams.shell("ulimit -n 20; ebpfmux -q rec").out == merged, "{rotation}");
        assert!(streams.good("zstd -dcq rec/*") == merged, "anybody can read it");
    }
    // It can be combined with other sources; windows and joins do not change the recording.
    let output = streams.shell(
        "ebpfmux -q a b c.csv --record whole --where 't.n == 7' --join=3600 > /dev/null; ebpfmux -q whole",
    );
    assert!(output.out == merged, "{}", output.err);
    streams
        .good("ebpfmux -q a c.csv --record ac > /dev/null; ebpfmux -q b --record b.rec -o csv > /dev/null");
    assert_eq!(
        streams.shell("ebpfmux -q ac b.rec/00000001.ndjson.zst | sort").out,
        streams.good("sort <<<\"$(ebpfmux -q a b c.csv)\"")
    );
}

#[test]
fn the_oldest_files_go() {
    let streams = streams(30_000);
    streams.shell("ebpfmux -q a b --record rec --record-age 0.001 --record-keep 3 > /dev/null");
    let files = recorded(&streams, "rec");
    assert!(files.len() == 3 && files[0] != "00000001.ndjson.zst", "{files:?}");
    streams.shell("ebpfmux -q c.csv --record rec > /dev/null");
    let more = recorded(&streams, "rec");
    assert_eq!((&more[..3], more.len()), (&files[..], 4), "the recording is continued");
    assert!(streams.shell("ebpfmux -q rec").out.ends_with("\"p99_us\":1.50}\n"));
}

/// Of which no more than two are there at once.
#[test]
fn a_small_disk_has_room_if_the_oldest_files_go() {
    let streams = Streams::default();
    let output = streams.shell_that_mounts(
        "mkdir small; mount -t tmpfs -o size=3m none small && { head -c 6000000 /dev/urandom | base64 -w 500 | \
         sed 's/.*/{\"ts\":\"2026-11-21T06:00:00.000000Z\",\"x\":\"&\"}/' | \
         ebpfmux - --record small/rec --record-size 1 --record-keep 1 > /dev/null; s=$?; ls small/rec; exit $s; }",
    );
    assert_eq!((output.status, output.err.as_str()), (Some(0), ""));
    assert!(output.out.lines().count() == 1 && !output.out.starts_with("00000001"), "{}", output.out);
}

#[test]
fn what_was_cut_short_reads_back_to_the_last_whole_record() {
    let streams = streams(2_000);
    let merged = streams.shell("ebpfmux -q a b --record rec").out;
    let whole = fs::read(streams.path("rec/00000001.ndjson.zst")).expect("a recording");
    let mut most = 0;
    for percent in [0, 1, 10, 35, 50, 77, 90, 99] {
        streams.write("cut.zst", &whole[..(whole.len() * percent / 100).max(5)]);
        let output = streams.shell("ebpfmux cut.zst");
        assert!(
            merged.starts_with(&output.out) && (output.out.is_empty() || output.out.ends_with("}\n")),
            "{percent} %"
        );
        assert!(output.status == Some(1) && output.err.contains("cut short"), "{}", output.err);
        assert!(output.out.len() >= most, "{percent} %");
        most = output.out.len();
    }
    assert!(most > merged.len() / 2, "{most} of {}", merged.len());
    // A file after the one that was cut short.
    streams.write("rec/00000001.ndjson.zst", &whole[..whole.len() * 4 / 5]);
    streams.shell("ebpfmux -q c.csv --record rec > /dev/null");
    let output = streams.shell("ebpfmux rec");
    let (csv, before) = (streams.good("ebpfmux c.csv"), output.out.lines().count() - 2);
    assert!(output.out.ends_with(&csv) && before > 1_000, "{}", output.err);
    assert!(output.out.lines().all(|line| line.ends_with('}')));
}

#[test]
fn a_kill_loses_a_second_at_most() {
    let streams = Streams::default();
    let line = record(1.0, "web", "t", "\"n\":1");
    streams.write("line", line.repeat(7));
    // All lines were written two seconds before the kill.
    let output = streams.shell(
        "(cat line; sleep 2) | (ebpfmux --record rec - > /dev/null & sleep 1.9; kill -9 $!); ebpfmux rec",
    );
    assert_eq!(output.out, line.repeat(7), "{}", output.err);
    assert!(output.err.contains("cut short"), "{}", output.err);
}

#[test]
fn a_full_disk_is_a_gap_that_is_reported() {
    let streams = Streams::default();
    let line = record(1.0, "web", "t", "\"n\":1");
    streams.write("line", &line);
    // Lines come until the gap is reported, then there is room, and lines come until its end is.
    let output = streams.shell_that_mounts(
        "mkdir full; mount -t tmpfs -o size=64k none full && { touch said; cat /dev/zero > full/filler 2> /dev/null; \
         until_said() { for ((i = 0; i < 600; i++)); do cat line; grep -q \"$1\" said && return; sleep 0.1; done; }; \
         { until_said 'missing from now on'; rm full/filler; until_said 'goes on in'; cat line; } | \
         ebpfmux - --record full/rec > out 2> said; s=$?; ebpfmux full/rec; exit $s; }",
    );
    let text = |name| fs::read_to_string(streams.path(name)).expect("it was written");
    let (out, said) = (text("out"), text("said"));
    assert_eq!((output.status, said.lines().count(), output.err.as_str()), (Some(1), 3, ""), "{said}");
    let last = said.lines().last().expect("three lines");
    let missing = last.split(' ').find_map(|word| word.parse::<usize>().ok()).expect("a number");
    let recorded = output.out.lines().count();
    assert!(recorded > 0 && missing > 0, "{said}");
    assert_eq!(recorded + missing, out.lines().count(), "{said}");
    assert!(last.contains("No space left"), "{said}");
}

#[test]
fn what_cannot_be_recorded_is_said() {
    let streams = Streams::default();
    streams.write("a", record(1.0, "web", "t", "\"n\":1")).shell("mkdir empty");
    for (arguments, status, names) in [
        ("a --record a", 2, "--record: cannot use a"),
        ("a --record /proc/none", 2, "/proc/none"),
        ("a --record-size 3", 2, "--record <DIR>"),
        ("a --record r --record-keep 0", 2, "'0'"),
        ("empty", 2, "Is a directory, without a recording"),
    ] {
        let output = streams.shell(&format!("ebpfmux {arguments}"));
        assert_eq!(
            (output.status, output.err.lines().count()),
            (Some(status), 1),
            "{arguments}: {}",
            output.err
        );
        assert!(output.err.contains(names), "{arguments}: {}", output.err);
    }
    let full = streams.shell_that_mounts("mkdir full; mount -t tmpfs -o size=8k none full && { head -c 3000000 /dev/urandom | base64 -w 500 | sed 's/.*/{\"ts\":\"2026-11-21T06:00:00.000000Z\",\"x\":\"&\"}/' | ebpfmux - --record full > /dev/null; }");
    assert_eq!((full.status, full.err.lines().count()), (Some(1), 2), "{}", full.err);
    assert_eq!(full.err.matches("full/00000001.ndjson.zst: No space left").count(), 2, "{}", full.err);
    // A small stream, whose only write is the last one; and a shortage at the start, which may pass.
    for (options, told) in [
        ("size=4k", "1 record is missing: cannot write to f/full/"),
        ("nr_inodes=2", "cannot use f/full: No space"),
    ] {
        let output = streams.shell_that_mounts(&format!(
            "mkdir -p f && mount -t tmpfs -o {options} none f && {{ mkdir f/full; {{ cat /dev/zero > f/x; }} 2> /dev/null; \
             ebpfmux a --record f/full; }}"
        ));
        assert_eq!((output.status, output.err.lines().count()), (Some(1), 1), "{options}: {}", output.err);
        assert!(output.err.contains(told), "{options}: {}", output.err);
    }
    let read_only = streams.shell_that_mounts("mount -t tmpfs -o ro none f && { ebpfmux a --record f/rec; }");
    assert_eq!((read_only.status, read_only.err.lines().count()), (Some(2), 1), "{}", read_only.err);
    assert!(read_only.err.contains("cannot use f/rec: Read-only file system"), "{}", read_only.err);
    // If stdout's reader exits, the recording is complete.
    let closed = streams
        .shell("yes \"$(cat a)\" | ebpfmux --record closed - | head -1 > /dev/null; zstd -tq closed/*");
    assert_eq!(closed.status, Some(0), "{}", closed.err);
}
