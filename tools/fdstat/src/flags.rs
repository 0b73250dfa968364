//! The flags of open(2) as text.

use libc::c_int;

/// `O_LARGEFILE` as the kernel has it, which it adds to each open of a 64-bit program; libc says 0 for these
/// (`include/uapi/asm-generic/fcntl.h`, `arch/arm64/include/uapi/asm/fcntl.h`).
const LARGEFILE: u64 = if cfg!(target_arch = "aarch64") { 0o400_000 } else { 0o100_000 };

/// Those that consist of others come first.
const NAMES: [(&str, c_int); 16] = [
    ("O_TMPFILE", libc::O_TMPFILE),
    ("O_SYNC", libc::O_SYNC),
    ("O_CREAT", libc::O_CREAT),
    ("O_EXCL", libc::O_EXCL),
    ("O_NOCTTY", libc::O_NOCTTY),
    ("O_TRUNC", libc::O_TRUNC),
    ("O_APPEND", libc::O_APPEND),
    ("O_NONBLOCK", libc::O_NONBLOCK),
    ("O_DSYNC", libc::O_DSYNC),
    ("O_ASYNC", libc::O_ASYNC),
    ("O_DIRECT", libc::O_DIRECT),
    ("O_DIRECTORY", libc::O_DIRECTORY),
    ("O_NOFOLLOW", libc::O_NOFOLLOW),
    ("O_NOATIME", libc::O_NOATIME),
    ("O_CLOEXEC", libc::O_CLOEXEC),
    ("O_PATH", libc::O_PATH),
];

/// The names, joined by `|`; what has none as a number.
pub fn text(flags: u64) -> String {
    let access = match flags as c_int & libc::O_ACCMODE {
        libc::O_RDONLY => "O_RDONLY",
        libc::O_WRONLY => "O_WRONLY",
        libc::O_RDWR => "O_RDWR",
        _ => "O_ACCMODE",
    };
    let mut text = access.to_string();
    let mut rest = flags & !(libc::O_ACCMODE as u64) & !LARGEFILE;
    for (name, bits) in NAMES {
        let bits = bits as u64;
        if rest & bits == bits {
            text = format!("{text}|{name}");
            rest &= !bits;
        }
    }
    if rest == 0 { text } else { format!("{text}|{rest:#x}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_have_names() {
        for (flags, expected) in [
            (0, "O_RDONLY"),
            (LARGEFILE, "O_RDONLY"),
            ((libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC) as u64, "O_WRONLY|O_CREAT|O_TRUNC"),
            ((libc::O_RDWR | libc::O_TMPFILE) as u64, "O_RDWR|O_TMPFILE"),
            ((libc::O_DIRECTORY | libc::O_CLOEXEC) as u64, "O_RDONLY|O_DIRECTORY|O_CLOEXEC"),
            (libc::O_DSYNC as u64, "O_RDONLY|O_DSYNC"),
            (libc::O_SYNC as u64, "O_RDONLY|O_SYNC"),
            (1 << 40 | 3, "O_ACCMODE|0x10000000000"),
        ] {
            assert_eq!(text(flags), expected);
        }
    }
}
