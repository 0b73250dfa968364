//! Walks over objects of the kernel (tasks, their open files, TCP sockets) by iterator programs, which write a struct
//! for each object that they choose.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, Read};

use cli::exit::{Failure, Result};
use cli::shortage::Shortage;
use libbpf_rs::{Iter, Link};

use super::plain::{self, Plain};

/// Bytes that are read at once: as many as the kernel collects for a read (`bpf_seq_read` of kernel/bpf/bpf_iter.c).
const AT_ONCE: usize = 8 * 4096;

/// An iterator program that is attached.
#[derive(Clone, Copy)]
pub struct Walk<'a> {
    link: &'a Link,
}

impl<'a> Walk<'a> {
    /// With the links of a session. `None` if the program is not attached: its hook has no rung here.
    pub fn of(links: &'a BTreeMap<String, Link>, program: &str) -> Option<Self> {
        links.get(program).map(|link| Self { link })
    }

    /// With the program's own link.
    pub fn with(link: &'a Link) -> Self {
        Self { link }
    }

    /// Walks once, and returns the structs that the program wrote. `what` is the object of the walk, for a failure.
    ///
    /// # Errors
    /// Status 1: when the kernel refuses the walk, above all for lack of memory or descriptors.
    pub fn take<T: Plain>(&self, what: impl Display) -> Result<Vec<T>> {
        let mut taken = Vec::new();
        self.each(what, |one| taken.push(one))?;
        Ok(taken)
    }

    /// The same, one struct after the other: of many, not all need to be kept.
    ///
    /// # Errors
    /// As for `take`.
    pub fn each<T: Plain>(&self, what: impl Display, with: impl FnMut(T)) -> Result<()> {
        let mut iterator = Iter::new(self.link).map_err(|error| failed(&what, &error.to_string()))?;
        each(&mut iterator, with).map_err(|error| failed(&what, &error.to_string()))
    }
}

/// `error` as Rust writes it: libbpf's keeps no number.
fn failed(what: &impl Display, error: &str) -> Failure {
    match Shortage::in_text(error) {
        Some(shortage) => shortage.failure(format_args!("cannot walk {what}"), error),
        None => Failure::failed(format!("cannot walk {what}: {error}")),
    }
}

/// The structs that a reader returns. Where a read ends says nothing about where a struct does.
fn each<T: Plain>(from: &mut impl Read, mut with: impl FnMut(T)) -> io::Result<()> {
    let (mut bytes, mut held) = (vec![0; AT_ONCE], 0);
    loop {
        match from.read(&mut bytes[held..]) {
            Ok(0) => return Ok(()),
            Ok(read) => held += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        let mut rest = &bytes[..held];
        while let Some((one, after)) = plain::copy(rest) {
            with(one);
            rest = after;
        }
        let (done, left) = (held - rest.len(), rest.len());
        bytes.copy_within(done..held, 0);
        held = left;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken<T: Plain>(from: &mut impl Read) -> io::Result<Vec<T>> {
        let mut taken = Vec::new();
        each(from, |one| taken.push(one))?;
        Ok(taken)
    }

    /// Returns some bytes at each read.
    struct Parts(Vec<Vec<u8>>);

    impl Read for Parts {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let part = self.0.remove(0);
            if part.is_empty() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            into[..part.len()].copy_from_slice(&part);
            Ok(part.len())
        }
    }

    #[test]
    fn structs_are_whole_however_they_are_read() {
        let bytes: Vec<u8> = [1u64, 2, 3].iter().flat_map(|number| number.to_ne_bytes()).collect();
        for cuts in [[8, 16], [3, 20], [23, 23], [1, 9]] {
            let parts = [&bytes[..cuts[0]], &[], &bytes[cuts[0]..cuts[1]], &bytes[cuts[1]..]];
            // An empty part is an interrupted read, of which there may be several.
            let read: Vec<u64> = taken(&mut Parts(parts.map(<[u8]>::to_vec).to_vec())).unwrap();
            assert_eq!(read, [1, 2, 3], "{cuts:?}");
        }
    }

    #[test]
    fn a_walk_that_fails_says_why() {
        struct Fails;
        impl Read for Fails {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::from_raw_os_error(24))
            }
        }
        let error = taken::<u64>(&mut Fails).unwrap_err();
        let failure = failed(&"the tasks", &error.to_string());
        assert!(failure.message.starts_with("cannot walk the tasks: "), "{failure}");
        assert!(failure.message.contains("ulimit -n"), "{failure}");
    }
}
