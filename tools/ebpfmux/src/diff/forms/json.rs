//! The comparison for programs: an object for each figure, in lines.

use serde::Serialize;
use serde_json::{Map, Value};

use super::verdict;
use crate::diff::compare::{Compared, OfKey, OfTool};

#[derive(Serialize)]
struct Line<'a> {
    tool: &'a str,
    key: Map<String, Value>,
    figure: &'a str,
    /// `s` for amounts, which are per second.
    per: Option<&'static str>,
    before: f64,
    after: f64,
    /// In per cent; null where there was nothing before.
    change_percent: Option<f64>,
    low_percent: Option<f64>,
    high_percent: Option<f64>,
    /// By how much a value may be off for its buckets.
    bound_percent: f64,
    verdict: &'static str,
    before_intervals: u64,
    after_intervals: u64,
    before_lost: f64,
    after_lost: f64,
}

/// All figures.
pub fn text(tools: &[OfTool]) -> String {
    let mut text = String::new();
    for tool in tools {
        for key in &tool.keys {
            for figure in &key.figures {
                // Numbers and text always have a form.
                text += &serde_json::to_string(&line(tool, key, figure)).unwrap_or_default();
                text.push('\n');
            }
        }
    }
    text
}

fn line<'a>(tool: &'a OfTool, key: &OfKey, figure: &'a Compared) -> Line<'a> {
    let percent = |ratio: f64| ratio.is_finite().then_some((ratio - 1.0) * 100.0);
    let [low, high] = figure.ratios.map(|ratio| ratio.and_then(percent));
    let change = figure.change();
    Line {
        tool: &tool.name,
        key: key.key.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect(),
        figure: &figure.name,
        per: figure.is_rate().then_some("s"),
        before: figure.values[0],
        after: figure.values[1],
        change_percent: change.is_finite().then_some(change * 100.0),
        low_percent: low,
        high_percent: high,
        bound_percent: figure.bound * 100.0,
        verdict: verdict(figure),
        before_intervals: tool.intervals[0],
        after_intervals: tool.intervals[1],
        before_lost: tool.lost[0],
        after_lost: tool.lost[1],
    }
}
