//! The folder of a recording: its lock, the numbers of its files, and how many are kept.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use cli::exit::{Failure, Result};
use cli::shortage::Shortage;
use rustix::io::Errno;

use crate::note::note;
use crate::record::lock::{Lock, Refused};
use crate::record::recording::{files, name};

/// A folder that this process records into.
pub struct Folder {
    path: PathBuf,
    /// The number of the next file; `None` after the last possible number.
    next: Option<u64>,
    /// The maximum number of files.
    keep: Option<usize>,
    /// Held so that no other process records into it.
    lock: Option<Lock>,
    /// Whether it was reported that old files cannot be removed.
    reported: bool,
}

impl Folder {
    /// Locks a folder, which is created if it does not exist; an existing recording is continued.
    ///
    /// # Errors
    /// Status 1 if another process records into it, or the system lacks room, descriptors or memory; else status 2.
    pub fn new(path: &Path, keep: Option<usize>) -> Result<Self> {
        make(path).map_err(|error| refused(path, &error))?;
        let lock = match Lock::take(path) {
            Ok(lock) => lock,
            Err(Refused::Failed(error)) => return Err(refused(path, &error)),
            Err(Refused::Held(pid)) => {
                let who = pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
                return Err(Failure::failed(format!(
                    "--record: {who} records into {}; name another folder",
                    path.display()
                )));
            }
        };
        if lock.is_none() {
            note(&format!(
                "--record: {} cannot be locked: see that no other process records into it",
                path.display()
            ));
        }
        let files = files(path).map_err(|error| refused(path, &error))?;
        let next = files.last().map_or(Some(1), |(number, _)| number.checked_add(1));
        if next.is_none() {
            let last = name(u64::MAX);
            return Err(Failure::usage(format!(
                "--record: {} has {last}, after which there is no number; name another folder",
                path.display()
            )));
        }
        Ok(Self { path: path.to_owned(), next, keep, lock, reported: false })
    }

    /// Creates the next file, and removes the oldest if there are too many.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub fn begin(&mut self) -> io::Result<(File, PathBuf)> {
        let number = self.next.ok_or_else(|| io::Error::other("there is no number for one more file"))?;
        let path = self.path.join(name(number));
        // Private: records of --events hold command lines.
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let file = match options.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // The folder was removed.
                make(&self.path)?;
                self.lock = Lock::take(&self.path).ok().flatten();
                options.open(&path)?
            }
            other => other?,
        };
        self.next = number.checked_add(1);
        self.remove_oldest();
        Ok((file, path))
    }

    /// Removes the file that was created last, which is empty; its number is used again.
    pub fn take_back(&mut self, path: &Path) {
        if fs::remove_file(path).is_ok() {
            self.next = self.next.map_or(Some(u64::MAX), |next| next.checked_sub(1));
        }
    }

    fn remove_oldest(&mut self) {
        let Some(keep) = self.keep else { return };
        let outcome = files(&self.path).and_then(|files| {
            let mut old = files.iter().take(files.len().saturating_sub(keep.max(1)));
            old.try_for_each(|(_, path)| fs::remove_file(path))
        });
        match outcome {
            Err(error) if error.kind() != io::ErrorKind::NotFound && !self.reported => {
                self.reported = true;
                note(&format!("--record-keep: cannot remove files of {}: {error}", self.path.display()));
            }
            _ => {}
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Syncs the names of its files to disk.
    ///
    /// # Errors
    /// If that fails.
    pub fn sync(&self) -> io::Result<()> {
        match rustix::fs::fsync(File::open(&self.path)?) {
            // A file system that syncs no folders.
            Err(Errno::INVAL) => Ok(()),
            outcome => Ok(outcome?),
        }
    }
}

/// Creates a folder for its owner only, and its parents with the usual mode.
fn make(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other,
    }
}

/// The failure for a folder that cannot be used: a shortage may pass (status 1), a wrong name does
/// not (status 2).
pub fn refused(folder: &Path, error: &io::Error) -> Failure {
    let what = format!("--record: cannot use {}", folder.display());
    match Shortage::of(error) {
        Some(shortage) => shortage.failure(what, error),
        None if Errno::from_io_error(error) == Some(Errno::IO) => Failure::failed(format!("{what}: {error}")),
        None => Failure::usage(format!("{what}: {error}; name a folder to write to")),
    }
}
