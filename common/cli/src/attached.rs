//! How a tool tells the program that runs it where it has attached: by lines into a pipe that an environment variable
//! names. A tool whose runner wants nothing has no such variable, and a program that does not know it leaves it alone.

use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, RawFd};

use rustix::fs::{FileType, fstat};

/// The variable: the pipe's descriptor and inode, `7:12345`. A shell between the two may have put another file in the
/// descriptor's place; the inode tells.
pub const VARIABLE: &str = "EBPF_ATTACHED";
/// The last line: nothing more is attached. The pipe's end alone does not say so: it comes with a process's end, too.
pub const ALL: &str = "all";

/// The value of the variable for the end of a pipe that a tool may write to.
///
/// # Errors
/// When the kernel cannot tell about it, which it can about any descriptor that is open.
pub fn value(fd: RawFd, pipe: BorrowedFd<'_>) -> io::Result<String> {
    Ok(format!("{fd}:{}", fstat(pipe)?.st_ino))
}

/// The pipe to write to, if this process was given one. To be called once: the descriptor is closed with the file.
pub fn pipe() -> Option<File> {
    named(&std::env::var(VARIABLE).ok()?)
}

fn named(value: &str) -> Option<File> {
    let (fd, inode) = value.split_once(':')?;
    let (fd, inode) = (fd.parse::<RawFd>().ok().filter(|fd| *fd > 2)?, inode.parse::<u64>().ok()?);
    // SAFETY: only asks about a number.
    if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
        return None;
    }
    // SAFETY: it is open, as just seen, and stays so while it is looked at.
    let found = fstat(unsafe { BorrowedFd::borrow_raw(fd) }).ok()?;
    let is_it = FileType::from_raw_mode(found.st_mode) == FileType::Fifo && found.st_ino == inode;
    // SAFETY: it is the pipe that this process was given, which nothing else here knows of.
    is_it.then(|| unsafe { File::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::{AsFd, AsRawFd, IntoRawFd};

    use super::*;

    #[test]
    fn only_the_pipe_itself_is_written_to() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let name = value(writer.as_raw_fd(), writer.as_fd()).unwrap();
        let (fd, inode) = name.split_once(':').unwrap();
        for other in [
            String::new(),
            fd.to_owned(),
            format!("{fd}:{inode}1"),
            format!("1:{inode}"),
            format!("4096:{inode}"),
        ] {
            assert!(named(&other).is_none(), "{other}");
        }
        let writer = writer.into_raw_fd();
        assert_eq!(writer.to_string(), fd);
        named(&name).unwrap().write_all(b"here").unwrap();
        let mut text = String::new();
        File::from(reader).read_to_string(&mut text).unwrap();
        assert_eq!(text, "here");
    }
}
