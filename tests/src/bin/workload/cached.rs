//! A file and its pages in the page cache, as the kernel reports them.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// Bytes of a page.
pub const PAGE: u64 = 4096;
/// Bytes of an entry of /proc/self/pagemap, and the bit that says that the page is mapped.
const ENTRY: usize = 8;
const PRESENT: u8 = 1 << 7;

/// A file, mapped but not touched.
pub struct Cached {
    file: File,
    pages: u64,
    at: *mut u8,
    /// The mapping and the reserved area around it: its beginning and length.
    room: (*mut libc::c_void, usize),
    buffer: Vec<u8>,
    there: Vec<u8>,
    /// Pages that reads touched.
    pub asked: u64,
    /// Accessed pages that were not in the cache.
    pub absent: u64,
}

impl Cached {
    /// Maps this many pages of a file, shared or private.
    pub fn new(file: File, pages: u64, buffer: Vec<u8>, private: bool) -> Self {
        let how = if private { libc::MAP_PRIVATE } else { libc::MAP_SHARED };
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let bytes = (pages * PAGE) as usize;
        // A fault maps sixteen pages that are aligned alike in memory and in the file. No two may
        // share a huge page: Linux 7.x may build one from a file's pages, fetching those that are
        // missing.
        let (around, huge) = (16 * PAGE as usize, 512 * PAGE as usize);
        let spare = huge + around;
        let private = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping where nothing is.
        let room =
            unsafe { libc::mmap(std::ptr::null_mut(), bytes + spare, libc::PROT_NONE, private, -1, 0) };
        assert_ne!(room, libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
        let at = room.cast::<u8>().wrapping_add(room.cast::<u8>().align_offset(huge) + around);
        // SAFETY: inside the reserved area, which it replaces.
        let at =
            unsafe { libc::mmap(at.cast(), bytes, protection, how | libc::MAP_FIXED, file.as_raw_fd(), 0) };
        assert_ne!(at, libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
        let there = vec![0; pages as usize];
        let room = (room, bytes + spare);
        Self { file, pages, at: at.cast(), room, buffer, there, asked: 0, absent: 0 }
    }

    fn place(&self, page: u64) -> *mut u8 {
        assert!(page < self.pages, "page {page} of {}", self.pages);
        self.at.wrapping_add((page * PAGE) as usize)
    }

    /// How many of these pages are in the cache.
    fn resident_of(&mut self, first: u64, count: u64) -> u64 {
        if count == 0 {
            return 0;
        }
        let at = self.place(first);
        // SAFETY: within the mapping, and `there` has a byte for each of its pages.
        let outcome = unsafe { libc::mincore(at.cast(), (count * PAGE) as usize, self.there.as_mut_ptr()) };
        assert_eq!(outcome, 0, "mincore: {}", std::io::Error::last_os_error());
        self.there[..count as usize].iter().filter(|there| **there & 1 == 1).count() as u64
    }

    /// How many of the file's pages are in the cache.
    pub fn resident(&mut self) -> u64 {
        self.resident_of(0, self.pages)
    }

    /// How many are mapped.
    pub fn mapped(&self) -> u64 {
        let pagemap = File::open("/proc/self/pagemap").expect("pagemap");
        let mut entries = vec![0; self.pages as usize * ENTRY];
        pagemap.read_exact_at(&mut entries, self.at as u64 / PAGE * ENTRY as u64).expect("pagemap");
        entries.chunks(ENTRY).filter(|entry| entry[ENTRY - 1] & PRESENT != 0).count() as u64
    }

    /// The number of pages that this process has dirtied since its start, on disks of any kind.
    pub fn dirtied(&self) -> u64 {
        let account = std::fs::read_to_string("/proc/self/io").expect("the kernel keeps account");
        let bytes = account.lines().find_map(|line| line.strip_prefix("write_bytes: "));
        bytes.and_then(|bytes| bytes.parse::<u64>().ok()).expect("write_bytes") / PAGE
    }

    /// Drops the file from the cache. Pages that are being read ahead remain: it retries a moment
    /// later.
    pub fn evict(&mut self) {
        self.file.sync_all().expect("fsync");
        for _ in 0..100 {
            // SAFETY: an advice.
            let outcome =
                unsafe { libc::posix_fadvise(self.file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
            assert_eq!(outcome, 0, "posix_fadvise");
            if self.resident() == 0 {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{} pages stay in the cache", self.resident());
    }

    /// Fetches all of it into the cache and holds it there.
    pub fn lock(&self) {
        // SAFETY: changes nothing that the program can see.
        let outcome = unsafe { libc::mlock(self.at.cast(), (self.pages * PAGE) as usize) };
        assert_eq!(outcome, 0, "mlock: {}", std::io::Error::last_os_error());
    }

    /// Advises the kernel on the use of the mapping.
    pub fn advise(&self, how: i32) {
        // SAFETY: an advice on our own mapping.
        let outcome = unsafe { libc::madvise(self.at.cast(), (self.pages * PAGE) as usize, how) };
        assert_eq!(outcome, 0, "madvise: {}", std::io::Error::last_os_error());
    }

    /// One read.
    pub fn read(&mut self, at: u64, bytes: u64) {
        let end = (at + bytes).min(self.pages * PAGE);
        let (first, last) = (at / PAGE, (end - 1) / PAGE);
        let pages = last + 1 - first;
        self.absent += pages - self.resident_of(first, pages);
        let read = self.file.read_at(&mut self.buffer[..bytes as usize], at).expect("read");
        assert_eq!(read as u64, end - at);
        self.asked += pages;
    }

    /// Reads all of it, in pieces of the buffer's length.
    pub fn read_all(&mut self) {
        let bytes = self.buffer.len() as u64;
        (0..self.pages * PAGE).step_by(bytes as usize).for_each(|at| self.read(at, bytes));
        assert_eq!(self.file.read_at(&mut self.buffer, self.pages * PAGE).expect("read"), 0);
    }

    /// Sends all of it to /dev/null with sendfile(2), as much per call as a pipe holds.
    pub fn send(&mut self) {
        let nowhere = std::fs::OpenOptions::new().write(true).open("/dev/null").expect("/dev/null");
        for first in (0..self.pages).step_by(16) {
            let pages = (self.pages - first).min(16);
            self.absent += pages - self.resident_of(first, pages);
            let (mut at, bytes) = ((first * PAGE) as i64, (pages * PAGE) as usize);
            // SAFETY: `at` outlives the call.
            let sent =
                unsafe { libc::sendfile(nowhere.as_raw_fd(), self.file.as_raw_fd(), &raw mut at, bytes) };
            assert_eq!(sent, bytes as isize, "sendfile: {}", std::io::Error::last_os_error());
            self.asked += pages;
        }
    }

    /// readahead(2) of its first pages.
    pub fn read_ahead(&mut self, pages: u64) {
        // The size of one call is limited.
        for page in 0..pages {
            // SAFETY: it touches no memory of this process.
            let outcome =
                unsafe { libc::readahead(self.file.as_raw_fd(), (page * PAGE) as i64, PAGE as usize) };
            assert_eq!(outcome, 0, "readahead: {}", std::io::Error::last_os_error());
        }
    }

    /// One write of the buffer.
    pub fn write(&mut self, at: u64) {
        self.file.write_all_at(&self.buffer, at).expect("write");
    }

    /// Rewrites all of it, in pieces of the buffer's length.
    pub fn write_all(&mut self) {
        let (end, bytes) = (self.pages * PAGE, self.buffer.len() as u64);
        for at in (0..end).step_by(bytes as usize) {
            self.file.write_all_at(&self.buffer[..bytes.min(end - at) as usize], at).expect("write");
        }
    }

    /// Reads a byte of a page through the mapping.
    pub fn touch(&mut self, page: u64) {
        self.absent += 1 - self.resident_of(page, 1);
        // SAFETY: within the mapping, and the file is as long.
        unsafe { self.place(page).read_volatile() };
    }

    /// Writes one.
    pub fn store(&mut self, page: u64) {
        self.absent += 1 - self.resident_of(page, 1);
        // SAFETY: as above; nothing else uses the mapping.
        unsafe { self.place(page).write_volatile(9) };
    }
}

impl Drop for Cached {
    fn drop(&mut self) {
        // SAFETY: the mapping belongs to this value and is not used any more.
        unsafe { libc::munmap(self.room.0, self.room.1) };
    }
}
