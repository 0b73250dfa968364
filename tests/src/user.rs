//! A user other than root, with few capabilities or none.

use std::process::Command;

use tempfile::TempDir;

use crate::programs::{TOOLS, built};

/// Its user id, which no account has.
const ID: &str = "65534";

/// Copies of the programs that other users can reach: the directories above the build may be closed
/// to them.
pub struct Programs(TempDir);

impl Programs {
    /// Copies of all tools, and of the one that reads their streams.
    pub fn new() -> Self {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o755);
        let dir = tempfile::Builder::new().permissions(mode).tempdir().expect("a temporary directory");
        for tool in TOOLS.into_iter().chain(["ebpfmux"]) {
            std::fs::copy(built(tool), dir.path().join(tool)).expect("a copy");
        }
        Self(dir)
    }

    /// Their directory.
    pub fn folder(&self) -> &str {
        self.0.path().to_str().expect("UTF-8")
    }

    /// A command that runs one of them as this user, with exactly these capabilities.
    pub fn run<S: AsRef<str>>(&self, capabilities: &[S], tool: &str) -> Command {
        let mut command = Command::new("setpriv");
        let only: String = capabilities.iter().map(|name| format!(",+{}", short(name.as_ref()))).collect();
        command.args([
            &format!("--reuid={ID}"),
            &format!("--regid={ID}"),
            "--clear-groups",
            "--no-new-privs",
        ]);
        command.args([format!("--inh-caps=-all{only}"), format!("--ambient-caps=-all{only}")]);
        command.args([&format!("--bounding-set=-all{only}"), "--"]).arg(self.0.path().join(tool));
        command
    }
}

impl Default for Programs {
    fn default() -> Self {
        Self::new()
    }
}

/// As setpriv names it: CAP_BPF is bpf.
fn short(capability: &str) -> String {
    capability.trim_start_matches("CAP_").to_lowercase()
}
