//! One command of `--run`: how it is found, started, signalled and reaped.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};

use super::attached::{self, Reader};
use super::ends::{Ends, ends};
use cli::exit::{Failure, Result};
use rustix::io::FdFlags;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::process;

/// The variables by which systemd speaks to the process that it has started (sd_listen_fds(3), sd_notify(3)).
const SERVICE: [&str; 4] = ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET"];

/// A command line, split into words.
#[derive(Clone)]
pub struct CommandLine {
    /// As the user wrote it; the name of the source.
    pub text: String,
    /// When it is expected to end.
    pub ends: Ends,
    words: Vec<String>,
}

impl CommandLine {
    /// Splits a command line as a shell would, without running one.
    pub fn parse(text: &str) -> Result<Self> {
        match shlex::split(text) {
            Some(words) if !words.is_empty() => Ok(Self { text: text.to_owned(), ends: ends(&words), words }),
            Some(_) => Err(Failure::usage("--run: the command is empty")),
            None => Err(Failure::usage(format!("--run '{text}': a quote is not closed"))),
        }
    }

    /// Of words, the first of which is the program.
    pub fn of(words: Vec<String>) -> Self {
        // A NUL byte, which has no quoted form, is refused when it is started.
        let quote = |word: &String| {
            shlex::try_quote(word).map_or_else(|_| word.clone(), std::borrow::Cow::into_owned)
        };
        let text = words.iter().map(quote).collect::<Vec<_>>().join(" ");
        Self { text, ends: ends(&words), words }
    }

    /// The same with one more word.
    pub fn with(&self, word: &str) -> Self {
        Self::of(self.words.iter().map(String::as_str).chain([word]).map(String::from).collect())
    }

    /// The words behind the program.
    pub fn arguments(&self) -> &[String] {
        &self.words[1..]
    }

    /// Whether it is the same command.
    pub fn is(&self, other: &Self) -> bool {
        self.words == other.words
    }

    /// The first word without a folder.
    pub fn name(&self) -> &str {
        self.words[0].rsplit('/').next().unwrap_or_default()
    }

    /// Starts it; also returns its stdout.
    pub fn start(&self) -> io::Result<(Running, OwnedFd)> {
        let mut command = Command::new(self.program());
        command.args(self.arguments()).stdin(Stdio::null()).stdout(Stdio::piped());
        let (attached, kept) = attached::pipe()?;
        command.envs([attached::variable(&kept)?]);
        // These are for this process: what systemd gave it, and how it tells systemd how it does.
        SERVICE.iter().for_each(|name| _ = command.env_remove(name));
        // SAFETY: between fork and exec only system calls are made, which touch no memory that a
        // lock guards.
        unsafe {
            command.pre_exec(move || {
                // If ebpfmux was started as a background job of a script, SIGINT is ignored, and
                // would be by the command, which is stopped with it.
                libc::signal(libc::SIGINT, libc::SIG_DFL);
                Ok(rustix::io::fcntl_setfd(&kept, FdFlags::empty())?)
            });
        }
        let (mut child, ended) = process::start(&mut command, Signal::KILL)?;
        let pid = Pid::from_child(&child);
        let pipe = child.stdout.take().map(OwnedFd::from);
        // `piped` makes the pipe.
        Ok((Running { child, pid, ended, attached }, pipe.ok_or(io::ErrorKind::BrokenPipe)?))
    }

    /// A bare name is searched beside this executable first, then, by the system, in PATH.
    pub fn program(&self) -> OsString {
        let name = self.words[0].as_str();
        let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join(name)));
        beside.filter(|path| !name.contains('/') && path.is_file()).map_or_else(|| name.into(), Into::into)
    }
}

/// A child that has been started. Dropping it kills and reaps it.
pub struct Running {
    child: Child,
    pid: Pid,
    ended: OwnedFd,
    /// What it tells of its hooks, if it is a tool.
    pub attached: Reader,
}

impl Running {
    /// Becomes readable when the child has ended.
    pub fn ended(&self) -> BorrowedFd<'_> {
        self.ended.as_fd()
    }

    /// Reaps the child if it has ended.
    pub fn reap(&mut self) -> Option<ExitStatus> {
        // An error means that there is no such child any more.
        self.child.try_wait().unwrap_or_else(|_| Some(ExitStatus::from_raw(0)))
    }

    /// Signals the child's process group.
    pub fn signal(&self, signal: Signal) {
        // Fails if all have exited, which is the purpose of the signal.
        let _ = kill_process_group(self.pid, signal);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.reap().is_none() {
            self.signal(Signal::KILL);
            // A killed child exits.
            let _ = self.child.wait();
        }
    }
}

/// How a child ended, in words.
pub fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with status {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_would() {
        let command = CommandLine::parse("biolat --comm 'a b' 1").unwrap();
        assert_eq!(command.words, ["biolat", "--comm", "a b", "1"]);
        assert!(CommandLine::parse("biolat 'a").is_err());
        assert!(CommandLine::parse("  ").is_err());
    }
}
