//! What a Prometheus reads of mapstat's maps through `ebpfmux --serve`: the series of ebpf_exporter, with the numbers that are
//! known.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, kill_process};
use tests::prometheus::Prometheus;
use tests::wait::{For, until, until_or};

use super::*;

/// The bounds of `exp2` from 0 to 20 with a multiplier of 0.000001, as Go writes them.
const MICROSECONDS: [&str; 21] = [
    "1e-06", "2e-06", "4e-06", "8e-06", "1.6e-05", "3.2e-05", "6.4e-05", "0.000128", "0.000256", "0.000512",
    "0.001024", "0.002048", "0.004096", "0.008192", "0.016384", "0.032768", "0.065536", "0.131072",
    "0.262144", "0.524288", "1.048576",
];
/// Those of `exp2zero` from 0 to 21.
const WITH_ZERO: [&str; 22] = [
    "0",
    "1",
    "2",
    "4",
    "8",
    "16",
    "32",
    "64",
    "128",
    "256",
    "512",
    "1024",
    "2048",
    "4096",
    "8192",
    "16384",
    "32768",
    "65536",
    "131072",
    "262144",
    "524288",
    "1.048576e+06",
];
const TENS: [&str; 11] = ["0", "10", "20", "30", "40", "50", "60", "70", "80", "90", "100"];

/// The lines of a histogram's buckets and of its count.
fn lines_of(name: &str, labels: &str, bounds: &[&str], counts: &[u64]) -> Vec<String> {
    let (comma, braced) = match labels {
        "" => ("", String::new()),
        labels => (",", format!("{{{labels}}}")),
    };
    let mut sum = 0;
    let buckets = bounds.iter().zip(counts).map(|(le, count)| {
        sum += count;
        format!("ebpf_exporter_{name}_bucket{{{labels}{comma}le=\"{le}\"}} {sum}")
    });
    let mut lines: Vec<String> = buckets.collect();
    lines.push(format!("ebpf_exporter_{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {sum}"));
    lines.push(format!("ebpf_exporter_{name}_count{braced} {sum}"));
    lines
}

fn expected() -> Vec<String> {
    let mut lines = Vec::new();
    for metric in ["array", "lru_hash", "percpu_array", "percpu_hash", "lru_percpu_hash", "perf", "ring"] {
        lines.push(format!("# TYPE ebpf_exporter_kinds_{metric} counter"));
        let by_number = BY_NUMBER.iter().enumerate();
        lines.extend(
            by_number.map(|(number, count)| {
                format!("ebpf_exporter_kinds_{metric}{{number=\"{number}\"}} {count}")
            }),
        );
    }
    for (number, count) in BY_NUMBER.iter().enumerate() {
        let half = if number % 2 == 0 { "even" } else { "odd" };
        // In the order of their names, and without what stands before the name in records.
        lines.push(format!(
            "ebpf_exporter_kinds_hash{{number=\"{number}\",text=\"cd\",value=\"{half}\"}} {count}"
        ));
    }
    lines.push("# HELP ebpf_exporter_kinds_array_of_one without labels".to_owned());
    lines.push(format!("ebpf_exporter_kinds_array_of_one {CALLS}"));
    lines.push("# TYPE ebpf_exporter_kinds_level gauge".to_owned());
    let powers = || (0..=20).map(|power| 1u64 << power);
    for parity in ["0", "1"] {
        let mine = || called().into_iter().filter(|value| (value & 1).to_string() == parity);
        let labels = format!("parity=\"{parity}\"");
        let counts = in_buckets(mine(), &powers().collect::<Vec<_>>());
        lines.extend(lines_of("kinds_exp2", &labels, &MICROSECONDS, &counts));
        let counts = in_buckets(mine(), &std::iter::once(0).chain(powers()).collect::<Vec<_>>());
        lines.extend(lines_of("kinds_exp2zero", &labels, &WITH_ZERO, &counts));
        let whole: u64 = mine().sum();
        let digits = whole.to_string();
        let (first, rest) = digits.split_at(1);
        let whole = format!("{first}.{}e+{:02}", rest.trim_end_matches('0'), rest.len());
        lines.push(format!("ebpf_exporter_kinds_exp2zero_sum{{{labels}}} {whole}"));
    }
    let below = called().into_iter().filter(|value| *value < 110);
    let counts = in_buckets(below, &(0..=10).map(|tens| tens * 10 + 9).collect::<Vec<_>>());
    lines.extend(lines_of("kinds_linear", "", &TENS, &counts));
    lines.push("ebpf_exporter_kinds_linear_sum 0".to_owned());
    let counts = in_buckets(called().into_iter(), &[1, 100, 1000]);
    lines.extend(lines_of("kinds_fixed", "", &["1", "100", "1000"], &counts));
    lines
}

/// The level that the text has.
fn prometheus_level(text: &str) -> f64 {
    let level = text.lines().find_map(|line| line.strip_prefix("ebpf_exporter_kinds_level "));
    level.and_then(|level| level.parse().ok()).expect("a level")
}

#[test]
fn a_prometheus_reads_the_series_of_ebpf_exporter() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let configs = Configs::of(&[KINDS]);
    let (folder, said) = (configs.path(""), configs.path("said"));
    let run = format!("{} -c {} --buckets -q 0.1", built("mapstat").display(), configs.path("kinds.yaml"));
    let mut mux = Command::new(built("ebpfmux"))
        .args(["--run", &run, "--serve", "0", "--no-host"])
        .env("XDG_RUNTIME_DIR", &folder)
        .stdout(Stdio::null())
        .stderr(File::create(&said).expect("a file"))
        .spawn()
        .expect("it starts");
    let address = until(For::Ready, "the address", || {
        let said = fs::read_to_string(&said).expect("text");
        said.lines().find_map(|line| Some(line.split_once("serving on ")?.1.to_owned()))
    });
    let metrics = || String::from_utf8(programs::run("curl", &["-s", &address]).stdout).expect("UTF-8");
    // Levels are there from the first interval on: then the programs are attached.
    until(For::Attach, "the first interval", || {
        metrics().contains("\nebpf_exporter_kinds_level 0\n").then_some(())
    });
    called().iter().zip(0..).for_each(|(value, number)| call(MARK, number, *value));
    let expected = expected();
    let missing = || {
        let text = metrics();
        let lines: Vec<&str> = text.lines().collect();
        let missing = expected.iter().filter(|line| !lines.contains(&line.as_str())).cloned();
        (missing.collect::<Vec<_>>(), text)
    };
    until_or(
        For::Record,
        "all series with their numbers",
        || missing().0.is_empty().then_some(()),
        || format!("these lines are missing: {:?}", missing().0),
    );
    let (_, text) = missing();
    let target = address.trim_start_matches("http://").split('/').next().expect("an address").to_owned();
    let prometheus = Prometheus::start(Path::new(&folder), &[target], None, &[]);
    for (query, value) in [
        ("sum(ebpf_exporter_kinds_array)", CALLS as f64),
        (r#"ebpf_exporter_kinds_hash{number="3",text="cd",value="odd"}"#, BY_NUMBER[3] as f64),
        ("sum(ebpf_exporter_kinds_percpu_array_of_one)", CALLS as f64),
        (r#"sum(ebpf_exporter_kinds_exp2_bucket{le="+Inf"})"#, CALLS as f64),
        ("sum(ebpf_exporter_kinds_exp2zero_count)", CALLS as f64),
        ("ebpf_exporter_kinds_level", prometheus_level(&text)),
    ] {
        until(For::Answer, query, || prometheus.query(query).filter(|found| *found == value));
    }
    // One series for each processor that there can be, as theirs.
    let possible = fs::read_to_string("/sys/devices/system/cpu/possible").expect("a file");
    let last_cpu: usize =
        possible.trim().rsplit(['-', ',']).next().and_then(|last| last.parse().ok()).expect("a number");
    let of_cpus =
        text.lines().filter_map(|line| line.strip_prefix("ebpf_exporter_kinds_percpu_array_of_one{cpu=\""));
    let of_cpus: Vec<u64> = of_cpus
        .map(|line| line.rsplit_once(' ').and_then(|(_, count)| count.parse().ok()).expect("a count"))
        .collect();
    assert_eq!((of_cpus.len(), of_cpus.iter().sum::<u64>()), (last_cpu + 1, CALLS), "{text}");
    assert!(
        !text.contains("host=")
            || text.lines().all(|line| !line.starts_with("ebpf") || !line.contains("host="))
    );
    kill_process(Pid::from_child(&mux), Signal::INT).expect("it runs");
    assert!(mux.wait().expect("a child").success());
}
