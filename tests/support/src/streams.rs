//! `ebpfmux` on made-up records.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::programs::built;

/// A directory for the streams of a test.
pub struct Streams(TempDir);

/// How a command ended, and its output.
pub struct ShellOutput {
    /// Its status; `None` after a signal.
    pub status: Option<i32>,
    /// stdout.
    pub out: String,
    /// stderr.
    pub err: String,
}

impl From<Output> for ShellOutput {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Self { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Default for Streams {
    fn default() -> Self {
        let streams = Self(tempfile::tempdir().expect("a directory"));
        for program in MADE_UP {
            let schema = include_str!("../schemas/made-up.json").replace("made-up", program);
            streams.write(&format!(".{program}.json"), schema);
        }
        streams
    }
}

/// Made-up programs, all with the same fields.
const MADE_UP: [&str; 3] = ["disks", "plain", "t"];

impl Streams {
    /// What `EBPFMUX_SCHEMA` is to be for the made-up programs.
    pub fn schemas(&self) -> String {
        MADE_UP.map(|program| self.path(&format!(".{program}.json")).display().to_string()).join(":")
    }

    /// The path of a file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.path(name), content).expect("a file is written");
        self
    }

    /// Runs a bash command line in it, with the built `ebpfmux` in PATH.
    pub fn shell(&self, line: &str) -> ShellOutput {
        self.bash(&mut Command::new("bash"), line)
    }

    /// The same where the line may mount file systems, which end with it. Needs no root: of another user it is the root
    /// of a user namespace.
    pub fn shell_that_mounts(&self, line: &str) -> ShellOutput {
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
        let mut unshare = Command::new("unshare");
        if !is_root {
            unshare.arg("--map-root-user");
        }
        self.bash(unshare.args(["--mount", "bash"]), line)
    }

    fn bash(&self, command: &mut Command, line: &str) -> ShellOutput {
        command
            .args(["-o", "pipefail", "-c", line])
            .env("PATH", path())
            .env("EBPFMUX_SCHEMA", self.schemas());
        command.current_dir(self.0.path()).stdin(Stdio::null()).output().expect("bash runs").into()
    }

    /// Runs a command line that must succeed with nothing on stderr; returns its stdout.
    pub fn good(&self, line: &str) -> String {
        let output = self.shell(line);
        assert_eq!((output.status, output.err.as_str()), (Some(0), ""), "{line}: {}", output.out);
        output.out
    }
}

/// PATH for `ebpfmux` as built, Prometheus and VictoriaMetrics; the latter two also where
/// `scripts/setup` unpacks them.
pub fn path() -> String {
    let bin = built("ebpfmux").parent().expect("a directory").display().to_string();
    let cache = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.cache");
    let unpacked = format!("{cache}/prometheus/usr/bin:{cache}/victoria-metrics/usr/bin");
    format!("{bin}:{}:{unpacked}", std::env::var("PATH").unwrap_or_default())
}

/// The time stamp so many seconds after a fixed minute.
pub fn ts(seconds: f64) -> String {
    let micros = (seconds * 1e6).round() as u64;
    let (whole, micros) = (micros / 1_000_000, micros % 1_000_000);
    format!("2026-11-21T{:02}:{:02}:{:02}.{micros:06}Z", 6 + whole / 3600, whole / 60 % 60, whole % 60)
}

/// A record of an interval of a second as the tools print it.
pub fn record(seconds: f64, host: &str, tool: &str, values: &str) -> String {
    let ts = ts(seconds);
    format!(r#"{{"ts":"{ts}","host":"{host}","tool":"{tool}","interval_s":1.0,{values},"lost":0}}"#) + "\n"
}
