//! Sums the input records for `--serve` and `--otlp`.

use std::sync::Arc;

use crate::metrics::Shared;
use crate::otlp::Exporter;
use crate::record::Fields;
use crate::record::timestamp::Nanos;

/// The sums and their exporter.
pub struct Totals {
    /// The sums.
    pub metrics: Shared,
    /// The exporter of `--otlp`.
    pub exporter: Option<Arc<Exporter>>,
}

impl Totals {
    /// Notes what was left out of windows and of joined records, for the metrics.
    pub fn left_out(&self, (window, join): (u64, u64)) {
        if window + join > 0 {
            let mut metrics = self.metrics.lock();
            (metrics.left_out.window, metrics.left_out.join) = (window, join);
        }
    }

    /// Adds a record.
    pub fn take(&self, time: Nanos, fields: &Fields<'_>) {
        let mut metrics = self.metrics.lock();
        if let Some(exporter) = &self.exporter {
            exporter.before(time, &mut metrics);
        }
        metrics.take(time, fields);
    }
}
