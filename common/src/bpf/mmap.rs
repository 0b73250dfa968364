//! Totals that the BPF programs only ever add to, read through a mapping: no system call, no update
//! lost between a read and a reset. User space subtracts.

use std::marker::PhantomData;
use std::os::fd::AsRawFd;

use cli::exit::{Failure, Result};
use libbpf_rs::{MapCore, OpenObject, num_possible_cpus};
use memmap2::{MmapOptions, MmapRaw};

use super::plain::Plain;

/// How many words a struct has: the counters of a bank, of a skeleton's `types::counters`.
pub const fn words<T>() -> usize {
    size_of::<T>() / size_of::<u64>()
}

/// A BPF array map (`BPF_F_MMAPABLE`) of plain old data, mapped into this process.
pub struct MappedArray<T> {
    bytes: MmapRaw,
    len: usize,
    stride: usize,
    writable: bool,
    value: PhantomData<T>,
}

impl<T: Plain> MappedArray<T> {
    /// Maps the entries of an array map, to be read. `T` must be the map's value type.
    pub fn map(map: &dyn MapCore) -> Result<Self> {
        Self::mapped(map, false)
    }

    /// The same, but writable, so that it can be cleared.
    pub fn map_writable(map: &dyn MapCore) -> Result<Self> {
        Self::mapped(map, true)
    }

    fn mapped(map: &dyn MapCore, writable: bool) -> Result<Self> {
        let name = map.name().to_string_lossy();
        // The kernel rounds each value up to 8 bytes (kernel/bpf/arraymap.c).
        let stride = (map.value_size() as usize).next_multiple_of(8);
        let len = map.max_entries() as usize;
        if size_of::<T>() > stride {
            let size = size_of::<T>();
            return Err(Failure::failed(format!("map {name}: a value of {stride} bytes cannot hold {size}")));
        }
        let file = map.as_fd().as_raw_fd();
        let mut options = MmapOptions::new();
        options.len(stride * len);
        let bytes = if writable { options.map_raw(file) } else { options.map_raw_read_only(file) };
        let bytes =
            bytes.map_err(|error| Failure::failed(format!("cannot map the BPF map {name}: {error}")))?;
        Ok(Self { bytes, len, stride, writable, value: PhantomData })
    }

    /// Where an entry begins, which `T` may be read from and, of a writable mapping, written to.
    fn entry(&self, index: usize) -> *mut T {
        assert!(index < self.len, "entry {index} of {}", self.len);
        self.bytes.as_mut_ptr().wrapping_add(index * self.stride).cast()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A copy of an entry as it is now. The kernel may add to it at the same time: each number is
    /// whole, but two of them may differ by an event.
    pub fn read(&self, index: usize) -> T {
        // SAFETY: within the mapping, aligned to 8 as all of the map's values are, and any bytes are a T.
        unsafe { self.entry(index).read_volatile() }
    }

    /// Makes all bytes of an entry 0. No program may add to it at that time.
    pub fn clear(&mut self, index: usize) {
        assert!(self.writable, "the mapping is read-only");
        // SAFETY: within the mapping, which can be written to.
        unsafe { self.entry(index).cast::<u8>().write_bytes(0, self.stride) }
    }

    /// A copy of the first words of an entry, to see cheaply whether it changed.
    pub fn peek<P: Plain>(&self, index: usize) -> P {
        assert!(size_of::<P>() <= self.stride);
        // SAFETY: as in `read`; P is not larger than the value.
        unsafe { self.entry(index).cast::<P>().read_volatile() }
    }
}

impl<const N: usize> MappedArray<[u64; N]> {
    /// The totals across all banks, each counter read in all banks before the next one: where a
    /// program adds to one counter before another, user space sees that order whatever the banks.
    pub fn sum(&self) -> [u64; N] {
        std::array::from_fn(|counter| {
            (0..self.len).fold(0, |sum: u64, bank| sum.wrapping_add(self.number(bank, counter)))
        })
    }

    /// One of the numbers of a bank.
    fn number(&self, bank: usize, counter: usize) -> u64 {
        assert!(bank < self.len && counter < N);
        // SAFETY: within an entry of the mapping, which is aligned to 8.
        unsafe { self.entry(bank).cast::<u64>().add(counter).read_volatile() }
    }
}

/// Creates a bank of counters for each processor, before the object is loaded.
pub(crate) fn size(object: &mut OpenObject) -> libbpf_rs::Result<()> {
    let cpus = num_possible_cpus()? as u32;
    object.maps_mut().filter(|map| map.name() == "counters").try_for_each(|mut map| map.set_max_entries(cpus))
}

/// Totals of a fixed set of counters, and what was added since the last look.
pub struct MappedCounters<const N: usize> {
    banks: MappedArray<[u64; N]>,
    seen: [u64; N],
}

impl<const N: usize> MappedCounters<N> {
    /// The counters of the map `counters` of `bpf/include/counters.h`.
    pub fn map(map: &dyn MapCore) -> Result<Self> {
        Ok(Self { banks: MappedArray::map(map)?, seen: [0; N] })
    }

    /// What was added since the last call.
    pub fn since_last(&mut self) -> [u64; N] {
        let now = self.banks.sum();
        let added = std::array::from_fn(|i| now[i].wrapping_sub(self.seen[i]));
        self.seen = now;
        added
    }
}
