//! How the values of one field in several records become one, by the conventions of the records.

/// The rule of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Counts and sums add.
    Add,
    /// The least stands.
    Least,
    /// The greatest stands.
    Greatest,
    /// A mean of as many values as the field `count` beside it says.
    Mean,
    /// A percentile: the share of values at or below it. Not to be had from others, but from buckets.
    Percentile(Quantile),
    /// A ratio: not to be had from others, but from the counts that it is of.
    Ratio,
    /// What stands at the end of an interval: the last of one host, but over several hosts it adds.
    Gauge,
}

/// The percentiles that the tools tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantile {
    /// Half.
    P50,
    /// 90 %.
    P90,
    /// 99 %.
    P99,
    /// 99.9 %.
    P999,
    /// Any other, which nothing is known of.
    Other,
}

/// Gauges: the schemas of the tools call them so.
const GAUGES: [&str; 1] = ["zombies"];

/// Parts of the records of latencies that may have something before them: `queue_p99_us`.
const PARTS: [&str; 3] = ["min_", "mean_", "max_"];

/// The rule of a field, and what its name has before it: `queue_` of `queue_p99_us`. In names of joined records only
/// the last part says it.
pub fn rule(field: &str) -> (Rule, &str) {
    let start = field.rfind('.').map_or(0, |dot| dot + 1);
    let last = &field[start..];
    if GAUGES.contains(&last) {
        return (Rule::Gauge, "");
    }
    if last == "ratio" || last.ends_with("_ratio") {
        return (Rule::Ratio, "");
    }
    let mut at = 0;
    // Behind each underscore a part may begin.
    loop {
        let rest = &last[at..];
        let prefix = &field[..start + at];
        match rest {
            _ if rest.starts_with(PARTS[0]) => return (Rule::Least, prefix),
            _ if rest.starts_with(PARTS[1]) => return (Rule::Mean, prefix),
            _ if rest.starts_with(PARTS[2]) => return (Rule::Greatest, prefix),
            _ => {}
        }
        if let Some(digits) = percentile(rest) {
            let quantile = match digits {
                "50" => Quantile::P50,
                "90" => Quantile::P90,
                "99" => Quantile::P99,
                "999" => Quantile::P999,
                _ => Quantile::Other,
            };
            return (Rule::Percentile(quantile), prefix);
        }
        match rest.find('_') {
            Some(underscore) => at += underscore + 1,
            None => return (Rule::Add, ""),
        }
    }
}

/// The digits of `p99_us`.
fn percentile(part: &str) -> Option<&str> {
    let digits = part.strip_prefix('p')?;
    let len = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    (len > 0 && (len == digits.len() || digits[len..].starts_with('_'))).then(|| &digits[..len])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_how_values_become_one() {
        for (field, is) in [
            ("count", (Rule::Add, "")),
            ("bytes", (Rule::Add, "")),
            ("pages", (Rule::Add, "")),
            ("zombies", (Rule::Gauge, "")),
            ("hit_ratio", (Rule::Ratio, "")),
            ("min_us", (Rule::Least, "")),
            ("queue_max_us", (Rule::Greatest, "queue_")),
            ("queue_mean_us", (Rule::Mean, "queue_")),
            ("p999_us", (Rule::Percentile(Quantile::P999), "")),
            ("queue_p50_us", (Rule::Percentile(Quantile::P50), "queue_")),
            ("b.vda.queue_p75_us", (Rule::Percentile(Quantile::Other), "b.vda.queue_")),
            ("p.zombies", (Rule::Gauge, "")),
        ] {
            assert_eq!(rule(field), is, "{field}");
        }
    }
}
