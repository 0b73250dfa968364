//! The time line that all pictures share.

use table::Zone;

use super::html;
use crate::record::timestamp::{Nanos, format};

/// How wide a picture is, in its own units: it is stretched to the width of the page.
pub const WIDTH: f64 = 1000.0;

/// From the first to the last time of a recording.
pub struct Axis {
    from: Nanos,
    to: Nanos,
    zone: Zone,
}

impl Axis {
    /// Of this span, told in this zone.
    pub fn new(from: Nanos, to: Nanos, zone: Zone) -> Self {
        Self { from, to: to.max(from.saturating_add(1)), zone }
    }

    /// The first and the last time.
    pub fn ends(&self) -> [Nanos; 2] {
        [self.from, self.to]
    }

    /// Where a time is: 0 to [`WIDTH`].
    pub fn x(&self, time: Nanos) -> f64 {
        let share = (time.saturating_sub(self.from)) as f64 / self.to.saturating_sub(self.from) as f64;
        share.clamp(0.0, 1.0) * WIDTH
    }

    /// A time for a person: date, time and zone.
    pub fn told(&self, time: Nanos) -> String {
        let text = format(time);
        match self.zone.local(&text) {
            Some(local) => html::text(&format!("{} {} {}", local.date, local.time, local.zone)),
            None => html::text(&text),
        }
    }

    /// The same where the reader knows the zone: without the date, if all is of a day.
    pub fn short(&self, time: Nanos) -> String {
        let local = |time: Nanos| self.zone.local(&format(time));
        match (local(time), local(self.from), local(self.to)) {
            (Some(at), Some(from), Some(to)) if from.date == to.date => html::text(&at.time),
            (Some(at), ..) => html::text(&format!("{} {}", at.date, at.time)),
            _ => html::text(&format(time)),
        }
    }

    /// The times below a picture.
    pub fn times(&self) -> String {
        let length = self.to.saturating_sub(self.from);
        let at = |quarter: i64| {
            let text = format(self.from.saturating_add(length / 4 * quarter));
            self.zone.local(&text).map_or(text, |local| local.time)
        };
        let spans: String =
            (0..=4).map(|quarter| format!("<span>{}</span>", html::text(&at(quarter)))).collect();
        format!("<div class=times>{spans}</div>\n")
    }

    /// Grey where nothing came.
    pub fn gaps(&self, gaps: &[(Nanos, Nanos)], height: f64) -> String {
        let rect = |(from, to): &(Nanos, Nanos)| {
            let (x, end) = (self.x(*from), self.x(*to));
            // Also where it is narrower than a dot.
            let width = (end - x).max(0.7);
            format!("<rect class=gap x={x:.1} y=0 width={width:.1} height={height} />")
        };
        gaps.iter().map(rect).collect()
    }
}
