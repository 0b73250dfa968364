//! Files of a recording, damaged in any way.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::exposition::declare_odd;
use crate::record::recording::name;
use crate::record::span::Span;
use crate::sink::recorder::{Recorder, Rotation};
use crate::source::Source;
use crate::source::rules::Rules;

/// The number of files of the recording.
const FILES: u64 = 3;
/// The number of records in each frame.
const RECORDS: u64 = 5;
/// The number of changes to it: too few to write a frame of one's own into it, which nothing tells from a recorded one.
const CHANGES: usize = 8;
/// Bytes that a change writes.
const WRITTEN: usize = 3;

/// A recording, which each input damages anew.
pub struct Recording {
    folder: PathBuf,
    files: Vec<Vec<u8>>,
    lines: HashSet<Vec<u8>>,
}

impl Recording {
    /// Records into folders of this one, which it may fill as it likes.
    pub fn new(folder: &Path) -> Self {
        declare_odd();
        let mut lines = HashSet::new();
        let files = (0..FILES).map(|file| {
            // Two frames in each file, as of a recorder that was started again and of files that were concatenated.
            let frames = (0..2).map(|frame| {
                let first = (file * 2 + frame) * RECORDS;
                let records: Vec<String> = (first..first + RECORDS).map(record).collect();
                lines.extend(records.iter().map(|line| line.clone().into_bytes()));
                recorded(&folder.join(format!("{file}-{frame}")), records.concat().as_bytes())
            });
            frames.collect::<Vec<_>>().concat()
        });
        let files: Vec<Vec<u8>> = files.collect();
        let folder = folder.join("damaged");
        fs::create_dir_all(&folder).expect("a folder");
        Self { folder, files, lines }
    }

    /// Reads what these bytes make of the recording: their first one says whether they change its files, or are one.
    ///
    /// It is read to its end. A record that was not recorded is returned only if something was reported; a recording that was
    /// not changed is returned as it was recorded.
    pub fn check(&self, bytes: &[u8]) {
        let (how, bytes) = bytes.split_first().unwrap_or((&0, &[]));
        match how % 4 {
            0 => {
                let path = self.folder.join("1");
                fs::write(&path, bytes).expect("a file");
                read(&path);
                fs::remove_file(&path).expect("a file");
            }
            1 => {
                self.write(&[bytes.to_vec()]);
                read(&self.folder);
            }
            _ => {
                let mut files = self.files.clone();
                let changed = change(&mut files, bytes);
                self.write(&files);
                let (lines, reported) = read(&self.folder);
                let odd = lines.iter().find(|line| !self.lines.contains(*line));
                if let Some(odd) = odd.filter(|_| !reported && files.iter().all(|file| is_checked(file))) {
                    panic!("not recorded, and nothing was reported: {}", String::from_utf8_lossy(odd));
                }
                assert!(changed || !reported && lines.len() == self.lines.len(), "{} lines", lines.len());
            }
        }
    }

    fn write(&self, files: &[Vec<u8>]) {
        for number in 0..FILES {
            let path = self.folder.join(name(number));
            match files.get(number as usize) {
                Some(file) => fs::write(path, file).expect("a file"),
                None => drop(fs::remove_file(path)),
            }
        }
    }
}

/// The file that a recorder makes of these lines.
fn recorded(folder: &Path, lines: &[u8]) -> Vec<u8> {
    let rotation = Rotation { bytes: u64::MAX, age: Duration::from_secs(3600), keep: None };
    let recorder = Recorder::new(folder, rotation).expect("a recording");
    recorder.push(lines);
    recorder.end().expect("a recording");
    fs::read(folder.join(name(1))).expect("its file")
}

fn record(number: u64) -> String {
    format!(
        "{{\"ts\":\"2026-11-21T06:00:{number:02}.000000Z\",\"host\":\"h\",\"tool\":\"t\",\"interval_s\":1.0,\"n\":{},\"lost\":0}}\n",
        number.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    )
}

/// The records of a file or folder, as lines, and whether something was reported.
fn read(path: &Path) -> (Vec<Vec<u8>>, bool) {
    let rules =
        Rules { strict: false, quiet: true, verbose: false, lateness: Duration::ZERO, span: Span::default() };
    // A folder without any file is reported when it is opened.
    let Ok(mut source) = Source::named(path, rules) else { return (Vec::new(), true) };
    let mut lines = Vec::new();
    loop {
        source.advance().expect("nothing is fatal unless --strict is given");
        if source.time().is_none() {
            break;
        }
        let mut line = Vec::new();
        source.take_line(&mut line);
        lines.push(line);
    }
    assert!(source.drained());
    (lines, source.failed)
}

/// Whether all frames of a file that can be found say that they have a checksum: what is read of others cannot be checked.
fn is_checked(file: &[u8]) -> bool {
    memchr::memmem::find_iter(file, b"\x28\xb5\x2f\xfd")
        .all(|at| file.get(at + 4).is_none_or(|flags| flags & 4 != 0))
}

/// Changes the files as these bytes say; returns whether there is any change.
fn change(files: &mut Vec<Vec<u8>>, bytes: &[u8]) -> bool {
    let before = files.clone();
    let mut script = Script(bytes);
    for _ in 0..CHANGES {
        if script.0.is_empty() || files.is_empty() {
            break;
        }
        let (what, file, other) = (script.byte(), script.below(files.len()), script.below(files.len()));
        let len = files[file].len();
        let at = script.below(len + 1);
        let end = at + script.below(len - at + 1);
        match what % 10 {
            0 if at < len => files[file][at] ^= 1 << script.below(8),
            1 => script.few().zip(&mut files[file][at..]).for_each(|(new, byte)| *byte = new),
            2 => drop(files[file].splice(at..at, script.few().collect::<Vec<_>>())),
            3 => drop(files[file].drain(at..end)),
            4 => files[file].truncate(at),
            5 => {
                let copy = files[other].clone();
                files[file].extend(copy);
            }
            6 => files.swap(file, other),
            7 => drop(files.remove(file)),
            8 => files[file].clear(),
            _ => {
                let copy = files[file][at..end].to_vec();
                let to = script.below(files[other].len() + 1);
                drop(files[other].splice(to..to, copy));
            }
        }
    }
    *files != before
}

/// The bytes that say what is changed; zeros when there are no more.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    /// A number from two bytes.
    fn below(&mut self, end: usize) -> usize {
        usize::from(u16::from_le_bytes([self.byte(), self.byte()])) % end
    }

    fn few(&mut self) -> impl Iterator<Item = u8> {
        let count = self.0.len().min(WRITTEN);
        let (few, rest) = self.0.split_at(count);
        self.0 = rest;
        few.iter().copied()
    }
}
