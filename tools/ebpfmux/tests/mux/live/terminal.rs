//! A real terminal, tmux's, in which `ebpfmux --live` runs and whose screen is read.

use std::path::Path;

use test_support::terminal;

use crate::support::eventually;

/// What a shell in it prints when it waits for a command.
pub const PROMPT: &str = "prompt>";

/// A terminal with a shell. Dropping it ends what runs in it.
pub struct Terminal(terminal::Terminal);

impl Terminal {
    /// With so many columns and rows, in UTC.
    pub fn new(columns: u16, rows: u16) -> Self {
        let terminal = Self(terminal::Terminal::running("true", Path::new("."), columns, rows, &[]));
        // The shell is the terminal's own process, which is asked for by its pid.
        let shell = format!("exec env TZ=UTC TERM=tmux-256color PS1='{PROMPT} ' bash --norc --noprofile -i");
        terminal.0.tmux(&["respawn-pane", "-k", &shell]);
        terminal.until(PROMPT);
        terminal
    }

    /// The same, with a command started in it.
    pub fn running(columns: u16, rows: u16, command: &str) -> Self {
        let terminal = Self::new(columns, rows);
        terminal.command(command);
        terminal
    }

    /// Types a command and Enter.
    pub fn command(&self, command: &str) {
        self.typed(command);
        self.press("Enter");
    }

    /// Types a text as it is.
    pub fn typed(&self, text: &str) {
        self.0.tmux(&["send-keys", "-l", "--", text]);
    }

    /// Presses a key, by tmux's name for it.
    pub fn press(&self, key: &str) {
        self.0.tmux(&["send-keys", "--", key]);
    }

    /// Another size.
    pub fn resize(&self, columns: u16, rows: u16) {
        self.0.resize(columns, rows);
    }

    /// What is on the screen.
    pub fn screen(&self) -> String {
        self.0.screen()
    }

    /// The same with the sequences for colours.
    pub fn coloured(&self) -> String {
        self.0.coloured()
    }

    /// Writes all that a program draws from now on into a file.
    pub fn keep(&self, file: &str) {
        self.0.tmux(&["pipe-pane", &format!("cat > {file}")]);
    }

    /// What tmux says of the terminal.
    pub fn asked(&self, format: &str) -> String {
        let answer = self.0.tmux(&["display-message", "-p", format]);
        String::from_utf8_lossy(&answer.stdout).trim().to_owned()
    }

    /// Waits until the screen has this.
    pub fn until(&self, text: &str) -> String {
        self.until_that(text, |screen| screen.contains(text))
    }

    /// Waits until the screen has this no more.
    pub fn until_without(&self, text: &str) -> String {
        self.until_that(&format!("no {text}"), |screen| !screen.contains(text))
    }

    /// Waits until the screen is so, and returns it.
    pub fn until_that(&self, what: &str, is: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually(what, || {
                last = self.screen();
                is(&last).then(|| last.clone())
            })
        }));
        seen.unwrap_or_else(|_| panic!("never: {what}, but\n{last}"))
    }
}
