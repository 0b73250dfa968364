//! System calls, by each of the kernel's entries for them.

use std::fs::File;
use std::os::fd::AsRawFd;

use crate::sys;

/// How a program enters the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// As programs of this word size do.
    Native,
    /// As 32-bit programs on x86_64 do: `int 0x80`.
    Ia32,
}

/// Name, number here, number for 32-bit programs on x86 (`arch/x86/entry/syscalls/syscall_32.tbl`).
const CALLS: [(&str, libc::c_long, u32); 8] = [
    // For 32-bit programs only: here it takes a directory.
    ("open", libc::SYS_openat, 5),
    ("close", libc::SYS_close, 6),
    ("sync", libc::SYS_sync, 36),
    ("syncfs", libc::SYS_syncfs, 344),
    ("fsync", libc::SYS_fsync, 118),
    ("fdatasync", libc::SYS_fdatasync, 148),
    ("msync", libc::SYS_msync, 144),
    ("sync_file_range", libc::SYS_sync_file_range, 314),
];

/// Makes a call and returns what the kernel does: what it returns, or the negative number of the error. Negative arguments are
/// extended; of 32-bit programs' the lower half is taken.
pub fn make(entry: Entry, call: &str, args: [u64; 4]) -> i64 {
    let (_, native, ia32) = CALLS.into_iter().find(|known| known.0 == call).expect("a known call");
    let [a, b, c, d] = args;
    if entry == Entry::Ia32 {
        let [a, b, c, d] = args.map(|arg| arg as u32);
        // There, a 64-bit number is two arguments.
        let args = if call == "sync_file_range" { [a, b, 0, c, 0, d] } else { [a, b, c, d, 0, 0] };
        return i64::from(int80(ia32, args));
    }
    // SAFETY: these calls write to no memory of the caller's.
    sys::returned(unsafe { libc::syscall(native, a, b, c, d) })
}

/// Whether the kernel has calls for 32-bit programs: one that has none ends the process that tries.
pub fn has_ia32() -> bool {
    // getpid(2), which no test counts.
    let child = sys::child_that(|| sys::exit(i32::from(int80(20, [0; 6]) <= 0)));
    sys::wait(child) == 0
}

/// Makes a call as a 32-bit program on x86 does, by its number there.
#[cfg(target_arch = "x86_64")]
pub fn int80(number: u32, args: [u32; 6]) -> i32 {
    let returned: i32;
    // SAFETY: as a function that makes the call would be; rbx and rbp, which the compiler keeps for itself, are put
    // back. Kernels before 4.17 do not keep r8 to r11.
    unsafe {
        std::arch::asm!(
            "push rbx",
            "push rbp",
            "mov ebx, r8d",
            "mov ebp, r9d",
            "int 0x80",
            "pop rbp",
            "pop rbx",
            inout("eax") number => returned,
            inout("r8d") args[0] => _,
            in("ecx") args[1],
            in("edx") args[2],
            in("esi") args[3],
            in("edi") args[4],
            inout("r9d") args[5] => _,
            out("r10") _,
            out("r11") _,
        );
    }
    returned
}

/// There is none of that kind.
#[cfg(not(target_arch = "x86_64"))]
pub fn int80(_: u32, _: [u32; 6]) -> i32 {
    -libc::ENOSYS
}

/// Maps the beginning of a file, shared, at an address that fits in 32 bits if 32-bit programs can
/// run.
pub fn map_low(file: &File, bytes: usize) -> u64 {
    #[cfg(target_arch = "x86_64")]
    let low = libc::MAP_32BIT;
    #[cfg(not(target_arch = "x86_64"))]
    let low = 0;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping at an address that the kernel chooses.
    let at = unsafe {
        libc::mmap(std::ptr::null_mut(), bytes, protection, libc::MAP_SHARED | low, file.as_raw_fd(), 0)
    };
    assert_ne!(at, libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
    at as u64
}
