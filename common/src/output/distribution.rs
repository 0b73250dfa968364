//! The shape of a latency, beside its percentiles.

use record::histogram::Hist;
use schemars::JsonSchema;
use serde::Serialize;
use table::picture::BARS;

/// The small picture of a distribution, for [`Row::sketch`](super::Row::sketch).
pub fn sketch(hist: &Hist) -> Vec<u64> {
    hist.coarse(BARS)
}

/// The last fields of a record about how long something took.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Distribution {
    /// With --buckets: the histogram, as [upper bound in microseconds, count].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "buckets", "x-unit" = "microseconds"))]
    pub buckets: Option<Vec<(f64, u64)>>,
    #[serde(skip)]
    sketch: Option<Vec<u64>>,
}

impl Distribution {
    /// The shape of these values, with the histogram if it is asked for.
    pub fn of(hist: &Hist, buckets: bool) -> Self {
        Self { buckets: buckets.then(|| hist.non_empty()), sketch: Some(sketch(hist)) }
    }

    /// For [`Row::sketch`](super::Row::sketch).
    pub fn sketch(&self) -> Option<Vec<u64>> {
        self.sketch.clone()
    }

    /// For [`Row::drawn`](super::Row::drawn).
    pub fn drawn(&self) -> Vec<(&'static str, &[(f64, u64)])> {
        self.buckets.iter().map(|buckets| ("us", buckets.as_slice())).collect()
    }
}
