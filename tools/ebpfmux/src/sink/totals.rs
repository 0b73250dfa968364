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
    /// Adds a record.
    pub fn take(&self, time: Nanos, fields: &Fields<'_>) {
        let mut metrics = self.metrics.lock();
        if let Some(exporter) = &self.exporter {
            exporter.before(time, &mut metrics);
        }
        metrics.take(time, fields);
    }
}
