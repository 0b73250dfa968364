//! Fields that are computed from other fields of a group.

use record::fields::{Kind, Percentile, Term};
use record::histogram::Hist;

use super::{Aggregate, FieldValues, Group};
use crate::record::Value;

impl Group {
    /// Whether it has percentiles of several records but no buckets to compute them from.
    pub(super) fn lacks_buckets(&self) -> bool {
        self.sums.iter().any(|named| match (&named.sum, named.kind) {
            (Aggregate::Single(None), Some(Kind::Percentile(percentile))) => {
                self.sum(&named.beside(&percentile.of)).is_none()
            }
            _ => false,
        })
    }

    /// A counter, or the difference of two.
    fn term(&self, beside: &FieldValues, term: &Term) -> Option<i128> {
        let number = |name: &str| match self.sum(&beside.beside(name))? {
            FieldValues { sum: Aggregate::Whole(sum), .. } => Some(*sum),
            named => self.difference(named),
        };
        match &term.less {
            Some(less) => Some((number(&term.of)? - number(less)?).max(0)),
            None => number(&term.of),
        }
    }

    fn terms(&self, beside: &FieldValues, terms: &[Term]) -> Option<i128> {
        terms.iter().map(|term| self.term(beside, term)).sum()
    }

    fn difference(&self, named: &FieldValues) -> Option<i128> {
        match named.kind {
            Some(Kind::Difference(terms)) => self.terms(named, terms),
            _ => None,
        }
    }

    /// Computes the fields that the tools derive from counters, from the sums, as the tools declare
    /// it.
    pub(super) fn derived(&self, named: &FieldValues) -> Option<Value<'static>> {
        match named.kind {
            Some(Kind::Difference(_)) => {
                self.difference(named).map(|difference| Value::Plain(difference.to_string().into()))
            }
            Some(Kind::Ratio(part, whole, digits)) => {
                let part = self.terms(named, part)?;
                let whole = self.term(named, &Term { of: whole.clone(), less: None })?;
                let round = |ratio: f64| match digits {
                    Some(digits) => (ratio * 10f64.powi(*digits)).floor() / 10f64.powi(*digits),
                    None => ratio,
                };
                let ratio = (whole != 0).then(|| round(part as f64 / whole as f64));
                Some(ratio.map_or(Value::Null, Value::number))
            }
            Some(Kind::Percentile(percentile)) if matches!(named.sum, Aggregate::Single(None)) => {
                self.percentile(named, percentile).map(Value::number)
            }
            _ => None,
        }
    }

    /// A quantile from the buckets, limited to the exact extremes.
    fn percentile(&self, named: &FieldValues, percentile: &Percentile) -> Option<f64> {
        let of = &self.sum(&named.beside(&percentile.of))?.sum;
        if let Some(bound) = of.bound(percentile.quantile) {
            return bound;
        }
        let buckets: Hist = of.hist()?;
        let [value] = buckets.quantiles([percentile.quantile]);
        let number = |name: &String| self.sum(&named.beside(name))?.sum.value().text().parse::<f64>().ok();
        let within = percentile.within.as_ref().and_then(|[min, max]| number(min).zip(number(max)));
        match within {
            Some((min, max)) if min <= max => value.map(|value| value.clamp(min, max)),
            _ => value,
        }
    }
}
