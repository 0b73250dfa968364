//! The secret that a client shows: out of a file of the user's, or made at the start and kept in one that only the user reads.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use cli::exit::{Failure, Result};
use cli::regular_file::{self, Refused};
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::process::geteuid;
use rustix::rand::{GetRandomFlags, getrandom};

/// Bytes of a secret at most.
const LONGEST: u64 = 4096;
/// Bytes of one that is made here.
const MADE: usize = 32;
/// Where root's is kept if the environment names no folder for such files.
const FOLDER: &str = "/run/ebpfmux";
/// What others must not have: any right, nor the group that of changing the file. A group may read it: that is how a
/// scraper shares it, and how systemd's credentials look.
const OTHERS: u32 = 0o027;

/// Reads the secret in the file of `--serve-token`.
///
/// # Errors
/// Bad usage if it is no regular file, if others may read it, or if it holds none that a header can carry.
pub fn read(path: &Path) -> Result<String> {
    let refused = |why: &str| Failure::usage(format!("--serve-token {}: {why}", path.display()));
    let unreadable = |error: io::Error| refused(&error.to_string());
    let file = regular_file::open(path).map_err(|why| match why {
        Refused::Special(_) => refused("is no regular file; write the secret into one"),
        Refused::Failed(error) => unreadable(error),
    })?;
    let known = file.metadata().map_err(unreadable)?;
    if known.mode() & OTHERS != 0 {
        return Err(refused(&format!("others can read or change it; chmod 600 {}", path.display())));
    }
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    secret(&bytes).map(str::to_owned).map_err(refused)
}

/// The secret in these bytes; the error, for a person, says why there is none.
fn secret(bytes: &[u8]) -> std::result::Result<&str, &'static str> {
    if bytes.len() as u64 > LONGEST {
        return Err("is longer than 4096 bytes");
    }
    let bytes = bytes.trim_ascii();
    match bytes.iter().find(|byte| !matches!(byte, b' '..=b'~')) {
        _ if bytes.is_empty() => Err("is empty; write a secret into it"),
        Some(0) => Err("holds a NUL byte; write the secret as text"),
        Some(b'\n' | b'\r') => Err("holds several lines; write the secret alone into it"),
        Some(_) => Err("holds a character that no header can carry; use printable ASCII"),
        None => std::str::from_utf8(bytes).map_err(|_| "is not UTF-8"),
    }
}

/// A secret made for this process, and the file from which the user reads it. Dropping this removes
/// the file.
pub struct Made {
    /// The secret.
    pub secret: String,
    /// Where it is to be read.
    pub path: PathBuf,
    /// A folder that was made for it alone.
    folder: Option<PathBuf>,
    /// Locked while this exists: a file without a lock was left behind, and is taken over.
    _file: File,
}

impl Made {
    /// Makes one for the server of this port.
    ///
    /// # Errors
    /// If there is no folder in which only the user may write.
    pub fn new(port: u16) -> io::Result<Self> {
        let secret = random(MADE)?;
        for folder in folders().filter(|folder| is_own(folder)) {
            if let Ok((path, file)) = keep(&folder, port, &secret) {
                return Ok(Self { secret, path, folder: None, _file: file });
            }
        }
        let folder = std::env::temp_dir().join(format!("ebpfmux-{}", random(8)?));
        DirBuilder::new().mode(0o700).create(&folder)?;
        let (path, file) = keep(&folder, port, &secret)?;
        Ok(Self { secret, path, folder: Some(folder), _file: file })
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // What somebody has removed already needs no more.
        let _ = fs::remove_file(&self.path);
        if let Some(folder) = &self.folder {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// So many bytes of the kernel's randomness, in hexadecimal digits.
fn random(bytes: usize) -> io::Result<String> {
    let mut random = vec![0; bytes];
    // So few come whole.
    getrandom(&mut random, GetRandomFlags::empty())?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Where such a file belongs: what the session or systemd has for it, then root's.
fn folders() -> impl Iterator<Item = PathBuf> {
    let named = ["XDG_RUNTIME_DIR", "RUNTIME_DIRECTORY"].into_iter().filter_map(std::env::var_os);
    // systemd names several, parted by colons.
    let named = named.filter_map(|value| std::env::split_paths(&value).next());
    let root = std::iter::once_with(|| {
        // It may be there, or not be allowed: what comes of it is looked at.
        let _ = DirBuilder::new().mode(0o700).create(FOLDER);
        PathBuf::from(FOLDER)
    });
    named.filter(|folder| folder.is_absolute()).chain(root)
}

/// Whether no other user can put files there.
fn is_own(folder: &Path) -> bool {
    let owned = |known: fs::Metadata| {
        known.is_dir() && known.uid() == geteuid().as_raw() && known.mode() & 0o022 == 0
    };
    fs::metadata(folder).is_ok_and(owned)
}

/// Writes the secret into a file of the folder, under a name that no other running server has.
fn keep(folder: &Path, port: u16, secret: &str) -> io::Result<(PathBuf, File)> {
    for name in [format!("ebpfmux-{port}.token"), format!("ebpfmux-{port}-{}.token", std::process::id())] {
        let path = folder.join(name);
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600).custom_flags(flags.bits() as i32);
        let mut file = options.open(&path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            // A server of this port in another network, say.
            Err(rustix::io::Errno::WOULDBLOCK) => continue,
            Err(error) => return Err(error.into()),
        }
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.set_len(0)?;
        file.write_all(format!("{secret}\n").as_bytes())?;
        return Ok((path, file));
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_line_of_what_a_header_can_carry() {
        assert_eq!(secret(b" s3cret\n"), Ok("s3cret"));
        assert_eq!(secret(b"two words\r\n"), Ok("two words"));
        for (bytes, why) in [
            (&b" \n"[..], "is empty"),
            (b"a\0b", "NUL"),
            (b"a\nb\n", "several lines"),
            ("ü".as_bytes(), "ASCII"),
            (b"a\x1bb", "ASCII"),
            (&[b'x'; 5000], "longer"),
        ] {
            assert!(secret(bytes).is_err_and(|said| said.contains(why)), "{why}");
        }
    }

    #[test]
    fn what_is_made_is_for_the_user_alone_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let (path, file) = keep(folder.path(), 1, "a").unwrap();
        assert_eq!(
            (fs::read_to_string(&path).unwrap().as_str(), file.metadata().unwrap().mode() & 0o777),
            ("a\n", 0o600)
        );
        // Another server of the same port has another file; what is left behind is taken over.
        let (other, _) = keep(folder.path(), 1, "b").unwrap();
        assert!(other != path && fs::read_to_string(&path).unwrap() == "a\n");
        drop(file);
        let (again, file) = keep(folder.path(), 1, "c").unwrap();
        assert_eq!((&again, fs::read_to_string(&path).unwrap().as_str()), (&path, "c\n"));
        drop(Made { secret: "c".into(), path: again, folder: None, _file: file });
        assert!(!path.exists());
        assert!(random(MADE).unwrap() != random(MADE).unwrap() && random(MADE).unwrap().len() == 2 * MADE);
    }
}
