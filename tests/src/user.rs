//! A user other than root, with few capabilities or none.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::kernel;
use crate::programs::{TOOLS, built};

/// Its user id, which no account has.
const ID: &str = "65534";

/// Programs that other users can reach.
pub struct Programs {
    folder: PathBuf,
    #[expect(dead_code, reason = "removes the copies")]
    copies: Option<TempDir>,
}

impl Programs {
    /// All tools, and the one that reads their streams: a guest's own, which everybody can reach; copies elsewhere, where
    /// the directories above the build may be closed.
    pub fn new() -> Self {
        match (kernel::of_guest(), built("ebpfmux").parent()) {
            (Some(_), Some(folder)) => Self { folder: folder.to_path_buf(), copies: None },
            _ => Self::of(&TOOLS),
        }
    }

    /// Copies of these tools only, and of the one that reads their streams.
    pub fn of(tools: &[&str]) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o755);
        let dir = tempfile::Builder::new().permissions(mode).tempdir().expect("a temporary directory");
        for tool in tools.iter().chain(&["ebpfmux"]) {
            std::fs::copy(built(tool), dir.path().join(tool)).expect("a copy");
        }
        Self { folder: dir.path().to_path_buf(), copies: Some(dir) }
    }

    /// Their directory.
    pub fn folder(&self) -> &str {
        self.folder.to_str().expect("UTF-8")
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
        command.args([&format!("--bounding-set=-all{only}"), "--"]).arg(self.folder.join(tool));
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
