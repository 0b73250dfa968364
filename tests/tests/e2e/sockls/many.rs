//! Very many sockets: they take little memory, and little time.

use std::process::Output;

use tests::comparison::Comparison;
use tests::programs::shell;
use tests::{can_run, kernel, lock};

use super::held;

/// The memory in which a hundred thousand sockets are told again and again.
const MEMORY_KIB: u64 = 64 << 10;
/// The processor time of a look at as many, with all that is written of it.
const MOST_SECONDS: f64 = 1.0;
/// How many processes hold them: a process may not be allowed to hold all.
const HOLDERS: usize = 6;

/// A hundred thousand, or in a guest, which takes minutes to open as many, six thousand.
#[test]
fn very_many_sockets_are_told() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let (udp, pairs) = if kernel::of_guest().is_none() { (12_000, 2_300) } else { (601, 151) };
    let numbers = [udp, 101, pairs].map(|number: u64| number.to_string());
    let many = ["--udp", &numbers[0], "--listeners", &numbers[1], "--pairs", &numbers[2], "--bytes", "7"];
    let each = udp + 101 + 2 * pairs;
    let holders: Vec<_> = (0..HOLDERS).map(|_| held(&many)).collect();
    // Private memory that is written to.
    let text = told(&shell(&format!("ulimit -d {MEMORY_KIB}; exec $BIN/sockls -q -o json 0.5 2")));
    for (workload, _, _) in &holders {
        let of_it = format!("\"pid\":{},", workload.pid());
        let told = text.lines().filter(|line| line.contains(&of_it)).count() as u64;
        Comparison::of("sockls", &[]).part(workload.pid()).field("sockets", told, 2 * each).equal();
    }
    // Of the processor, which a clock on the wall would share with all others; an emulated one is many times slower.
    if kernel::of_guest().is_none() {
        let output = shell("TIMEFORMAT='%U %S'; time $BIN/sockls -q -o json >/dev/null");
        told(&output);
        let seconds: f64 = String::from_utf8_lossy(&output.stderr)
            .split_whitespace()
            .map(|seconds| seconds.parse::<f64>().expect("seconds"))
            .sum();
        assert!(
            seconds < MOST_SECONDS,
            "{seconds} s of processor time for {} sockets",
            HOLDERS as u64 * each
        );
    }
    holders.into_iter().for_each(|(workload, ..)| drop(workload.finish()));
}

fn told(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}
