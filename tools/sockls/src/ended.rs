//! The TCP sockets that ended, as the kernel told them, since they were last asked for.

use std::cell::RefCell;
use std::rc::Rc;

use cli::exit::{Failure, Result};
use common::bpf::plain::copy;
use libbpf_rs::{MapCore, RingBuffer, RingBufferBuilder};

use crate::socket::socket_row;

/// The ring buffer in which they wait.
pub struct Ended<'a> {
    ring: RingBuffer<'a>,
    received: Rc<RefCell<Vec<socket_row>>>,
}

impl<'a> Ended<'a> {
    /// Of a ring buffer.
    pub fn of(map: &dyn MapCore) -> Result<Self> {
        let received = Rc::new(RefCell::new(Vec::new()));
        let mut builder = RingBufferBuilder::new();
        let to = Rc::clone(&received);
        let receive = move |record: &[u8]| {
            if let Some((row, _)) = copy::<socket_row>(record) {
                to.borrow_mut().push(row);
            }
            0
        };
        builder.add(map, receive).map_err(|error| failed(&error))?;
        Ok(Self { ring: builder.build().map_err(|error| failed(&error))?, received })
    }

    /// Those since the last call, in the order of their ends.
    pub fn take(&self) -> Result<Vec<socket_row>> {
        self.ring.consume().map_err(|error| failed(&error))?;
        let mut taken = self.received.take();
        // Two processors may read the clock in one order and reserve room in the other.
        taken.sort_by_key(|row| row.ts_ns);
        Ok(taken)
    }
}

fn failed(error: &libbpf_rs::Error) -> Failure {
    Failure::failed(format!("cannot read the ring buffer: {error}"))
}
