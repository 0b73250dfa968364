//! `hog [--memcg DIR] [--name NAME] [--score N] [--uid U] [--threads T] [--anon PAGES] [--shmem
//! PAGES] [--lock]`: allocates this many pages of each kind and touches each page once, the
//! anonymous ones by T threads with an equal share each. `--lock` locks the program's file in RAM;
//! `--hold` keeps all memory. `--mapped`, of every subject, maps all of the program's file before anything else.
//!
//! Before that, it joins a memory cgroup (v1 or v2, by its directory), and sets its name,
//! oom_score_adj and user id.

use std::ffi::CString;

use crate::args::Args;
use crate::sys;

/// Bytes of a page.
const PAGE: usize = 4096;

/// Does the work, if it lives that long.
pub fn run(args: &Args) {
    prepare(args);
    let shmem = map(args.count("shmem") as usize, libc::MAP_SHARED);
    shmem.touch();
    let threads = args.count("threads").max(1) as usize;
    let share = args.count("anon") as usize / threads;
    // All mapped first: the threads are to allocate memory at the same time.
    let parts: Vec<Pages> =
        (0..threads).map(|_| map(share, libc::MAP_PRIVATE | libc::MAP_NORESERVE)).collect();
    match &parts[..] {
        [all] => all.touch(),
        parts => std::thread::scope(|scope| {
            parts.iter().for_each(|part| drop(scope.spawn(|| part.touch())));
        }),
    }
    if args.has("lock") {
        lock_program();
    }
    args.hold();
}

/// Touches all of the program's file that is only read: what is executed later maps no more of it.
pub fn map_program() {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("its mappings");
    let read_only =
        maps.lines().filter(|line| line.contains(" /") && line.contains(" r") && !line.contains(" rw"));
    for (start, end) in read_only.filter_map(|line| line.split(' ').next()?.split_once('-')) {
        let [start, end] = [start, end].map(|at| usize::from_str_radix(at, 16).expect("an address"));
        for page in (start..end).step_by(PAGE) {
            // SAFETY: mapped, and readable.
            unsafe { (page as *const u8).read_volatile() };
        }
    }
}

/// Locks the program's file in RAM, but not the allocated memory: the kernel cannot reap locked
/// memory from a victim at once, and old kernels (5.10) then choose another victim.
fn lock_program() {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("its mappings");
    let ranges = maps.lines().filter(|line| line.contains(" /") && !line.contains("/dev/zero"));
    let ranges = ranges.filter_map(|line| line.split(' ').next()?.split_once('-'));
    for (start, end) in ranges {
        let [start, end] = [start, end].map(|at| usize::from_str_radix(at, 16).expect("an address"));
        // SAFETY: pages stay where they are.
        let outcome = unsafe { libc::mlock(start as *const libc::c_void, end - start) };
        assert_eq!(outcome, 0, "mlock: {}", std::io::Error::last_os_error());
    }
}

fn prepare(args: &Args) {
    let write = |path: String, text: &str| {
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{path}: {error}"));
    };
    if let Some(memcg) = args.text("memcg") {
        write(format!("{memcg}/cgroup.procs"), "0");
    }
    if let Some(name) = args.text("name") {
        sys::set_name(&CString::new(name).expect("no NUL"));
    }
    if let Some(score) = args.text("score") {
        write("/proc/self/oom_score_adj".to_string(), score);
    }
    if args.has("uid") {
        let uid = args.count("uid");
        // SAFETY: a plain system call; there is no other thread yet.
        let outcome = unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) };
        assert_eq!(outcome, 0, "setresuid: {}", std::io::Error::last_os_error());
    }
}

/// A number of pages.
struct Pages {
    at: *mut u8,
    count: usize,
}

// SAFETY: each is touched by one thread.
unsafe impl Sync for Pages {}

impl Pages {
    fn touch(&self) {
        for page in 0..self.count {
            // SAFETY: within the mapping.
            unsafe { self.at.add(page * PAGE).write_volatile(1) };
        }
    }
}

/// Maps this many pages, none of them present; small pages, so that each is allocated separately.
fn map(count: usize, how: i32) -> Pages {
    if count == 0 {
        return Pages { at: std::ptr::null_mut(), count };
    }
    let (bytes, rights) = (count * PAGE, libc::PROT_READ | libc::PROT_WRITE);
    // SAFETY: a new mapping at an address that the kernel chooses.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), bytes, rights, how | libc::MAP_ANONYMOUS, -1, 0) };
    assert_ne!(at, libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
    // SAFETY: an advice on our own mapping; kernels without large pages refuse it, and need none.
    unsafe { libc::madvise(at, bytes, libc::MADV_NOHUGEPAGE) };
    Pages { at: at.cast(), count }
}
