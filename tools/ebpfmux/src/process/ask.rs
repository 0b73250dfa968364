//! Asks a program something, and does not wait for ever.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use cli::poll;
use rustix::event::PollFlags;
use rustix::process::{Pid, Signal, kill_process_group};

/// The most that is kept of each output: the tool with the most hooks prints 20 KB.
const KEPT: usize = 1 << 20;

/// What a program answered.
pub struct Answer {
    /// How it ended; `None` if it was killed because it did not in time.
    pub status: Option<ExitStatus>,
    /// Its output.
    pub stdout: Vec<u8>,
    /// What it said of it.
    pub stderr: Vec<u8>,
}

/// Runs a program to its end, for at most this long; then it and what it started in its process group are killed.
///
/// # Errors
/// If it cannot be started.
pub fn ask(program: &Path, arguments: &[&str], patience: Duration) -> io::Result<Answer> {
    ask_with(program, arguments, &[], patience)
}

/// The same with these environment variables.
///
/// # Errors
/// If it cannot be started.
pub fn ask_with(
    program: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
    patience: Duration,
) -> io::Result<Answer> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let (child, ended) = super::start(&mut command, Signal::KILL)?;
    let mut asked = Asked(child);
    let deadline = Instant::now() + patience;
    let mut stdout = Kept::of(asked.0.stdout.take().map(OwnedFd::from))?;
    let mut stderr = Kept::of(asked.0.stderr.take().map(OwnedFd::from))?;
    // Its end counts, not that of the pipes: a process that it left behind may hold them.
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut fds = vec![(ended.as_fd(), PollFlags::IN)];
        let open = [&stdout, &stderr].into_iter().filter_map(|kept| kept.pipe.as_ref());
        fds.extend(open.map(|pipe| (pipe.as_fd(), PollFlags::IN)));
        let ready = poll::ready(&fds, Some(left));
        stdout.read();
        stderr.read();
        if ready.first() == Some(&true) {
            let status = asked.0.wait()?;
            stdout.read();
            stderr.read();
            return Ok(Answer { status: Some(status), stdout: stdout.bytes, stderr: stderr.bytes });
        }
        if left.is_zero() {
            return Ok(Answer { status: None, stdout: stdout.bytes, stderr: stderr.bytes });
        }
    }
}

/// A program at work. Dropping it kills and reaps it.
struct Asked(Child);

impl Drop for Asked {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(Some(_))) {
            // It fails if all have exited, which is the purpose of the signal.
            let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
            let _ = self.0.wait();
        }
    }
}

/// What came through a pipe, which is read without waiting.
struct Kept {
    pipe: Option<OwnedFd>,
    bytes: Vec<u8>,
}

impl Kept {
    fn of(pipe: Option<OwnedFd>) -> io::Result<Self> {
        pipe.iter().try_for_each(super::never_wait)?;
        Ok(Self { pipe, bytes: Vec::new() })
    }

    fn read(&mut self) {
        let mut bytes = [0; 1 << 16];
        while let Some(pipe) = self.pipe.take() {
            let mut file = std::fs::File::from(pipe);
            match file.read(&mut bytes) {
                Ok(0) => return,
                Ok(read) => {
                    let room = KEPT.saturating_sub(self.bytes.len());
                    self.bytes.extend_from_slice(&bytes[..read.min(room)]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let open = error.kind() == io::ErrorKind::WouldBlock;
                    self.pipe = open.then(|| file.into());
                    return;
                }
            }
            self.pipe = Some(file.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(words: &str, patience: Duration) -> Answer {
        ask(Path::new("/bin/sh"), &["-c", words], patience).unwrap()
    }

    #[test]
    fn what_it_says_and_how_it_ends_is_told() {
        let answer = shell("echo a; echo b >&2; exit 3", Duration::from_secs(60));
        assert_eq!(answer.status.unwrap().code(), Some(3));
        assert_eq!((answer.stdout.as_slice(), answer.stderr.as_slice()), (&b"a\n"[..], &b"b\n"[..]));
        assert!(ask(Path::new("/nonexistent"), &[], Duration::from_secs(60)).is_err());
    }

    #[test]
    fn one_that_hangs_is_not_waited_for() {
        let answer = shell("echo a; sleep 600", Duration::from_millis(300));
        assert!(answer.status.is_none());
        assert_eq!(answer.stdout, b"a\n");
        // A process that outlives it and holds the pipes is not waited for, either.
        assert!(shell("sleep 3 & exit 0", Duration::from_secs(60)).status.is_some());
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_rest_does_not_stop_it() {
        let answer = shell("head -c 3000000 /dev/zero", Duration::from_secs(60));
        assert_eq!((answer.status.unwrap().code(), answer.stdout.len()), (Some(0), KEPT));
    }
}
