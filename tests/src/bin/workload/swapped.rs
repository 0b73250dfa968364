//! `swapped [--memcg DIR] [--anon PAGES] [--zeros Z] [--shmem PAGES] [--folios PAGES] [--rounds R]`: memory that is
//! swapped out and needed again: private pages, the first Z of them with nothing but zeros, shared ones, and private
//! ones in large folios of 64 KiB, where the kernel has them.
//!
//! It joins the memory cgroup, locks all its other memory, fills the pages and prints `filled`. Told to go on, it has
//! them paged out and prints `out`; with `--rounds` it writes them R times instead. Told to go on, it reads each page
//! once, and prints `{"absent":…,"absent_private":…,"major_faults":…,"touched_ns":…,"longest_ns":…}`: the pages that
//! were not in memory before, its major faults meanwhile, and how long reading took, by its own clock.

use std::time::Instant;

use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};

use crate::args::Args;

/// Bytes of a page.
const PAGE: usize = 4096;
/// Bytes of a large folio.
const FOLIO: usize = 64 << 10;
/// The kernel may leave out pages that other processors work at: asked so often at most.
const TRIES: usize = 1_000;
/// `/proc/PID/pagemap`: the page is mapped.
const PRESENT: u64 = 1 << 63;

/// Does the work.
pub fn run(args: &Args) {
    if let Some(memcg) = args.text("memcg") {
        let procs = format!("{memcg}/cgroup.procs");
        std::fs::write(&procs, "0").unwrap_or_else(|error| panic!("{procs}: {error}"));
    }
    // Pages that were added on another processor may be on its own list, where the kernel does not find them.
    let mut one = CpuSet::new();
    one.set(sched_getcpu());
    sched_setaffinity(None, &one).expect("a processor");
    // SAFETY: pages stay where they are.
    let locked = unsafe { libc::mlockall(libc::MCL_CURRENT) };
    assert_eq!(locked, 0, "mlockall: {}", std::io::Error::last_os_error());
    let private = [
        Pages::map(args.count("anon"), libc::MAP_PRIVATE, libc::MADV_NOHUGEPAGE),
        Pages::map(args.count("folios"), libc::MAP_PRIVATE, libc::MADV_HUGEPAGE),
    ];
    let shared = [Pages::map(args.count("shmem"), libc::MAP_SHARED, libc::MADV_NOHUGEPAGE)];
    let zeros = args.count("zeros") as usize;
    let all = || private.iter().chain(&shared);
    all().for_each(|pages| pages.fill(if pages.is(&private[0]) { zeros } else { 0 }));
    args.say_and_wait("filled");
    if args.has("rounds") {
        (0..args.count("rounds")).for_each(|_| all().for_each(|pages| pages.fill(0)));
    } else {
        all().for_each(Pages::page_out);
    }
    args.say_and_wait("out");
    let absent = |pages: &[Pages]| pages.iter().map(Pages::absent).sum::<usize>();
    let (of_private, of_shared) = (absent(&private), absent(&shared));
    let (before, start, mut longest) = (major_faults(), Instant::now(), 0);
    for pages in all() {
        longest = longest.max(pages.read(if pages.is(&private[0]) { zeros } else { 0 }));
    }
    let took = start.elapsed().as_nanos();
    println!(
        "{{\"absent\":{},\"absent_private\":{of_private},\"major_faults\":{},\"touched_ns\":{took},\"longest_ns\":{longest}}}",
        of_private + of_shared,
        major_faults() - before,
    );
    args.hold();
}

fn major_faults() -> i64 {
    // SAFETY: plain data, which the call fills in.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    let asked = unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    assert_eq!(asked, 0, "getrusage");
    usage.ru_majflt
}

/// A number of pages.
struct Pages {
    at: *mut u8,
    count: usize,
}

impl Pages {
    /// Maps this many, none of them present, at a multiple of a large folio.
    fn map(count: u64, how: i32, advice: i32) -> Self {
        let count = count as usize;
        if count == 0 {
            return Self { at: std::ptr::null_mut(), count };
        }
        let (bytes, rights) = (count * PAGE + FOLIO, libc::PROT_READ | libc::PROT_WRITE);
        // SAFETY: a new mapping at an address that the kernel chooses.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), bytes, rights, how | libc::MAP_ANONYMOUS, -1, 0) };
        assert_ne!(at, libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
        let pages = Self { at: at.cast::<u8>().map_addr(|at| at.next_multiple_of(FOLIO)), count };
        // Kernels without large pages refuse it, and need none.
        pages.advise(advice);
        pages
    }

    fn is(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }

    fn advise(&self, advice: i32) -> bool {
        // SAFETY: an advice on our own mapping that does not change what is in it.
        unsafe { libc::madvise(self.at.cast(), self.count * PAGE, advice) == 0 }
    }

    /// Its words, of one page: no two pages are the same, and they compress well.
    fn words(&self, page: usize) -> *mut u64 {
        assert!(page < self.count);
        self.at.map_addr(|at| at + page * PAGE).cast()
    }

    /// Writes all; the first with zeros.
    fn fill(&self, zeros: usize) {
        for page in 0..self.count {
            let words = self.words(page);
            // SAFETY: within the mapping.
            unsafe {
                words.write_volatile(content(page, zeros));
                words.add(100).write_volatile(content(page, zeros) / 3);
            }
        }
    }

    /// Reads each page once; the longest time of one, in nanoseconds.
    fn read(&self, zeros: usize) -> u128 {
        let mut longest = 0;
        for page in 0..self.count {
            let start = Instant::now();
            // SAFETY: within the mapping.
            let found = unsafe { self.words(page).read_volatile() };
            longest = longest.max(start.elapsed().as_nanos());
            assert_eq!(found, content(page, zeros), "page {page} of {}", self.count);
        }
        longest
    }

    /// Has all paged out, and no page mapped any more.
    fn page_out(&self) {
        let mapped = (0..TRIES).all(|_| {
            assert!(self.advise(libc::MADV_PAGEOUT), "MADV_PAGEOUT: {}", std::io::Error::last_os_error());
            self.is_mapped()
        });
        assert!(self.count == 0 || !mapped, "pages are still mapped");
    }

    fn is_mapped(&self) -> bool {
        use std::os::unix::fs::FileExt;
        let mut entries = vec![0; self.count * size_of::<u64>()];
        let pagemap = std::fs::File::open("/proc/self/pagemap").expect("its own");
        let at = (self.at.addr() / PAGE * size_of::<u64>()) as u64;
        pagemap.read_exact_at(&mut entries, at).expect("the entries");
        entries.chunks_exact(8).any(|entry| u64::from_ne_bytes(entry.try_into().expect("8")) & PRESENT != 0)
    }

    /// How many are not in memory.
    fn absent(&self) -> usize {
        let mut resident = vec![0; self.count];
        // SAFETY: a byte for each page of the mapping.
        let asked = unsafe { libc::mincore(self.at.cast(), self.count * PAGE, resident.as_mut_ptr()) };
        assert!(asked == 0 || self.count == 0, "mincore: {}", std::io::Error::last_os_error());
        resident.iter().filter(|page| **page & 1 == 0).count()
    }
}

/// What a page begins with.
fn content(page: usize, zeros: usize) -> u64 {
    if page < zeros { 0 } else { (page as u64 + 1) << 20 }
}
