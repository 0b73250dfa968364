//! The merge behind the screen: another `ebpfmux` with the same command line, whose stdout and stderr are read here. So the
//! stream is exactly what it would be without a screen, a reader that does not read holds it up without loss, and what
//! happens to one process does not leave the terminal in disorder.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use cli::exit::{Exit, Result};
use cli::{poll, shortage};
use memchr::memchr;
use rustix::buffer::spare_capacity;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::messages::Messages;
use crate::process;

/// How much is read at once.
const READ: usize = 1 << 18;
/// The size that is asked of the pipe.
const PIPE: usize = 1 << 20;
/// The longest line that is taken: that of the merge.
const LINE: usize = 1 << 24;
/// How long it may take to end: longer than it gives its own commands.
const PATIENCE: Duration = Duration::from_secs(8);

/// The merge, and what it has delivered.
pub struct Feed {
    child: Child,
    pid: Pid,
    ended: OwnedFd,
    records: Option<OwnedFd>,
    said: Option<OwnedFd>,
    buffer: Vec<u8>,
    /// How much of the buffer has been taken.
    taken: usize,
}

impl Feed {
    /// Starts it with these words.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(words: &[OsString], stdin: bool) -> Result<Self> {
        let failure = |error: &io::Error| shortage::failure(Exit::Failed, "cannot run itself", error);
        Self::spawn(words, stdin).map_err(|error| failure(&error))
    }

    fn spawn(words: &[OsString], stdin: bool) -> io::Result<Self> {
        // By its name, so that it is not called `exe`; it may have been replaced since, or removed.
        let own = std::env::current_exe().ok().filter(|own| own.is_file());
        let mut command = Command::new(own.unwrap_or_else(|| "/proc/self/exe".into()));
        command.arg0("ebpfmux").args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
        if !stdin {
            command.stdin(Stdio::null());
        }
        // So it ends its own commands in order.
        let (mut child, ended) = process::start(&mut command, Signal::TERM)?;
        let pid = Pid::from_child(&child);
        let (records, said) =
            (child.stdout.take().map(OwnedFd::from), child.stderr.take().map(OwnedFd::from));
        let feed = Self { child, pid, ended, records, said, buffer: Vec::new(), taken: 0 };
        feed.records.iter().chain(&feed.said).try_for_each(process::never_wait)?;
        // It fails where the user's limit of pipe memory is reached: the present size is enough.
        let _ = feed.records.as_ref().map(|pipe| rustix::pipe::fcntl_setpipe_size(pipe, PIPE));
        Ok(feed)
    }

    /// Where records come, until their end.
    pub fn records(&self) -> Option<BorrowedFd<'_>> {
        self.records.as_ref().map(AsFd::as_fd)
    }

    /// Where messages come, until their end.
    pub fn said(&self) -> Option<BorrowedFd<'_>> {
        self.said.as_ref().map(AsFd::as_fd)
    }

    /// Whether all records have been taken.
    pub fn is_over(&self) -> bool {
        self.records.is_none() && self.taken == self.buffer.len()
    }

    /// Whether there is something to be taken without waiting: a line, or the end.
    pub fn has_more(&self) -> bool {
        self.records.is_none() || memchr(b'\n', &self.buffer[self.taken..]).is_some()
    }

    /// Reads records once, without waiting; returns whether some came.
    pub fn read(&mut self) -> bool {
        let Some(pipe) = &self.records else { return false };
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.reserve(READ);
        match rustix::io::read(pipe, spare_capacity(&mut self.buffer)) {
            Ok(1..) if self.buffer.len() <= LINE + READ => return true,
            Err(Errno::AGAIN | Errno::INTR) => return false,
            // The end, or a line that has none.
            _ => self.records = None,
        }
        if self.buffer.last().is_some_and(|byte| *byte != b'\n') {
            self.buffer.push(b'\n');
        }
        true
    }

    /// The next line of what has been read.
    pub fn line(&mut self) -> Option<&[u8]> {
        let from = self.taken;
        let end = from + memchr(b'\n', &self.buffer[from..])?;
        self.taken = end + 1;
        Some(&self.buffer[from..end])
    }

    /// Reads messages, without waiting.
    pub fn listen(&mut self, messages: &mut Messages) {
        let mut bytes = [0; 1 << 14];
        while let Some(pipe) = &self.said {
            match rustix::io::read(pipe, &mut bytes) {
                Ok(read) if read > 0 => messages.take(&bytes[..read]),
                Err(Errno::AGAIN | Errno::INTR) => return,
                _ => self.said = None,
            }
        }
    }

    /// Ends it, as SIGINT would, and drops the records that are not shown yet. What it still says is kept.
    pub fn end(mut self, messages: &mut Messages) -> Option<ExitStatus> {
        // It fails if it has ended, which is the purpose.
        let _ = kill_process(self.pid, Signal::INT);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut fds = vec![(self.ended.as_fd(), PollFlags::IN)];
            fds.extend(self.said.iter().chain(&self.records).map(|pipe| (pipe.as_fd(), PollFlags::IN)));
            let ready = poll::ready(&fds, Some(left));
            self.listen(messages);
            // They are recorded and served as ever, where that was asked for.
            while self.read() {
                self.taken = self.buffer.len();
            }
            if ready.first() == Some(&true) || left.is_zero() {
                messages.close();
                // Where it still runs, dropping this kills it.
                return self.child.try_wait().ok().flatten();
            }
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
