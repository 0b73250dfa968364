//! Comparisons of two clocks.

use std::io::Write;

/// How often at most a comparison is made.
const TIMES: usize = 5;

/// Asserts that what a tool tells of lengths of time is what another clock tells. `compare` does the work anew, under a
/// tool started anew, and returns what was told wrong. Between the two clocks a processor may stand still, for as long
/// as the machine below has other work, or somebody else may run: that goes by. What a tool tells wrong it tells wrong
/// each time. Counts are no matter of this: what is counted wrong once fails at once.
pub fn agrees(mut compare: impl FnMut() -> Vec<String>) {
    let mut all = Vec::new();
    for _ in 0..TIMES {
        let wrong = compare();
        if wrong.is_empty() {
            return;
        }
        let wrong = wrong.join(", ");
        // Not by eprintln, which the test harness keeps to itself.
        writeln!(std::io::stderr(), "once more, for the clocks did not agree: {wrong}")
            .expect("stderr takes a line");
        all.push(wrong);
    }
    panic!("wrong each time: {}", all.join("; "));
}
