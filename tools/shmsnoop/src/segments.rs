//! The segments that exist, from /proc/sysvipc/shm.

use std::fs::File;
use std::io::{self, Read, Seek};

use cli::stderr::note;

/// What the kernel lists: the segments of the reader's IPC namespace.
const LIST: &str = "/proc/sysvipc/shm";
/// The column of the size, as `sysvipc_shm_proc_show()` of ipc/shm.c writes it.
const SIZE: usize = 3;

/// How many there are, and their sizes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// Segments.
    pub number: u64,
    /// Bytes, as asked for.
    pub bytes: u64,
}

/// The list, kept open.
pub struct List {
    file: Option<File>,
}

impl List {
    /// Opens it. Where it cannot be, a note says so unless `quiet`, and there are no numbers.
    pub fn open(quiet: bool) -> Self {
        let file = File::open(LIST);
        if let Err(error) = &file
            && !quiet
        {
            note(&format!("segments and segment_bytes are null: {LIST}: {error}"));
        }
        Self { file: file.ok() }
    }

    /// The segments that exist now.
    pub fn now(&mut self) -> Option<Segments> {
        read(self.file.as_mut()?).ok()
    }
}

fn read(file: &mut File) -> io::Result<Segments> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(parse(&text))
}

/// From the list's text, whose first line has the names of the columns.
fn parse(text: &str) -> Segments {
    let sizes =
        text.lines().skip(1).filter_map(|line| line.split_whitespace().nth(SIZE)?.parse::<u64>().ok());
    sizes.fold(Segments { number: 0, bytes: 0 }, |all, size| Segments {
        number: all.number + 1,
        bytes: all.bytes.saturating_add(size),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_add_up() {
        let head =
            "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid\n";
        assert_eq!(parse(head), Segments { number: 0, bytes: 0 });
        let lines = "         0          1   600                  4096   707   707      0     0     0     0     0\n \
                     -559038737          2  1600                   101   707   709      1     0     0     0     0\n";
        assert_eq!(parse(&format!("{head}{lines}")), Segments { number: 2, bytes: 4_197 });
    }
}
