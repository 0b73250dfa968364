//! Times as the reader's clock shows them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The reader's time zone.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

/// A record's time in a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// `2026-11-21`.
    pub date: String,
    /// `06:26:35`.
    pub time: String,
    /// The zone's name at that time, for the heading: EST, CEST, +0530.
    pub zone: String,
}

impl Zone {
    /// UTC, or the reader's: that of the environment's TZ, else of `/etc/localtime`. UTC also where neither can be read.
    pub fn new(utc: bool) -> Self {
        Self(if utc { TimeZone::UTC } else { TimeZone::try_system().unwrap_or(TimeZone::UTC) })
    }

    /// A zone by its name in the time zone database, or UTC.
    pub fn named(name: &str) -> Self {
        Self(TimeZone::get(name).unwrap_or(TimeZone::UTC))
    }

    /// The zone itself.
    pub fn time_zone(&self) -> &TimeZone {
        &self.0
    }

    /// The time of a record; `None` if it is none.
    pub fn local(&self, rfc3339: &str) -> Option<Local> {
        let at = rfc3339.parse::<Timestamp>().ok()?.to_zoned(self.0.clone());
        let text = |form: &str| at.strftime(form).to_string();
        Some(Local { date: text("%Y-%m-%d"), time: text("%H:%M:%S"), zone: text("%Z") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_readers_clock() {
        let at = |zone: &str, time: &str| {
            let local = Zone::named(zone).local(time).unwrap();
            format!("{} {} {}", local.date, local.time, local.zone)
        };
        let time = "2026-11-21T02:26:35.123456Z";
        assert_eq!(at("UTC", time), "2026-11-21 02:26:35 UTC");
        assert_eq!(at("America/New_York", time), "2026-11-20 21:26:35 EST");
        // The first of November: the hour after summer's end.
        assert_eq!(at("America/New_York", "2026-11-01T05:59:59Z"), "2026-11-01 01:59:59 EDT");
        assert_eq!(at("America/New_York", "2026-11-01T06:00:00Z"), "2026-11-01 01:00:00 EST");
        assert_eq!(Zone::named("UTC").local("x"), None);
    }
}
