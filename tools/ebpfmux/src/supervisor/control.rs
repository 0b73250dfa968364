//! State shared by the server and the merge: the metrics, and which commands run.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cli::exit::{Failure, Result};
use rustix::event::{EventfdFlags, eventfd};
use serde::Serialize;

use crate::metrics::Shared;
use crate::otlp::Exporter;

/// The maximum number of pending orders; more are refused.
const ORDERS: usize = 64;

/// An order for a command of `--run`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    /// Run, for this time if given.
    Enable(Option<Duration>),
    /// Stop.
    Disable,
}

/// A command of `--run`, as `/tools` returns it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToolState {
    /// The name in requests: its first word without the directory.
    pub name: String,
    /// As the user wrote it.
    pub command: String,
    /// Whether it is running.
    pub running: bool,
    /// Whether it is enabled.
    pub enabled: bool,
    /// The remaining time, in seconds; null without a limit.
    pub seconds_left: Option<f64>,
    /// Whether it failed for good.
    pub failed: bool,
}

/// The shared state.
pub struct Control {
    /// The sums of the records received.
    pub metrics: Shared,
    /// The exporter of `--otlp`, for its own metrics.
    pub exporter: Option<Arc<Exporter>>,
    tools: Mutex<Vec<ToolState>>,
    orders: Mutex<Vec<(usize, Order)>>,
    /// Wakes the merge for an order.
    wake: OwnedFd,
}

impl Control {
    /// With these metrics and their exporter.
    pub fn new(metrics: Shared, exporter: Option<Arc<Exporter>>) -> Result<Self> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| Failure::failed(format!("cannot create an eventfd: {error}")))?;
        Ok(Self { metrics, exporter, tools: Mutex::default(), orders: Mutex::default(), wake })
    }

    /// The commands.
    pub fn tools(&self) -> MutexGuard<'_, Vec<ToolState>> {
        locked(&self.tools)
    }

    /// Queues an order for the command of this number; returns whether there was room.
    pub fn order(&self, tool: usize, order: Order) -> bool {
        let mut orders = locked(&self.orders);
        if orders.len() >= ORDERS {
            return false;
        }
        orders.push((tool, order));
        // An eventfd whose write fails is already readable.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
        true
    }

    /// Takes the queued orders and clears the descriptor.
    pub fn take_orders(&self) -> Vec<(usize, Order)> {
        let _ = rustix::io::read(&self.wake, &mut [0u8; 8]);
        std::mem::take(&mut locked(&self.orders))
    }

    /// Readable when there are orders.
    pub fn woken(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

/// A thread that panicked with the lock held left valid numbers.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
