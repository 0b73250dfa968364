//! Steps of known work, and what is expected of each.

use std::path::Path;

use tests::comparison::Comparison;
use tests::kernel;
use tests::records::count;

use super::compare::{AROUND, compare};
use super::{Bench, PAGES, work};

/// The pages of a file that is written.
const WRITTEN: u64 = 1_033;

/// The cached pages before a step.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    All,
    /// Every other page.
    Half,
}

/// The operations of a step.
#[derive(Clone, Copy, PartialEq)]
enum By {
    Reads,
    Faults,
    Stores,
    Readahead,
    /// A fault and a read.
    Both,
    Patches,
}

use Before::{All, Half, Nothing};

const STEPS: [(&str, Before, By); 26] = [
    ("read --bytes 4096", Nothing, By::Reads),
    ("read --bytes 4096", All, By::Reads),
    ("read --bytes 131072", Nothing, By::Reads),
    ("read --bytes 1048576", Nothing, By::Reads),
    ("read --bytes 1048576", All, By::Reads),
    ("read --bytes 65536", Half, By::Reads),
    ("read --bytes 1048576", Half, By::Reads),
    ("random --count 1009 --bytes 4096", Nothing, By::Reads),
    ("random --count 1009 --bytes 4096", All, By::Reads),
    ("same --count 509 --bytes 512", All, By::Reads),
    ("ends --count 29 --bytes 131072", All, By::Reads),
    ("sendfile", Nothing, By::Reads),
    ("sendfile", All, By::Reads),
    ("readahead --count 1021", Nothing, By::Readahead),
    ("touch", Nothing, By::Faults),
    ("touch", All, By::Faults),
    ("touch-random --count 1009", Nothing, By::Faults),
    ("touch-random --count 1009", All, By::Faults),
    ("touch-advised --count 1009", Nothing, By::Faults),
    ("touch-few --count 257", Nothing, By::Faults),
    ("touch-few --count 257", Half, By::Faults),
    ("private --count 131", Nothing, By::Faults),
    ("private --count 131", All, By::Faults),
    ("store --count 131", Nothing, By::Stores),
    ("touch-read --bytes 4096", Nothing, By::Both),
    ("patch --count 101 --bytes 512", Nothing, By::Patches),
];

/// Whether the tracepoints of faults cover all mapped pages: they do not for large folios, nor for
/// a cache with holes.
fn faults_are_exact(faults: &str, kind_of_files: &str, step: &str, before: Before) -> bool {
    let large = kind_of_files == "xfs" || kernel::release() >= (6, 16);
    let scattered = step.starts_with("touch-random") && before == Nothing || before == Half;
    !faults.starts_with("tp_btf") || step.starts_with("private") || !(large || scattered)
}

/// Whether the tool can separate consecutive fetches: see the bound of the tracepoints.
fn ends_of_faults_are_reported(faults: &str) -> bool {
    let bit = std::fs::read("/sys/kernel/btf/vmlinux").expect("the kernel has BTF");
    let name = b"\0in_user_fault\0";
    !faults.starts_with("tp_btf") || bit.windows(name.len()).any(|part| part == name)
}

/// Does each step on files of this kind, and compares.
pub fn steps_on(bench: &Bench, kind: &str, kind_of_files: &str, path: &Path) {
    let file = path.join("file");
    let file = file.to_str().expect("UTF-8");
    work(file, &format!("make --pages {PAGES}"), None);
    for (step, before, by) in STEPS {
        let before_it = match before {
            Nothing => "nothing",
            All => "all",
            Half => "half",
        };
        let (measured, records) = bench.step(file, &format!("{step} --before {before_it}"));
        let what = format!("{step} on {kind_of_files}: {measured}");
        let of = |field| count(&measured, field);
        let (asked, fetched, mapped, ahead) =
            (of("asked"), of("fetched"), of("mapped"), of("fetched") - of("absent"));
        assert!((fetched > 0) == (before != All), "the workload proves nothing: {what}");
        let expected = match by {
            By::Reads => [asked, fetched, 0, 0, ahead, 0, 0],
            By::Readahead => [0, fetched, 0, 0, fetched, 0, 0],
            By::Faults => [0, 0, mapped, fetched, ahead, 0, 0],
            By::Stores => [0, 0, mapped, fetched, ahead, 0, of("dirtied")],
            By::Both if ends_of_faults_are_reported(&bench.rungs.faults) => {
                [1, 1, mapped, fetched - 1, ahead, 0, 0]
            }
            By::Both => [1, 0, mapped, fetched, ahead + 1, 0, 0],
            By::Patches => [0, 0, 0, 0, 0, fetched, of("dirtied")],
        };
        let mut expected = expected.map(|number| [number; 2]);
        if matches!(by, By::Faults | By::Both | By::Stores)
            && !faults_are_exact(&bench.rungs.faults, kind_of_files, step, before)
        {
            // Some; never more than were scanned for each page that was touched.
            expected[2] = [1, AROUND * mapped];
        }
        if step == "read --bytes 1048576" && before == Half && bench.rungs.reads.starts_with("fentry") {
            // The documented bound for many ranges: some pages that were read ahead are reported as
            // asked for.
            expected[4] = [0, ahead];
        }
        compare(
            || Comparison::by("cachestat", kind).part(&what),
            &bench.rungs.faults,
            step,
            &records,
            expected,
        );
    }
    let new = path.join("new");
    let new = new.to_str().expect("UTF-8");
    for bytes in ["4096", "65536", "1048576"] {
        let step = format!("write --pages {WRITTEN} --bytes {bytes}");
        let (measured, records) = bench.step(new, &step);
        let of = || Comparison::by("cachestat", kind).part(format!("{step} on {kind_of_files}: {measured}"));
        compare(
            of,
            &bench.rungs.faults,
            &step,
            &records,
            [0, 0, 0, 0, 0, WRITTEN, WRITTEN].map(|number| [number; 2]),
        );
    }
}
