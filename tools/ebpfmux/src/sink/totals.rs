//! Sums the input records for `--serve` and `--otlp`, and hands on spans.

use std::cell::Cell;

use crate::metrics::Shared;
use crate::note::note;
use crate::otlp::exporters::Exporters;
use crate::otlp::spans::is_span;
use crate::record::Fields;
use crate::record::timestamp::Nanos;

/// The sums and what sends them.
pub struct Totals {
    metrics: Shared,
    exporters: Exporters,
    /// What is to be said of the first span, if it is not sent.
    no_spans: Cell<Option<String>>,
}

impl Totals {
    /// Sums into these metrics.
    pub fn new(metrics: Shared, exporters: Exporters, quiet: bool) -> Self {
        let no_spans = Cell::new(exporters.no_spans.clone().filter(|_| !quiet));
        Self { metrics, exporters, no_spans }
    }

    /// Notes what was left out of windows and of joined records, for the metrics.
    pub fn left_out(&self, (window, join): (u64, u64)) {
        if window + join > 0 {
            let mut metrics = self.metrics.lock();
            (metrics.left_out.window, metrics.left_out.join) = (window, join);
        }
    }

    /// Adds a record.
    pub fn take(&self, time: Nanos, fields: &Fields<'_>) {
        if is_span(fields) {
            self.take_span(time, fields);
        }
        let mut metrics = self.metrics.lock();
        if let Some(exporter) = &self.exporters.metrics {
            exporter.before(time, &mut metrics);
        }
        metrics.take(time, fields);
    }

    fn take_span(&self, time: Nanos, fields: &Fields<'_>) {
        let Some(exporter) = &self.exporters.spans else {
            return self.no_spans.take().iter().for_each(|text| note(text));
        };
        let mut spans = exporter.pending();
        exporter.before(time, &mut spans);
        if let Err(field) = spans.add(fields) {
            exporter.refuse(&format!("its field {field} is missing or wrong"));
        }
        if spans.is_full() {
            exporter.flush(&mut spans);
        }
    }
}
