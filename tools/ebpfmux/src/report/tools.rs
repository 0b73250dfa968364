//! A tool's part of the page: its time lines, latencies, heat maps and owners.

use indexmap::IndexMap;
use record::fields::{Field, Kind, Unit};
use record::histogram::Hist;

use super::axis::Axis;
use super::{course, heatmap, html, number, time};
use crate::over_time::{Group, OverTime, Series, Tool};

/// How many pictures of amounts a tool has at most.
const COURSES: usize = 6;
/// How many keys have heat maps of their own.
const MAPS: usize = 6;
/// How many owners are listed.
const OWNERS: usize = 10;
/// How many of its numbers.
const COLUMNS: usize = 5;

/// The part of a tool: `over_time` is by operation, `owners` by all else.
pub fn part(name: &str, tool: &Tool, owners: Option<&Tool>, axis: &Axis) -> String {
    let mut html = format!("<h2 id=\"{0}\">{0}</h2>\n", html::text(name));
    let fields = main_fields(tool);
    let pictures = fields.iter().filter_map(|(name, field)| {
        course::field(tool, name, field, matches!(field.kind, Kind::Counter), axis)
    });
    let pictures: Vec<_> = pictures.take(COURSES).collect();
    if pictures.is_empty() {
        html += "<p class=soft>Nothing happened that it counts.</p>\n";
    }
    let lost = course::lost(tool, axis).unwrap_or_default();
    html += &format!("<div class=courses>{}{lost}</div>\n", pictures.concat());
    html += &latencies(tool, axis);
    html.extend(owners.and_then(self::owners));
    html
}

/// Amounts and levels, those first that matter most.
fn main_fields(tool: &Tool) -> Vec<(String, &'static Field)> {
    let mut fields: IndexMap<String, &'static Field> = IndexMap::new();
    for group in tool.groups.values() {
        let of = group.fields();
        let shown = of.iter().filter(|(_, (field, _))| matches!(field.kind, Kind::Counter | Kind::Gauge));
        for (name, (field, _)) in shown {
            fields.entry((*name).to_owned()).or_insert(field);
        }
    }
    let mut fields: Vec<_> = fields.into_iter().filter(|(_, field)| field.column.rank.is_some()).collect();
    fields.sort_by_key(|(_, field)| field.column.rank);
    fields
}

/// Percentiles over all, and heat maps.
fn latencies(tool: &Tool, axis: &Axis) -> String {
    let (mut rows, mut maps) = (Vec::new(), Vec::new());
    for (key, group) in &tool.groups {
        let histograms = group.fields();
        let histograms = histograms.iter().filter(|(_, (field, _))| field.kind == Kind::Buckets);
        for (name, _) in histograms {
            let of = name.trim_end_matches("buckets").trim_end_matches('_');
            let caption = [words(key).as_str(), of, "latency"].join(" ");
            let caption = caption.split_whitespace().collect::<Vec<_>>().join(" ");
            rows.extend(percentiles(group, name, &caption));
            if maps.len() < MAPS {
                maps.extend(heatmap::picture(tool, group, name, &caption, axis));
            }
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let headings = ["", "count", "p50", "p90", "p99", "p99.9"];
    let table = html::table(&headings, &[false, true, true, true, true, true], &rows);
    format!("<h3>Latencies</h3>\n{table}{}", maps.concat())
}

fn percentiles(group: &Group, name: &str, caption: &str) -> Option<Vec<String>> {
    let mut hist = Hist::default();
    for series in group.series(name).flatten() {
        if let Series::Buckets(all) = series {
            let counts = all.iter().flat_map(|buckets| buckets.iter());
            counts.for_each(|(upper, count)| hist.add_bucket(upper as f64 / 1e3, count));
        }
    }
    let quantiles = hist.quantiles([0.5, 0.9, 0.99, 0.999]);
    let mut row = vec![html::text(caption), number(hist.count() as f64, Unit::None)];
    row.extend(quantiles.into_iter().map(|value| value.map_or_else(String::new, time)));
    (hist.count() > 0).then_some(row)
}

/// Who did most: by the amount that matters most.
fn owners(tool: &Tool) -> Option<String> {
    // One for all is no owner.
    if tool.groups.keys().all(Vec::is_empty) {
        return None;
    }
    let fields = main_fields(tool).into_iter().filter(|(_, field)| field.kind == Kind::Counter);
    let fields: Vec<_> = fields.take(COLUMNS).collect();
    let (first, _) = fields.first()?;
    let total = |group: &Group, name: &str| group.series(name).flatten().map(Series::total).sum::<f64>();
    let mut groups: Vec<_> =
        tool.groups.iter().map(|(key, group)| (key, group, total(group, first))).collect();
    groups.sort_by(|a, b| b.2.total_cmp(&a.2));
    let all: f64 = groups.iter().map(|(.., amount)| amount).sum();
    let row = |(key, group, amount): &(&Vec<(String, String)>, &Group, f64)| {
        let share = if all > 0.0 { format!("{:.1} %", amount / all * 100.0) } else { String::new() };
        let mut row = vec![format!("<span class=name>{}</span>", html::text(&words(key))), share];
        row.extend(fields.iter().map(|(name, field)| number(total(group, name), field.unit)));
        row
    };
    let rows: Vec<_> = groups.iter().take(OWNERS).map(row).collect();
    let share = format!("of {first}");
    let headings: Vec<&str> =
        ["", share.as_str()].into_iter().chain(fields.iter().map(|(name, _)| name.as_str())).collect();
    let numbers: Vec<bool> = (0..headings.len()).map(|at| at > 0).collect();
    let more = match groups.len().saturating_sub(OWNERS) {
        0 => String::new(),
        more => format!("<p class=soft>{more} more are not shown.</p>\n"),
    };
    Some(format!("<h3>Who did most</h3>\n{}{more}", html::table(&headings, &numbers, &rows)))
}

/// The values of a key.
fn words(key: &[(String, String)]) -> String {
    key.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" ")
}

/// The tools of both, in their order.
pub fn parts(over_time: &OverTime, owners: &OverTime, axis: &Axis) -> String {
    let tools = over_time.tools.iter();
    tools.map(|(name, tool)| part(name, tool, owners.tools.get(name), axis)).collect()
}
