//! Valid names for metrics and labels, whatever the fields of the records are called: one invalid
//! name would make all of `/metrics` unreadable.

use std::collections::HashMap;

use super::own::OF_TOOLS;
use super::series::Kind;

/// Replaces the characters that names of metrics cannot have; a valid prefix goes before it.
pub fn plain(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

/// The name of a label; `None` if there is none, because the field's name is empty or reserved: by
/// histograms, by summaries, or by Prometheus.
pub fn label(name: &str) -> Option<String> {
    let mut label = plain(name);
    if label.starts_with(|c: char| c.is_ascii_digit()) {
        label.insert(0, '_');
    }
    let reserved = matches!(label.as_str(), "" | "le" | "quantile") || label.starts_with("__");
    (!reserved).then_some(label)
}

/// The names that are in use, and the metric that uses each, with whether it is of latencies.
pub struct Claims(HashMap<String, (String, bool)>);

impl Default for Claims {
    /// Only those of this program's own metrics, as far as a field of a record could have such a name.
    fn default() -> Self {
        let mut claims = Self(HashMap::new());
        OF_TOOLS.iter().for_each(|(name, kind)| _ = claims.take(name, *kind, ""));
        claims
    }
}

impl Claims {
    /// Reserves all names of a metric, whose name in OTLP is `metric`. Returns false if another
    /// metric uses one of them: two such metrics cannot be exported together.
    pub fn take(&mut self, name: &str, kind: Kind, metric: &str) -> bool {
        let latency = matches!(kind, Kind::Histogram | Kind::Summary);
        let names = names(name, kind);
        let is_free = |name: &String| {
            self.0.get(name).is_none_or(|(other, of_latency)| other == metric && *of_latency == latency)
        };
        if !names.iter().all(is_free) {
            return false;
        }
        self.0.extend(names.into_iter().map(|name| (name, (metric.to_owned(), latency))));
        true
    }
}

/// The name of a metric and all names that its samples can have.
fn names(name: &str, kind: Kind) -> Vec<String> {
    let with = |name: &str, ends: &[&str]| ends.iter().map(|end| format!("{name}{end}")).collect::<Vec<_>>();
    match kind {
        Kind::Counter => with(name, &["", "_total", "_created"]),
        Kind::Gauge | Kind::Level => with(name, &[""]),
        // In OpenMetrics the family of NAME_total is NAME.
        Kind::Named => {
            let family = name.strip_suffix("_total").unwrap_or(name);
            [with(name, &[""]), with(family, &["", "_created"])].concat()
        }
        Kind::Bounded => with(name, &["", "_bucket", "_sum", "_count", "_created"]),
        Kind::Histogram | Kind::Summary => {
            let ends = ["", "_bucket", "_sum", "_count", "_created"];
            [with(name, &ends), with(&unbucketed(name), &ends)].concat()
        }
    }
}

/// The name of latencies without buckets where others of the same name have buckets.
pub fn unbucketed(name: &str) -> String {
    match name.strip_suffix("_seconds") {
        Some(name) => format!("{name}_unbucketed_seconds"),
        None => format!("{name}_unbucketed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_valid_names() {
        for (name, valid) in
            [("disk", "disk"), ("1st", "_1st"), ("a-b", "a_b"), ("ü", "_"), ("_x", "_x"), ("LE", "LE")]
        {
            assert_eq!(label(name).as_deref(), Some(valid), "{name}");
        }
        for name in ["", "le", "quantile", "__name__", "--x", "-_x", "üü"] {
            assert_eq!(label(name), None, "{name}");
        }
    }

    #[test]
    fn a_name_belongs_to_one_metric() {
        let mut claims = Claims::default();
        assert!(claims.take("n", Kind::Counter, "n"));
        assert!(claims.take("n", Kind::Counter, "n"), "again");
        assert!(!claims.take("n_total", Kind::Counter, "n_total"));
        assert!(!claims.take("n", Kind::Counter, "n."), "another metric");
        assert!(claims.take("n_sum", Kind::Gauge, "n_sum"));
        assert!(
            claims.take("d_seconds", Kind::Summary, "d") && claims.take("d_seconds", Kind::Histogram, "d")
        );
        for taken in ["d_seconds_count", "d_seconds", "d_unbucketed_seconds_sum"] {
            assert!(!claims.take(taken, Kind::Gauge, taken), "{taken}");
        }
        assert!(!claims.take("d_seconds", Kind::Counter, "d"), "another type");
    }

    /// A program called tool cannot pass for what is said of commands.
    #[test]
    fn names_of_its_own_metrics_are_taken() {
        let mut claims = Claims::default();
        for (name, free) in
            [("ebpf_tool_up", false), ("ebpf_tool_restarts", false), ("ebpf_tool_zombies", true)]
        {
            assert_eq!(claims.take(name, Kind::Gauge, "x of tool"), free, "{name}");
        }
    }
}
