//! What a tool says when it refuses.

use crate::programs::shell;

/// Runs a line of shell; its status, stdout, and the lines of its stderr.
pub fn run(line: &str) -> (Option<i32>, String, Vec<String>) {
    let output = shell(line);
    let said = String::from_utf8_lossy(&output.stderr).lines().map(String::from).collect();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), said)
}

/// A tool refuses, with this status and one line that holds all of these.
pub fn refuses(line: &str, status: i32, parts: &[&str]) {
    let (code, out, said) = run(line);
    assert_eq!((code, out.as_str(), said.len()), (Some(status), "", 1), "{line}: {out} {said:?}");
    for part in parts {
        assert!(said[0].contains(part), "{line}: {part:?} is not in {said:?}");
    }
}
