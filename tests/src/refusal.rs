//! The output of a tool that refuses to run.

use crate::programs::shell;

/// Runs a shell command line; returns its status, stdout, and the lines of its stderr.
pub fn run(line: &str) -> (Option<i32>, String, Vec<String>) {
    let output = shell(line);
    let stderr = String::from_utf8_lossy(&output.stderr).lines().map(String::from).collect();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), stderr)
}

/// Asserts that a tool refuses with this status and a single line on stderr that contains all of
/// these.
pub fn refuses(line: &str, status: i32, parts: &[&str]) {
    let (code, out, stderr) = run(line);
    assert_eq!((code, out.as_str(), stderr.len()), (Some(status), "", 1), "{line}: {out} {stderr:?}");
    for part in parts {
        assert!(stderr[0].contains(part), "{line}: {part:?} is not in {stderr:?}");
    }
}
