//! fio: I/O of a known number.

use serde_json::Value;

use crate::programs;

/// Runs a job and returns its report, all of the job's processes summed up.
pub fn run(file: &str, options: &[&str]) -> Value {
    let filename = format!("--filename={file}");
    let always = ["--name=test", "--direct=1", "--group_reporting", "--output-format=json", &filename];
    let said = programs::succeed("fio", &[&always, options].concat());
    let report: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    report["jobs"][0].clone()
}

/// The number of an operation (`read`, `write`, `trim`) and its bytes.
pub fn done(job: &Value, op: &str) -> [u64; 2] {
    ["total_ios", "io_bytes"].map(|field| job[op][field].as_u64().expect("a count in fio's report"))
}
