//! Where a tool that is run here has attached, as it tells by a pipe of its own (`cli::attached`).

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use cli::attached;
use rustix::pipe::{PipeFlags, pipe_with};
use serde::Deserialize;

/// What a command may tell: a tool with the most hooks tells 4 KB.
const BYTES: usize = 1 << 16;
const HOOKS: usize = 256;
const TEXT: usize = 100;

/// A hook, and how it is attached.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Attached {
    /// What is watched, as `--check` names it.
    pub hook: String,
    /// `tp_btf`, `fentry`, `kprobe`, `tracepoint`, `iter`; several of them are joined by `+`.
    pub kind: String,
}

/// A pipe for a command that is to be started, which neither side waits for: its reader, and the end that the command keeps.
pub fn pipe() -> io::Result<(Reader, OwnedFd)> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    Ok((Reader { pipe: Some(reader), read: 0, line: Vec::new(), hooks: Vec::new(), all: false }, writer))
}

/// The environment variable that tells the command about its end.
pub fn variable(writer: &OwnedFd) -> io::Result<(&'static str, String)> {
    Ok((attached::VARIABLE, attached::value(writer.as_raw_fd(), writer.as_fd())?))
}

/// What a command has told so far.
pub struct Reader {
    /// Until its end, or until it has told too much.
    pipe: Option<OwnedFd>,
    read: usize,
    /// The begin of a line.
    line: Vec<u8>,
    hooks: Vec<Attached>,
    /// Whether it has said that these are all.
    all: bool,
}

impl Reader {
    /// Reads what has come, without waiting.
    pub fn poll(&mut self) {
        let mut bytes = [0; 4096];
        while let Some(pipe) = &self.pipe {
            match rustix::io::read(pipe, &mut bytes) {
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return,
                Ok(read) if read > 0 && self.read + read <= BYTES => {
                    self.read += read;
                    self.take(&bytes[..read]);
                }
                _ => self.pipe = None,
            }
        }
    }

    /// Whether it has told all: it attaches nothing more. A command that closes its pipe without a word has not: it is no
    /// tool, or it is ending.
    pub fn is_complete(&self) -> bool {
        self.all
    }

    /// Where it has attached.
    pub fn hooks(&self) -> &[Attached] {
        &self.hooks
    }

    fn take(&mut self, bytes: &[u8]) {
        self.line.extend_from_slice(bytes);
        let Some(end) = self.line.iter().rposition(|byte| *byte == b'\n') else { return };
        let rest = self.line.split_off(end + 1);
        for line in std::mem::replace(&mut self.line, rest).split(|byte| *byte == b'\n') {
            self.all |= line == attached::ALL.as_bytes();
            // Any program can write here: what is no hook is left out.
            let told = serde_json::from_slice(line).ok();
            let fits = |told: &Attached| told.hook.len() <= TEXT && told.kind.len() <= TEXT;
            let room = HOOKS.saturating_sub(self.hooks.len());
            self.hooks.extend(told.filter(fits).into_iter().take(room));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(parts: &[&[u8]]) -> Vec<Attached> {
        let (mut reader, writer) = pipe().unwrap();
        for part in parts {
            reader.poll();
            rustix::io::write(&writer, part).unwrap();
        }
        reader.poll();
        assert!(reader.pipe.is_some());
        drop(writer);
        reader.poll();
        assert!(reader.pipe.is_none());
        assert!(!reader.is_complete());
        reader.hooks
    }

    #[test]
    fn all_is_told_only_in_so_many_words() {
        let (mut reader, writer) = pipe().unwrap();
        for (part, all) in [("{\"hook\":\"h\",\"kind\":\"k\"}\nal", false), ("l", false), ("\n", true)] {
            rustix::io::write(&writer, part.as_bytes()).unwrap();
            reader.poll();
            assert_eq!((reader.is_complete(), reader.hooks().len()), (all, 1), "{part}");
        }
    }

    #[test]
    fn hooks_are_told_in_lines_however_they_come() {
        let hook = |hook: &str, kind: &str| Attached { hook: hook.to_owned(), kind: kind.to_owned() };
        let told_by = told(&[
            b"{\"hook\":\"reads\",\"kind\":\"fentry\"}\n{\"hook\":\"wri",
            b"tes\",\"kind\":\"kprobe+tp_btf\",\"more\":1}\nnonsense\n\n{\"hook\":7}\n{\"hook\":\"unfinished\"",
        ]);
        assert_eq!(told_by, [hook("reads", "fentry"), hook("writes", "kprobe+tp_btf")]);
        let long = format!("{{\"hook\":\"{}\",\"kind\":\"\"}}\n", "x".repeat(TEXT + 1));
        assert_eq!(told(&[long.as_bytes()]), []);
        let many = "{\"hook\":\"h\",\"kind\":\"k\"}\n".repeat(HOOKS + 1);
        let parts: Vec<&[u8]> = many.as_bytes().chunks(4096).collect();
        assert_eq!(told(&parts).len(), HOOKS);
    }
}
