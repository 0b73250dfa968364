//! fio: a known number of I/O operations.

use serde_json::Value;

use crate::programs;

/// Runs a job and returns its report, summed over the job's processes.
pub fn run(file: &str, options: &[&str]) -> Value {
    let filename = format!("--filename={file}");
    let always = ["--name=test", "--direct=1", "--group_reporting", "--output-format=json", &filename];
    let stdout = programs::succeed("fio", &[&always, options].concat());
    let report: Value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"));
    report["jobs"][0].clone()
}

/// The number of operations (`read`, `write`, `trim`) and their bytes.
pub fn done(job: &Value, op: &str) -> [u64; 2] {
    ["total_ios", "io_bytes"].map(|field| job[op][field].as_u64().expect("a count in fio's report"))
}
