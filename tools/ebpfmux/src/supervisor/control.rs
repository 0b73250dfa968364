//! What the server and the merge share: the metrics, and which commands run.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cli::exit::{Failure, Result};
use rustix::event::{EventfdFlags, eventfd};
use serde::Serialize;

use crate::metrics::Shared;
use crate::otlp::Exporter;

/// Orders that wait to be carried out; more are refused.
const ORDERS: usize = 64;

/// What is asked of a command of `--run`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    /// To run, for so long if that is said.
    Enable(Option<Duration>),
    /// To run no more.
    Disable,
}

/// A command of `--run`, as `/tools` tells it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToolState {
    /// The name that it is asked for by: its first word without a folder.
    pub name: String,
    /// As the user wrote it.
    pub command: String,
    /// Whether it runs now.
    pub running: bool,
    /// Whether it is to run.
    pub enabled: bool,
    /// For how long yet, in seconds; null without a limit.
    pub seconds_left: Option<f64>,
    /// Whether it failed for good.
    pub failed: bool,
}

/// What both sides see.
pub struct Control {
    /// The sums of what came.
    pub metrics: Shared,
    /// Who sends them, for what it tells of itself.
    pub exporter: Option<Arc<Exporter>>,
    tools: Mutex<Vec<ToolState>>,
    orders: Mutex<Vec<(usize, Order)>>,
    /// Wakes the merge for an order.
    wake: OwnedFd,
}

impl Control {
    /// With these metrics, and who sends them.
    pub fn new(metrics: Shared, exporter: Option<Arc<Exporter>>) -> Result<Self> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| Failure::failed(format!("cannot create an eventfd: {error}")))?;
        Ok(Self { metrics, exporter, tools: Mutex::default(), orders: Mutex::default(), wake })
    }

    /// The commands.
    pub fn tools(&self) -> MutexGuard<'_, Vec<ToolState>> {
        locked(&self.tools)
    }

    /// Orders something of the command of this number; says whether there was room for it.
    pub fn order(&self, tool: usize, order: Order) -> bool {
        let mut orders = locked(&self.orders);
        if orders.len() >= ORDERS {
            return false;
        }
        orders.push((tool, order));
        // A full eventfd is one that is already readable.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
        true
    }

    /// The orders that came; the descriptor is not readable any more.
    pub fn take_orders(&self) -> Vec<(usize, Order)> {
        let _ = rustix::io::read(&self.wake, &mut [0u8; 8]);
        std::mem::take(&mut locked(&self.orders))
    }

    /// Readable when there are orders.
    pub fn woken(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

/// Whoever panicked with a lock held left numbers that are still numbers.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
