//! State shared by the server and the merge: the metrics, and which commands run.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cli::exit::{Failure, Result};
use rustix::event::{EventfdFlags, eventfd};
use serde::Serialize;

use super::attached::Attached;
use crate::metrics::Shared;
use crate::otlp::exporters::Exporters;

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

/// What a command of `--run` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "&'static str")]
pub enum State {
    /// It runs.
    Running,
    /// It does not run, and will be started again.
    Restarting,
    /// It was disabled and is being stopped.
    Ending,
    /// It was disabled.
    Disabled,
    /// It ended when its command line says so, or when all were stopped.
    Done,
    /// It ended with status 0, and nothing says whether it was to.
    Ended,
    /// It failed permanently.
    Failed,
}

impl State {
    /// Whether this is as the user wants it: the command runs, was disabled, or was to end.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Running | Self::Ending | Self::Disabled | Self::Done)
    }

    /// Its name, as `/tools` and `/healthz` have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Ending => "ending",
            Self::Disabled => "disabled",
            Self::Done => "done",
            Self::Ended => "ended",
            Self::Failed => "failed",
        }
    }
}

impl From<State> for &'static str {
    fn from(state: State) -> Self {
        state.name()
    }
}

/// A command of `--run`, as `/tools` returns it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToolState {
    /// The name in requests: its first word without the directory, with a number if an earlier
    /// command has the same.
    pub name: String,
    /// As the user wrote it; absent for who has no token, because it may hold secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// What it does now.
    pub state: State,
    /// How it ended last, if it does not run; absent for who has no token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether it is running.
    pub running: bool,
    /// Whether it is enabled.
    pub enabled: bool,
    /// The remaining time, in seconds; null without a limit.
    pub seconds_left: Option<f64>,
    /// Whether it failed for good.
    pub failed: bool,
    /// How often it was started again after it had failed.
    pub restarts: u64,
    /// Where it has attached, if it is a tool and runs.
    #[serde(skip)]
    pub hooks: Vec<Attached>,
}

/// The shared state.
pub struct Control {
    /// The sums of the records received.
    pub metrics: Shared,
    /// What sends, for its own metrics.
    pub exporters: Exporters,
    tools: Mutex<Vec<ToolState>>,
    orders: Mutex<Vec<(String, Order)>>,
    /// Wakes the merge for an order.
    wake: OwnedFd,
}

impl Control {
    /// With these metrics and what sends them.
    pub fn new(metrics: Shared, exporters: Exporters) -> Result<Self> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| Failure::failed(format!("cannot create an eventfd: {error}")))?;
        Ok(Self { metrics, exporters, tools: Mutex::default(), orders: Mutex::default(), wake })
    }

    /// The commands.
    pub fn tools(&self) -> MutexGuard<'_, Vec<ToolState>> {
        locked(&self.tools)
    }

    /// Queues an order for the command of this name; returns whether there was room.
    pub fn order(&self, tool: &str, order: Order) -> bool {
        let mut orders = locked(&self.orders);
        if orders.len() >= ORDERS {
            return false;
        }
        orders.push((tool.to_owned(), order));
        // An eventfd whose write fails is already readable.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
        true
    }

    /// Takes the queued orders and clears the descriptor.
    pub fn take_orders(&self) -> Vec<(String, Order)> {
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
