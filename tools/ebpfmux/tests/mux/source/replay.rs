//! What is read of recordings and compressed files that are damaged, cut short, or not all there.

use std::fs;
use std::io::Write;

use crate::support::*;

fn at(n: u64) -> String {
    record(n, "t", &format!("\"n\":{n},\"x\":{}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
}

fn lines_of(range: std::ops::Range<u64>) -> String {
    range.map(at).collect()
}

fn part(folder: &str, number: u64) -> String {
    format!("{folder}/{number:08}.ndjson.zst")
}

/// A recording in five files of 1000 records each.
fn recording(files: &Files) -> String {
    let folder = files.path("rec");
    for number in 0..5 {
        let input = files.write("in", lines_of(number * 1000..(number + 1) * 1000));
        assert_eq!(run(&["--record", &folder, &input]).status.code(), Some(0));
    }
    folder
}

#[test]
fn each_flipped_bit_is_told_and_alters_no_record() {
    let files = Files::new();
    let input = files.write("in", lines_of(0..30_000));
    let folder = files.path("rec");
    run(&["--record", &folder, &input]);
    let whole = fs::read(part(&folder, 1)).unwrap();
    let good = fs::read_to_string(input).unwrap();
    let good: std::collections::HashSet<&str> = good.lines().collect();
    let mut read = 0;
    // The first of them is in the magic number of the first frame.
    for n in 0..60u64 {
        let mut flipped = whole.clone();
        let bit = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) as usize % (whole.len() * 8);
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(part(&folder, 1), &flipped).unwrap();
        let output = run(&[&folder]);
        let out = stdout(&output);
        assert!(out.lines().all(|line| good.contains(line)), "bit {bit}: altered");
        assert_eq!(output.status.code(), Some(1), "bit {bit}: {}", stderr(&output));
        assert!(stderr(&output).contains("00000001.ndjson.zst is damaged at byte "), "{}", stderr(&output));
        read += out.lines().count();
    }
    // The other frames are read.
    assert!(read > 60 * 10_000, "{read}");
}

#[test]
fn what_is_damaged_or_missing_is_told_and_the_rest_is_read() {
    let files = Files::new();
    let folder = recording(&files);
    let mut bytes = fs::read(part(&folder, 2)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(part(&folder, 2), &bytes).unwrap();
    fs::remove_file(part(&folder, 4)).unwrap();
    let output = run(&[&folder]);
    let expected = lines_of(0..1000) + &lines_of(2000..3000) + &lines_of(4000..5000);
    assert!(stdout(&output) == expected, "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert_eq!(said.lines().count(), 2, "{said}");
    let told = format!("ebpfmux: {} is damaged at byte 0 (", part(&folder, 2));
    assert!(
        said.starts_with(&told) && said.contains(&format!("up to {} are left out", bytes.len())),
        "{said}"
    );
    assert!(said.contains(&format!("{folder}: 00000004.ndjson.zst is missing")), "{said}");
}

#[test]
fn every_kind_of_trouble_has_its_line() {
    let files = Files::new();
    let folder = recording(&files);
    let cut = fs::read(part(&folder, 2)).unwrap();
    fs::write(part(&folder, 2), &cut[..cut.len() - 1]).unwrap();
    fs::write(part(&folder, 3), "").unwrap();
    fs::remove_file(part(&folder, 4)).unwrap();
    fs::create_dir(part(&folder, 4)).unwrap();
    let garbage = [b"garbage".to_vec(), fs::read(part(&folder, 5)).unwrap(), b"more".to_vec()].concat();
    fs::write(part(&folder, 5), garbage).unwrap();
    fs::rename(files.fifo("fifo"), part(&folder, 7)).unwrap();
    fs::copy(part(&folder, 1), part(&folder, u64::MAX)).unwrap();
    let output = run(&[&folder]);
    let expected = lines_of(0..2000) + &lines_of(4000..5000) + &lines_of(0..1000);
    let out = stdout(&output);
    // Of what was cut short all can be read but the checksum.
    assert!(out == expected, "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(1));
    for told in [
        format!("{} was cut short at byte {}", part(&folder, 2), cut.len() - 1),
        format!("{} was cut short: it is empty", part(&folder, 3)),
        format!("cannot read {}: it is no regular file", part(&folder, 4)),
        format!("{} is damaged at byte 0 (no zstd frame): bytes up to 7 are left out", part(&folder, 5)),
        format!("cannot read {}: it is no regular file", part(&folder, 7)),
        format!("{folder}: 00000006.ndjson.zst is missing"),
        format!("{folder}: 00000008.ndjson.zst to 18446744073709551614.ndjson.zst are missing"),
    ] {
        assert_eq!(stderr(&output).matches(&told).count(), 1, "{told}\n{}", stderr(&output));
    }
}

#[test]
fn a_damaged_place_ends_a_line_and_many_are_counted() {
    let files = Files::new();
    // Frames that end within lines, as other programs make them.
    let text = lines_of(0..4000);
    let frames: Vec<Vec<u8>> = text.as_bytes().chunks(10_001).map(checked).collect();
    let mut bytes = Vec::new();
    for (n, frame) in frames.iter().enumerate() {
        let mut frame = frame.clone();
        if n % 3 == 1 {
            let last = frame.len() - 1;
            frame[last] ^= 1;
        }
        bytes.extend(frame);
    }
    let output = run(&[&files.write("a.zst", bytes)]);
    assert_eq!(output.status.code(), Some(1));
    let good: std::collections::HashSet<&str> = text.lines().collect();
    let out = stdout(&output);
    assert!(out.lines().all(|line| good.contains(line)) && out.lines().count() > 2000);
    let said = stderr(&output);
    assert_eq!(said.matches("doesn't match checksum").count(), 10, "{said}");
    let more = frames.len() / 3 - 10;
    assert!(more > 5 && said.contains(&format!("{more} more places")), "{more}: {said}");
}

/// A zstd frame with a checksum.
fn checked(content: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn recordings_without_checksums_and_large_frames_are_read() {
    let files = Files::new();
    let text = lines_of(0..30_000);
    assert!(text.len() > 3 << 20);
    let old = zstd::encode_all(text.as_bytes(), 3).unwrap();
    let folder = files.path("old");
    fs::create_dir(&folder).unwrap();
    fs::write(part(&folder, 1), &old).unwrap();
    let large = files.write("large.zst", checked(text.as_bytes()));
    // Frames without content, as pzstd writes them.
    let skippable = [&b"\x5a\x2a\x4d\x18\x03\0\0\0abc"[..], &old].concat();
    let skippable = files.write("skippable", skippable);
    for name in [&folder, &large, &skippable] {
        let output = run(&[name]);
        assert!(stdout(&output) == text && output.status.code() == Some(0), "{name}: {}", stderr(&output));
        assert_eq!(stderr(&output), "");
    }
    // Too large to be kept until its checksum is known: told all the same.
    let mut bytes = checked(text.as_bytes());
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let output = run(&[&files.write("altered.zst", bytes)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("may be altered"), "{}", stderr(&output));
}

#[test]
fn gzip_and_zstd_are_told_by_their_first_bytes() {
    let files = Files::new();
    let text = lines_of(0..3000);
    let gz = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    // Two members, as by `cat a.gz b.gz`.
    let (first, second) = text.split_at(text.len() / 2);
    let two = [gz(first), gz(second)].concat();
    for (name, bytes) in [("x", gz(&text)), ("y.json", two.clone()), ("z", checked(text.as_bytes()))] {
        let path = files.write(name, bytes);
        let output = run(&[&path]);
        assert!(stdout(&output) == text, "{name}: {}", stderr(&output));
        // As stdin, too.
        let mut command = mux(&["-"]);
        let output = command.stdin(fs::File::open(path).unwrap()).output().unwrap();
        assert!(stdout(&output) == text, "{name}: {}", stderr(&output));
    }
    let output = run(&[&files.write("cut", &two[..two.len() - 20])]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cut was cut short at byte "), "{}", stderr(&output));
    let mut flipped = two;
    flipped[1000] ^= 0x10;
    let output = run(&[&files.write("flipped", flipped)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("flipped is damaged at byte "), "{}", stderr(&output));
}
