//! `--join`: one wide record per window of time.

mod wide;

use std::time::{Duration, Instant};

use crate::record::keys::JOINED;
use crate::record::timestamp::{self, Nanos};
use crate::record::{Fields, Value};
use crate::window::room::{LeftOut, Room};
use crate::window::tumbling::Tumbling;
use wide::{Cell, Wide};

/// The join of records.
pub struct Join {
    windows: Tumbling<Wide>,
    /// The only host so far, and whether there are several: then every name begins with its host.
    host: Option<String>,
    several: bool,
    room: Room,
    /// Values for which there was no room.
    pub left_out: LeftOut,
}

/// The room of names and values per field, in bytes.
const BYTES: usize = 1 << 10;

impl Join {
    /// Windows of this length, each for at most so many fields; `quiet` suppresses reports.
    pub fn new(length: Duration, fields: usize, quiet: bool) -> Self {
        let room = Room { items: fields, bytes: fields.saturating_mul(BYTES) };
        let left_out = LeftOut::new("--join-fields", quiet);
        Self { windows: Tumbling::new(length), host: None, several: false, room, left_out }
    }

    /// When the open window is closed by the clock if no more records come.
    pub fn closes(&self) -> Option<Instant> {
        self.windows.closes()
    }

    /// Adds a record to its window; returns the joined records that this completes.
    pub fn add(&mut self, time: Nanos, fields: &Fields<'_>) -> Vec<Fields<'static>> {
        let (mut left_out, room) = (0, self.room);
        let closed = self.windows.put(time, |window| left_out = window.add(fields, room));
        self.left_out.add(left_out);
        closed.into_iter().map(|(end, window)| self.widen(end, window)).collect()
    }

    /// Closes the open windows.
    pub fn close(&mut self) -> Vec<Fields<'static>> {
        let closed = self.windows.close();
        closed.into_iter().map(|(end, window)| self.widen(end, window)).collect()
    }

    fn widen(&mut self, end: Nanos, window: Wide) -> Fields<'static> {
        self.several |= window.several;
        match (&self.host, window.host) {
            (None, host) => self.host = host,
            (Some(known), Some(host)) => self.several |= *known != host,
            _ => {}
        }
        let mut wide: Fields<'static> = vec![("ts".into(), Value::Text(timestamp::format(end).into()))];
        if let Some(host) = self.host.as_deref().filter(|host| !self.several && !host.is_empty()) {
            wide.push(("host".into(), Value::Text(host.to_owned().into())));
        }
        wide.push(("tool".into(), Value::Text(JOINED.into())));
        wide.push(("interval_s".into(), Value::Plain(format!("{:?}", self.windows.seconds()).into())));
        wide.extend(window.cells.into_iter().map(|(name, cell)| {
            let value = match cell {
                Cell::Count(count) => Value::Plain(count.to_string().into()),
                Cell::Other(value) => value,
            };
            match name.split_once('.') {
                Some((host, rest)) if !self.several || host.is_empty() => (rest.to_owned().into(), value),
                _ => (name.into(), value),
            }
        }));
        wide
    }
}
