//! What `/metrics` tells, in Prometheus's text format.

use std::fmt::Write;

use crate::metrics::{Family, Histogram, Kind, Metrics, Total};

/// Bounds of a histogram: four in each power of two of nanoseconds, from 1 µs to 69 s. The same in every series and from
/// the beginning, so that rates of buckets are right; they are among the bounds of the records' own buckets.
const OCTAVES: std::ops::Range<u32> = 10..36;

/// What ebpfmux tells of itself: the name of a counter, what it is, its value.
pub type Own<'a> = [(&'a str, &'a str, u64)];

/// All of it, in the text format 0.0.4.
pub fn text(metrics: &Metrics, own: &Own<'_>) -> String {
    let mut text = String::new();
    for (name, family) in metrics.families.iter().filter(|(_, family)| !family.series.is_empty()) {
        // Writing into memory cannot fail.
        let _ = write_family(name, family, &mut text);
    }
    for (name, help, value) in own {
        let _ =
            writeln!(text, "# HELP {name}_total {help}\n# TYPE {name}_total counter\n{name}_total {value}");
    }
    text
}

fn write_family(name: &str, family: &Family, text: &mut String) -> std::fmt::Result {
    let (kind, total) = match family.kind {
        Kind::Counter => ("counter", "_total"),
        Kind::Gauge => ("gauge", ""),
        Kind::Histogram => ("histogram", ""),
        Kind::Summary => ("summary", ""),
    };
    writeln!(text, "# HELP {name}{total} {}\n# TYPE {name}{total} {kind}", family.help)?;
    for (labels, series) in &family.series {
        match &series.total {
            Total::Whole(sum) => writeln!(text, "{name}{total}{{{labels}}} {sum}")?,
            Total::Real(value) => writeln!(text, "{name}{total}{{{labels}}} {value}")?,
            Total::Histogram(histogram) => write_histogram(histogram, name, labels, family.kind, text)?,
        }
    }
    Ok(())
}

fn write_histogram(
    histogram: &Histogram,
    name: &str,
    labels: &str,
    kind: Kind,
    text: &mut String,
) -> std::fmt::Result {
    if kind == Kind::Histogram {
        for (upper, sum) in classic(histogram) {
            writeln!(text, "{name}_bucket{{{labels},le=\"{upper}\"}} {sum}")?;
        }
        writeln!(text, "{name}_bucket{{{labels},le=\"+Inf\"}} {}", histogram.count)?;
    }
    writeln!(text, "{name}_sum{{{labels}}} {}\n{name}_count{{{labels}}} {}", histogram.sum, histogram.count)
}

/// The fixed bounds in seconds, each with the count of all values up to it.
pub fn classic(histogram: &Histogram) -> impl Iterator<Item = (f64, u64)> {
    let mut sum = 0;
    let mut buckets = histogram.buckets.iter().peekable();
    OCTAVES.flat_map(|octave| (4..8).map(move |quarter: u64| quarter << (octave - 2))).map(move |upper| {
        while let Some((_, count)) = buckets.next_if(|(bound, _)| **bound <= upper) {
            sum += count;
        }
        (upper as f64 / 1e9, sum)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::from_json;

    fn text(lines: &[&str], limit: usize) -> String {
        let mut metrics = Metrics::new(limit);
        lines.iter().for_each(|line| metrics.take(2_500_000_000, &from_json(line.as_bytes()).unwrap()));
        super::text(&metrics, &[("ebpfmux_series_dropped", "Left out.", metrics.dropped)])
    }

    #[test]
    fn counts_grow_gauges_stand_and_labels_are_escaped() {
        let line = r#"{"ts":"x","host":"h","tool":"t-x","interval_s":1.0,"comm":"a\"\\\n","n":3,"zombies":5,"p99_us":1.5,"lost":1}"#;
        let text = text(&[line, &line.replace("\"zombies\":5", "\"zombies\":2")], 100);
        for told in [
            "ebpf_t_x_n_total{host=\"h\",comm=\"a\\\"\\\\\\n\"} 6\n",
            "ebpf_t_x_zombies{host=\"h\",comm=\"a\\\"\\\\\\n\"} 2\n",
            "ebpf_t_x_lost_total{host=\"h\"} 2\n",
            "ebpfmux_records_total{host=\"h\",tool=\"t-x\"} 2\n",
            "ebpfmux_last_record_timestamp_seconds{host=\"h\",tool=\"t-x\"} 2.5\n",
            "# TYPE ebpf_t_x_n_total counter\n",
        ] {
            assert!(text.contains(told), "{told}\n{text}");
        }
        assert!(!text.contains("p99") && !text.contains("interval"), "{text}");
    }

    #[test]
    fn buckets_are_cumulated() {
        let line = r#"{"ts":"x","host":"h","tool":"b","interval_s":1.0,"disk":"d","count":3,"mean_us":10.0,"buckets":[[1.088,1],[2.048,1],[99000000000.0,1]]}"#;
        let text = text(&[line, line], 100);
        for told in [
            "_bucket{host=\"h\",disk=\"d\",le=\"0.000001024\"} 0\n",
            "_bucket{host=\"h\",disk=\"d\",le=\"0.00000128\"} 2\n",
            "_bucket{host=\"h\",disk=\"d\",le=\"0.000002048\"} 4\n",
            "_bucket{host=\"h\",disk=\"d\",le=\"+Inf\"} 6\n",
            "_sum{host=\"h\",disk=\"d\"} 0.00006\n",
            "_count{host=\"h\",disk=\"d\"} 6\n",
        ] {
            assert!(text.contains(&format!("ebpf_b_duration_seconds{told}")), "{told}\n{text}");
        }
        assert!(!text.contains("count_total"), "{text}");
    }

    #[test]
    fn series_have_a_limit() {
        let line = |n: u32| format!(r#"{{"ts":"x","host":"h","tool":"t","interval_s":1.0,"pid":{n},"n":1}}"#);
        let lines: Vec<String> = (0..50).map(line).collect();
        let text = text(&lines.iter().map(String::as_str).collect::<Vec<_>>(), 10);
        assert!(text.contains("ebpfmux_series_dropped_total 42\n"), "{text}");
    }
}
