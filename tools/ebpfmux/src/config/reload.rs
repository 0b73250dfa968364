//! A file that is read again, while the merge goes on, on SIGHUP.

use std::os::fd::{AsFd, BorrowedFd};

use cli::exit::Result;

use super::Config;
use super::hangup::Hangup;
use crate::note::note;
use crate::supervisor::planned::Planned;

/// The file as it was read last, and the wish to read it again.
pub struct Reloads {
    config: Config,
    hangup: Hangup,
}

impl Reloads {
    /// From now on SIGHUP reads the file again.
    pub fn new(config: Config) -> Result<Self> {
        Ok(Self { config, hangup: Hangup::new()? })
    }

    /// The commands of the file as it is now, if it is to be read again. A file that is wrong is no reason to end: a note
    /// says what, and all goes on as before.
    pub fn commands(&mut self) -> Option<Vec<Planned>> {
        if !self.hangup.came() {
            return None;
        }
        let new = match Config::read(&self.config.path) {
            Ok(new) => new,
            Err(failure) => {
                note(&format!("{}; nothing is changed", failure.message));
                return None;
            }
        };
        let keys = self.config.differing(&new);
        if !keys.is_empty() {
            let (path, keys) = (self.config.path.display(), keys.join(", "));
            note(&format!("{path}: takes effect when ebpfmux is started again: {keys}"));
        }
        // What needs a new start is told again each time.
        self.config.commands.clone_from(&new.commands);
        Some(new.commands)
    }
}

impl AsFd for Reloads {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.hangup.as_fd()
    }
}
