//! Metrics of samples: what programs put into perf event arrays and ring buffers, each counted by its bytes.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::os::fd::BorrowedFd;
use std::rc::Rc;

use cli::exit::{Failure, Result};
use libbpf_rs::{Map, MapCore, MapType, PerfBuffer, PerfBufferBuilder, RingBuffer, RingBufferBuilder};

/// Pages for each processor: a quarter of a megabyte, which holds thousands of samples.
const PAGES: usize = 64;
/// How many different keys an interval's samples may have; those of further ones are lost.
const KEYS_AT_MOST: usize = 1 << 18;

/// The samples of one metric's map since they were last taken.
pub struct Samples<'a> {
    counts: Rc<RefCell<HashMap<Box<[u8]>, u64>>>,
    lost: Rc<Cell<u64>>,
    buffer: Buffer<'a>,
}

enum Buffer<'a> {
    Perf(PerfBuffer<'a>),
    Ring(RingBuffer<'a>),
}

impl<'a> Samples<'a> {
    /// Of a map whose samples begin with as many bytes as a key has.
    ///
    /// # Errors
    /// When the map is of another type, or the kernel gives no buffers.
    pub fn of(map: &'a Map<'a>, key: usize) -> Result<Self> {
        let name = map.name().to_string_lossy();
        let (counts, lost) = (Rc::new(RefCell::new(HashMap::<Box<[u8]>, u64>::new())), Rc::new(Cell::new(0)));
        let (into, none_left) = (Rc::clone(&counts), Rc::clone(&lost));
        let take = move |sample: &[u8]| {
            // Behind it may be what aligns the next one.
            let bytes = &sample[..key.min(sample.len())];
            let mut counts = into.borrow_mut();
            if let Some(count) = counts.get_mut(bytes) {
                *count += 1;
            } else if counts.len() < KEYS_AT_MOST {
                counts.insert(bytes.into(), 1);
            } else {
                none_left.set(none_left.get() + 1);
            }
        };
        let failed =
            |error: libbpf_rs::Error| Failure::failed(format!("cannot map the buffers of {name}: {error:#}"));
        let buffer = match map.map_type() {
            MapType::PerfEventArray => {
                let by_kernel = Rc::clone(&lost);
                let builder =
                    PerfBufferBuilder::new(map).pages(PAGES).sample_cb(move |_, sample| take(sample));
                let builder = builder.lost_cb(move |_, count| by_kernel.set(by_kernel.get() + count));
                Buffer::Perf(builder.build().map_err(failed)?)
            }
            MapType::RingBuf => {
                let mut builder = RingBufferBuilder::new();
                let take = move |sample: &[u8]| {
                    take(sample);
                    0
                };
                builder.add(map, take).map_err(failed)?;
                Buffer::Ring(builder.build().map_err(failed)?)
            }
            other => {
                return Err(Failure::usage(format!(
                    "map {name} has no samples ({other:?}): perf_event_array is for perf event arrays and ring buffers"
                )));
            }
        };
        Ok(Self { counts, lost, buffer })
    }

    /// Readable when there are samples.
    pub fn ready(&self) -> BorrowedFd<'_> {
        let fd = match &self.buffer {
            Buffer::Perf(buffer) => buffer.epoll_fd(),
            Buffer::Ring(buffer) => buffer.epoll_fd(),
        };
        // SAFETY: the descriptor belongs to the buffer, which outlives the borrow.
        unsafe { BorrowedFd::borrow_raw(fd) }
    }

    /// Counts the samples that have come.
    pub fn consume(&self) {
        // What is read now or later is the same; an error of one processor's buffer does not end it.
        let _ = match &self.buffer {
            Buffer::Perf(buffer) => buffer.consume(),
            Buffer::Ring(buffer) => buffer.consume(),
        };
    }

    /// The counts by key since the last call, and how many samples were lost.
    pub fn take(&self) -> (HashMap<Box<[u8]>, u64>, u64) {
        self.consume();
        (self.counts.take(), self.lost.take())
    }
}
