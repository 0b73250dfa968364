//! Comparisons of two clocks.

use std::io::Write;

/// The maximum number of tries of a comparison.
const TIMES: usize = 5;

/// Asserts that the times that a tool reports agree with another clock. `compare` repeats the work
/// with a newly started tool and returns the errors. Between the two clock readings a processor may
/// stop while the host runs other work, or another task may run; that does not happen in every try.
/// A wrong time of a tool is wrong in every try. Counts are not repeated: a wrong count fails at
/// once.
pub fn agrees(mut compare: impl FnMut() -> Vec<String>) {
    let mut all = Vec::new();
    for _ in 0..TIMES {
        let wrong = compare();
        if wrong.is_empty() {
            return;
        }
        let wrong = wrong.join(", ");
        // Not eprintln: the test harness captures it.
        writeln!(std::io::stderr(), "once more, for the clocks did not agree: {wrong}")
            .expect("stderr takes a line");
        all.push(wrong);
    }
    panic!("wrong each time: {}", all.join("; "));
}
