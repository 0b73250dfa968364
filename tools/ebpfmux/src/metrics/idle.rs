//! `--series-idle`: series that no record has added to for some time are forgotten, as Prometheus takes what a target no
//! longer serves for stale.

use std::time::Instant;

use super::Metrics;
use super::names::Claims;

/// How often idle series are looked for while they may become idle.
const LOOKS: u32 = 8;

impl Metrics {
    /// It is this late now: forgets what has been idle for too long, unless that was looked for just now.
    pub fn tick(&mut self, now: Instant) {
        let Some(idle) = self.naming.idle else { return };
        self.now = now;
        if now < self.next_look {
            return;
        }
        self.next_look = now + idle / LOOKS;
        let is_idle = |touched: Option<Instant>| {
            touched.is_some_and(|touched| now.saturating_duration_since(touched) > idle)
        };
        let before = self.families.len();
        self.families.retain(|_, family| {
            family.series.retain(|_, series| !is_idle(series.touched));
            !family.series.is_empty()
        });
        self.series = self.families.values().map(|family| family.series.len()).sum();
        if self.families.len() == before {
            return;
        }
        // Names of metrics that no longer exist can be used again.
        self.claims = Claims::default();
        for ((name, _), family) in &self.families {
            self.claims.take(name, family.kind, &family.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Bounds, Naming};
    use super::*;
    use crate::record::from_json;

    #[test]
    fn what_is_idle_is_forgotten_and_may_come_again() {
        const IDLE: Duration = Duration::from_secs(600);
        let bounds = Bounds { series: 4, label_bytes: 100, quiet: true };
        let mut metrics = Metrics::new(bounds, Naming { idle: Some(IDLE), ..Naming::default() });
        let start = Instant::now();
        let line = |metric: &str, kind: &str| {
            format!(
                r#"{{"ts":"x","host":"h","tool":"mapstat","interval_s":1.0,"config":"c","metric":"{metric}","type":"{kind}","value":1,"level":1}}"#
            )
        };
        let take = |metrics: &mut Metrics, metric: &str, kind: &str| {
            metrics.take(0, &from_json(line(metric, kind).as_bytes()).unwrap());
        };
        let names = |metrics: &Metrics| {
            let all: Vec<_> = metrics.families().map(|named| named.name.into_owned()).collect();
            all.into_iter().filter(|name| name.starts_with("ebpf_")).collect::<Vec<_>>()
        };
        // Two are of this program: of records and of the last record's time.
        take(&mut metrics, "one", "counter");
        take(&mut metrics, "two", "counter");
        take(&mut metrics, "three", "counter");
        assert_eq!(names(&metrics), ["ebpf_exporter_one", "ebpf_exporter_two"]);
        metrics.tick(start + IDLE / 2);
        for series in
            metrics.families.get_mut(&("ebpf_exporter_two".to_owned(), false)).unwrap().series.values_mut()
        {
            series.touched = Some(start + IDLE);
        }
        metrics.tick(start + IDLE + IDLE / 2);
        assert_eq!(names(&metrics), ["ebpf_exporter_two"]);
        // There is room again, and the name is free for another type.
        take(&mut metrics, "one", "gauge");
        assert_eq!(names(&metrics), ["ebpf_exporter_one", "ebpf_exporter_two"]);
        assert_eq!(metrics.left_out.series, 1);
    }
}
