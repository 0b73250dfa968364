//! A terminal of a given size, with a program in it: tmux, as a person uses it.

use std::path::Path;
use std::process::{Command, Output};

use crate::wait::{For, until_or};

/// What a terminal shows when the program in it has ended.
pub const ENDED: &str = "[ended]";

/// A terminal; it goes away when this is dropped.
pub struct Terminal {
    folder: tempfile::TempDir,
}

impl Terminal {
    /// One of so many columns and rows, in which a shell runs this command in this folder, with these variables.
    pub fn running(command: &str, folder: &Path, columns: u16, rows: u16, env: &[(&str, &str)]) -> Self {
        let terminal = Self { folder: tempfile::tempdir().expect("a folder") };
        let variables: Vec<String> = env.iter().map(|(name, value)| format!("{name}='{value}'")).collect();
        // Until it is killed, so that what was shown stays.
        let shell = format!("env {} sh -c '{command}'; echo '{ENDED}'; exec sleep 600", variables.join(" "));
        let (x, y) = (columns.to_string(), rows.to_string());
        let start = ["new-session", "-d", "-x", &x, "-y", &y, "-c", &folder.to_string_lossy(), &shell];
        let output = terminal.tmux(&start);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        terminal
    }

    /// What it shows now, without empty lines at its end.
    pub fn screen(&self) -> String {
        self.captured(&["capture-pane", "-p"])
    }

    /// The same with its colours, as a terminal is told them.
    pub fn coloured(&self) -> String {
        self.captured(&["capture-pane", "-p", "-e"])
    }

    /// What it shows as soon as that contains this text.
    pub fn shows(&self, text: &str) -> String {
        let screen = || Some(self.screen()).filter(|screen| screen.contains(text));
        until_or(For::Record, format!("a terminal that shows {text:?}"), screen, || self.screen())
    }

    /// What it shows when the program has ended, without the line that says so.
    pub fn ended(&self) -> String {
        self.shows(ENDED).replace(&format!("{ENDED}\n"), "")
    }

    /// Gives it another size, as a person who drags the corner of a window.
    pub fn resize(&self, columns: u16, rows: u16) {
        let (x, y) = (columns.to_string(), rows.to_string());
        let output = self.tmux(&["resize-window", "-x", &x, "-y", &y]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn captured(&self, arguments: &[&str]) -> String {
        let text = String::from_utf8(self.tmux(arguments).stdout).expect("UTF-8");
        text.trim_end().to_owned() + "\n"
    }

    /// Asks its tmux for something.
    pub fn tmux(&self, arguments: &[&str]) -> Output {
        let mut tmux = Command::new("tmux");
        tmux.args(["-u", "-f", "/dev/null"]).args(arguments);
        tmux.env("TMUX_TMPDIR", self.folder.path())
            .env("SHELL", "/bin/sh")
            .env_remove("TMUX")
            .env_remove("NO_COLOR");
        tmux.output().expect("tmux: `scripts/setup test` installs it")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}
