//! ebpfmux as a service of a real systemd: its manager of a user's units, which needs no boot, in a mount namespace and a
//! cgroup of its own.
#![allow(clippy::expect_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tests::can_run;
use tests::cgroup::Cgroup;
use tests::programs::{built, run};
use tests::server::free_port;
use tests::wait::{For, until, until_or};

/// A manager at work.
struct Manager {
    child: Child,
    cgroup: Cgroup,
    folder: TempDir,
}

impl Manager {
    /// With these units.
    fn start(units: &[(&str, &str)]) -> Self {
        let (folder, cgroup) = (tempfile::tempdir().expect("a folder"), Cgroup::new());
        let at = folder.path().join("systemd/user");
        fs::create_dir_all(&at).expect("a folder");
        units.iter().for_each(|(name, text)| fs::write(at.join(name), text).expect("a unit"));
        // It runs only where the system seems to be one of systemd.
        let line = format!(
            "mount -t tmpfs none /run && mkdir -p /run/systemd/system /run/user && echo $$ > {}/cgroup.procs &&
             exec /lib/systemd/systemd --user --unit=basic.target --log-target=console",
            cgroup.path()
        );
        let log = fs::File::create(folder.path().join("log")).expect("a file");
        let mut command = Command::new("unshare");
        command.args(["--mount", "bash", "-c", &line]).envs(Self::environment(folder.path()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let manager = Self { child: command.spawn().expect("unshare"), cgroup, folder };
        until_or(
            For::Ready,
            "the manager",
            || (manager.show("basic.target", "ActiveState") == "active").then_some(()),
            || fs::read_to_string(manager.folder.path().join("log")).unwrap_or_default(),
        );
        manager
    }

    fn environment(folder: &Path) -> [(&'static str, String); 3] {
        let folder = folder.display().to_string();
        [("XDG_CONFIG_HOME", folder.clone()), ("HOME", folder), ("XDG_RUNTIME_DIR", "/run/user".to_owned())]
    }

    /// Asks it by systemctl; returns what that prints.
    fn ask(&self, words: &[&str]) -> String {
        let environment = Self::environment(self.folder.path());
        let environment: Vec<String> =
            environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let pid = self.child.id().to_string();
        let mut all = vec!["-t", &pid, "-m", "env"];
        all.extend(environment.iter().map(String::as_str));
        all.extend(["systemctl", "--user"]);
        all.extend(words);
        String::from_utf8_lossy(&run("nsenter", &all).stdout).trim().to_owned()
    }

    /// A property of a unit.
    fn show(&self, unit: &str, property: &str) -> String {
        self.ask(&["show", unit, "--value", "-p", property])
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
        // It leaves cgroups below its own.
        let _ = run(
            "find",
            &[self.cgroup.path(), "-mindepth", "1", "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"],
        );
    }
}

#[test]
fn systemd_gives_the_socket_and_knows_when_it_is_ready() {
    if !can_run() {
        return;
    }
    let port = free_port();
    let service = |address: &str| {
        format!(
            "[Service]\nType=notify\nExecStart={} --run 'sleep 1000' --serve {address}\n",
            built("ebpfmux").display()
        )
    };
    let socket = format!("[Socket]\nListenStream=127.0.0.1:{port}\n");
    let manager = Manager::start(&[
        ("mux.socket", &socket),
        ("mux.service", &service("fd://0")),
        ("odd.service", &service("fd://7")),
    ]);
    assert_eq!(manager.ask(&["start", "mux.socket"]), "");
    assert_eq!(manager.show("mux.service", "ActiveState"), "inactive");
    // The first client has it started.
    let got = |path: &str| {
        let url = format!("http://127.0.0.1:{port}/{path}");
        String::from_utf8_lossy(&run("curl", &["-s", "--max-time", "30", &url]).stdout).into_owned()
    };
    assert!(got("metrics").contains("\nebpfmux_series_dropped_total 0\n"));
    // Its commands are started after that.
    let runs = || got("metrics").contains("\nebpf_tool_up{tool=\"sleep\"} 1\n").then_some(());
    until_or(For::Answer, "its command", runs, || got("metrics"));
    assert_eq!(
        (manager.show("mux.service", "ActiveState"), manager.show("mux.service", "StatusText")),
        ("active".to_owned(), format!("serving on http://127.0.0.1:{port}/metrics"))
    );
    let first = manager.show("mux.service", "MainPID");
    assert_eq!(manager.ask(&["stop", "mux.service"]), "");
    assert_eq!(
        (manager.show("mux.service", "Result"), manager.show("mux.service", "ExecMainStatus")),
        ("success".to_owned(), "0".to_owned())
    );
    // The socket has stayed.
    assert_eq!(got("healthz"), "ok\n");
    assert_ne!(manager.show("mux.service", "MainPID"), first);
    // Without its socket it is never ready.
    manager.ask(&["start", "odd.service"]);
    until(For::State, "its failure", || {
        (manager.show("odd.service", "ActiveState") == "failed").then_some(())
    });
    assert_eq!(manager.show("odd.service", "ExecMainStatus"), "2");
}
