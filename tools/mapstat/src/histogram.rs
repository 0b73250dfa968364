//! Histograms: which bound the number of a bucket stands for, and what their values come to.

use std::collections::HashMap;

use crate::yaml::{self, Mistake};

/// More buckets than any histogram needs.
const BUCKETS_AT_MOST: i64 = 4096;

/// What the last label of a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// This one of the buckets.
    Bucket(usize),
    /// The sum of all values, before it is multiplied.
    Sum,
    /// A number outside of the buckets, whose values are in none.
    Outside,
}

/// The buckets of a histogram.
#[derive(Clone, Debug, PartialEq)]
pub struct Buckets {
    /// The upper bound of each, inclusive, ascending.
    pub bounds: Vec<f64>,
    /// What sums are multiplied by.
    pub multiplier: f64,
    places: HashMap<u64, usize>,
    /// The number under which the sum of all values is kept.
    sum: Option<u64>,
}

impl Buckets {
    /// As a config describes them.
    ///
    /// # Errors
    /// When they are no buckets.
    pub fn of(config: &yaml::Histogram) -> Result<Self, Mistake> {
        let wrong = |what: String| Mistake::at(&config.name.referenced, what);
        let Some(kind) = &config.bucket_type else {
            return Err(wrong("a histogram needs `bucket_type`: exp2, exp2zero, linear or fixed".to_owned()));
        };
        let multiplier = if config.bucket_multiplier == 0.0 { 1.0 } else { config.bucket_multiplier };
        if !(multiplier.is_finite() && multiplier > 0.0) {
            return Err(wrong(format!("`bucket_multiplier` is {multiplier}: it must be greater than 0")));
        }
        let bound: fn(f64) -> f64 = match kind.value.as_str() {
            "exp2" => f64::exp2,
            "exp2zero" => |number| if number == 0.0 { 0.0 } else { (number - 1.0).exp2() },
            "linear" | "fixed" => |number| number,
            other => {
                let other = cli::text::visible(other);
                let what = format!("there is no bucket_type `{other}`: exp2, exp2zero, linear or fixed");
                return Err(Mistake::at(&kind.referenced, what));
            }
        };
        let numbers: Vec<f64> = if kind.value == "fixed" {
            if config.bucket_keys.is_empty() {
                return Err(wrong("a fixed histogram needs `bucket_keys`".to_owned()));
            }
            config.bucket_keys.clone()
        } else {
            let (first, last) = (config.bucket_min, config.bucket_max);
            if first >= last {
                return Err(wrong(format!(
                    "`bucket_max` ({last}) must be greater than `bucket_min` ({first})"
                )));
            }
            if last.saturating_sub(first) >= BUCKETS_AT_MOST {
                return Err(wrong(format!("it has more than {BUCKETS_AT_MOST} buckets")));
            }
            (first..=last).map(|number| number as f64).collect()
        };
        if numbers.len() as i64 > BUCKETS_AT_MOST {
            return Err(wrong(format!("it has more than {BUCKETS_AT_MOST} buckets")));
        }
        let bounds: Vec<f64> = numbers.iter().map(|number| bound(*number) * multiplier).collect();
        if bounds.iter().any(|bound| !bound.is_finite()) {
            return Err(wrong("a bucket has no finite bound".to_owned()));
        }
        if !bounds.is_sorted_by(|one, next| one < next) {
            // Added up in another order, counts would not be what their bounds say.
            return Err(wrong("the bounds of the buckets do not ascend".to_owned()));
        }
        let places = numbers.iter().enumerate().filter_map(|(place, number)| Some((whole(*number)?, place)));
        let sum = numbers.last().and_then(|last| whole(last + 1.0));
        Ok(Self { places: places.collect(), sum, bounds, multiplier })
    }

    /// What a bucket's number stands for.
    pub fn slot(&self, number: u64) -> Slot {
        match self.places.get(&number) {
            Some(place) => Slot::Bucket(*place),
            None if self.sum == Some(number) => Slot::Sum,
            None => Slot::Outside,
        }
    }
}

/// The whole number that this is, if a key of a map can be it.
fn whole(number: f64) -> Option<u64> {
    (number >= 0.0 && number < 2f64.powi(64) && number.fract() == 0.0).then_some(number as u64)
}

/// The number that a text is, as Go reads it: with 0x, 0o, 0b or a leading 0 of another base than ten.
pub fn number(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let (digits, base) = match lower.as_bytes() {
        [b'0', b'x', ..] => (&lower[2..], 16),
        [b'0', b'o', ..] => (&lower[2..], 8),
        [b'0', b'b', ..] => (&lower[2..], 2),
        [b'0', _, ..] => (&lower[1..], 8),
        _ => (&lower[..], 10),
    };
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    u64::from_str_radix(digits, base).ok().filter(|_| plain)
}

/// The bound that this share (0 to 1) of all values does not exceed: that of the bucket which the value is in.
pub fn percentile(counts: &[u64], bounds: &[f64], share: f64) -> Option<f64> {
    let all: u128 = counts.iter().map(|count| u128::from(*count)).sum();
    if all == 0 {
        return None;
    }
    let rank = ((all as f64 * share).ceil() as u128).clamp(1, all);
    let mut below = 0u128;
    let at = counts.iter().position(|count| {
        below += u128::from(*count);
        below >= rank
    });
    at.and_then(|at| bounds.get(at).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(text: &str) -> Result<Buckets, Mistake> {
        let file = yaml::read(&format!("metrics:\n  histograms:\n    - name: h\n{text}")).unwrap();
        Buckets::of(&file.metrics.histograms.unwrap()[0])
    }

    fn of(keys: &str) -> Buckets {
        let lines: String = keys.split("; ").map(|key| format!("      {key}\n")).collect();
        histogram(&lines).unwrap_or_else(|mistake| panic!("{keys}: {mistake:?}"))
    }

    #[test]
    fn bounds_are_those_of_ebpf_exporter() {
        let text =
            |buckets: &Buckets| buckets.bounds.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
        let latency = of("bucket_type: exp2; bucket_min: 0; bucket_max: 7; bucket_multiplier: 0.000001");
        assert_eq!(text(&latency), "0.000001 0.000002 0.000004 0.000008 0.000016 0.000032 0.000064 0.000128");
        assert_eq!((latency.slot(0), latency.slot(7)), (Slot::Bucket(0), Slot::Bucket(7)));
        assert_eq!((latency.slot(8), latency.slot(9)), (Slot::Sum, Slot::Outside));
        let zero = of("bucket_type: exp2zero; bucket_min: 0; bucket_max: 3");
        assert_eq!((text(&zero).as_str(), zero.slot(4)), ("0 1 2 4", Slot::Sum));
        let linear = of("bucket_type: linear; bucket_min: 2; bucket_max: 4; bucket_multiplier: 50");
        assert_eq!((text(&linear).as_str(), linear.slot(1)), ("100 150 200", Slot::Outside));
        let fixed = of("bucket_type: fixed; bucket_keys: [1, 10, 26, 1000]");
        assert_eq!((text(&fixed).as_str(), fixed.slot(1001)), ("1 10 26 1000", Slot::Sum));
        assert_eq!((fixed.slot(26), fixed.slot(27)), (Slot::Bucket(2), Slot::Outside));
        // What no key can be stays empty.
        let odd = of("bucket_type: fixed; bucket_keys: [-1, 0.5, 2]");
        assert_eq!((odd.slot(2), odd.slot(3), odd.slot(0)), (Slot::Bucket(2), Slot::Sum, Slot::Outside));
    }

    #[test]
    fn what_are_no_buckets_is_refused_by_name() {
        for (keys, says) in [
            ("bucket_min: 1", "bucket_type"),
            ("bucket_type: log; bucket_max: 3", "`log`"),
            ("bucket_type: exp2; bucket_min: 3; bucket_max: 3", "`bucket_max` (3)"),
            ("bucket_type: exp2; bucket_max: 1024", "finite"),
            ("bucket_type: linear; bucket_max: 1000000000", "4096"),
            (
                "bucket_type: linear; bucket_min: -9223372036854775807; bucket_max: 9223372036854775807",
                "4096",
            ),
            ("bucket_type: linear; bucket_max: 3; bucket_multiplier: -1", "`bucket_multiplier`"),
            ("bucket_type: linear; bucket_max: 3; bucket_multiplier: .nan", "`bucket_multiplier`"),
            ("bucket_type: fixed", "`bucket_keys`"),
            ("bucket_type: fixed; bucket_keys: [1, 3, 2]", "ascend"),
            ("bucket_type: fixed; bucket_keys: [1, 1]", "ascend"),
        ] {
            let lines: String = keys.split("; ").map(|key| format!("      {key}\n")).collect();
            let mistake = histogram(&lines).unwrap_err();
            assert!(mistake.what.contains(says) && mistake.at.is_some(), "{keys}: {mistake:?}");
        }
    }

    #[test]
    fn a_buckets_number_is_read_as_go_does() {
        for (text, is) in [
            ("10", Some(10)),
            ("010", Some(8)),
            ("0x1F", Some(31)),
            ("0b11", Some(3)),
            ("0o17", Some(15)),
            ("0", Some(0)),
            ("", None),
            ("+1", None),
            ("0x", None),
            ("0x-1", None),
            ("unknown:5", None),
            ("18446744073709551616", None),
        ] {
            assert_eq!(number(text), is, "{text}");
        }
    }

    #[test]
    fn a_percentile_is_the_bound_of_its_bucket() {
        let bounds = [1.0, 2.0, 4.0, 8.0];
        let of = |counts: [u64; 4], share| percentile(&counts, &bounds, share);
        assert_eq!(of([0; 4], 0.5), None);
        assert_eq!((of([1, 0, 0, 0], 0.5), of([1, 0, 0, 0], 0.999)), (Some(1.0), Some(1.0)));
        assert_eq!((of([50, 0, 49, 1], 0.5), of([50, 0, 49, 1], 0.99)), (Some(1.0), Some(4.0)));
        assert_eq!(of([50, 0, 49, 1], 0.999), Some(8.0));
        assert_eq!(of([u64::MAX, u64::MAX, 0, 0], 0.75), Some(2.0));
    }
}
