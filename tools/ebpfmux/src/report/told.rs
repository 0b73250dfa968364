//! The first part of the page: what was recorded, where and when, what is missing, and whether conditions held.

use indexmap::IndexMap;
use record::fields::Unit;
use serde_json::Value;

use super::asserts::Assert;
use super::axis::Axis;
use super::{html, number};
use crate::over_time::{OverTime, Series};

/// How many gaps are named.
const GAPS: usize = 10;
/// Stands for what the recording does not hold.
const UNKNOWN: &str = "<span class=soft>unknown: the recording does not hold it</span>";

/// Which tools, on which hosts, how long.
pub fn recorded(over_time: &OverTime, records: u64, axis: &Axis) -> String {
    let mut rows = Vec::new();
    for (name, tool) in &over_time.tools {
        for (index, (host, line)) in tool.hosts.iter().enumerate() {
            let lost = tool.lost.get(index).map_or(0.0, Series::total);
            let (from, to) =
                line.span().map_or_else(Default::default, |(from, to)| (axis.short(from), axis.short(to)));
            rows.push(vec![
                format!("<a href=\"#{0}\">{0}</a>", html::text(name)),
                html::text(host),
                number(line.intervals as f64, Unit::None),
                format!("{} s", table::numbers::significant(line.seconds() / line.intervals.max(1) as f64)),
                alarm(lost),
                alarm(line.gaps_in_all as f64),
                from,
                to,
            ]);
        }
    }
    let headings = ["tool", "host", "intervals", "each", "lost", "gaps", "first", "last"];
    let numbers = [false, false, true, true, true, true, true, true];
    let mut html = html::table(&headings, &numbers, &rows);
    html += &format!("<p class=soft>{} records", number(records as f64, Unit::None));
    if over_time.events > 0 {
        html += &format!(
            ", {} of them of events, which have no interval",
            number(over_time.events as f64, Unit::None)
        );
    }
    html + ".</p>\n"
}

fn alarm(value: f64) -> String {
    let text = number(value, Unit::None);
    if value > 0.0 { format!("<span class=alarm>{text}</span>") } else { text }
}

/// Where nothing came: a stretch of time that several tools lack is one.
pub fn gaps(over_time: &OverTime, axis: &Axis) -> String {
    let mut all: IndexMap<(i64, i64), Vec<String>> = IndexMap::new();
    let (mut named, mut in_all) = (0, 0);
    for (name, tool) in &over_time.tools {
        for (host, line) in &tool.hosts {
            for (from, to) in &line.gaps {
                let seconds = [from, to].map(|time| (*time as f64 / 1e9).round() as i64);
                all.entry((seconds[0], seconds[1])).or_default().push(format!("{name} of {host}"));
            }
            (named, in_all) = (named + line.gaps.len() as u64, in_all + line.gaps_in_all);
        }
    }
    if all.is_empty() {
        return String::new();
    }
    all.sort_by(|a, _, b, _| a.cmp(b));
    let item = |((from, to), of): (&(i64, i64), &Vec<String>)| {
        let [begin, end] = [from, to].map(|time| axis.short(time.saturating_mul(1_000_000_000)));
        format!("<li>{} s, from {begin} to {end}: {}</li>\n", to - from, html::text(&of.join(", ")))
    };
    let items: String = all.iter().take(GAPS).map(item).collect();
    let more = all.len().saturating_sub(GAPS) as u64 + in_all - named;
    let more = if more > 0 { format!("<li>and {more} more</li>\n") } else { String::new() };
    format!(
        "<h3>Gaps</h3>\n<p>Nothing came for longer than two intervals; grey in the pictures.</p>\n<ul>\n{items}{more}</ul>\n"
    )
}

/// Whether conditions held.
pub fn asserts(asserts: &[Assert], axis: &Axis) -> String {
    if asserts.is_empty() {
        return String::new();
    }
    let row = |assert: &Assert| {
        let verdict = match (assert.broken, assert.judged()) {
            (_, 0) => "<span class=alarm>no record that it applies to</span>".to_owned(),
            (0, judged) => format!("<span class=good>holds</span> for {judged} records"),
            (broken, judged) => format!("<span class=alarm>broken</span> by {broken} of {judged} records"),
        };
        let first = assert.first.as_ref().map_or_else(String::new, |(time, why)| {
            format!("{}<br><span class=soft>{}</span>", axis.told(*time), html::text(why))
        });
        vec![format!("<code>{}</code>", html::text(assert.text())), verdict, first]
    };
    let rows: Vec<_> = asserts.iter().map(row).collect();
    format!("<h3>Conditions</h3>\n{}", html::table(&["condition", "", "first broken"], &[], &rows))
}

/// Kernel, hooks and bounds, of what `ebpfmux --check -o json` said, in lines.
pub fn check(lines: Option<&str>, over_time: &OverTime) -> String {
    let Some(lines) = lines else {
        let rows = ["kernel", "hooks and their bounds"].map(|what| vec![what.to_owned(), UNKNOWN.to_owned()]);
        return format!("<h3>System</h3>\n{}", html::table(&["", ""], &[], &rows));
    };
    let objects = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let (mut system, mut hooks) = (Vec::new(), Vec::new());
    for object in objects {
        match object["tool"].as_str() {
            Some(tool) if over_time.tools.contains_key(tool) => hooks.extend(of_tool(tool, &object)),
            Some(_) => {}
            None => system.extend(of_system(&object)),
        }
    }
    let mut html = format!("<h3>System</h3>\n{}", html::table(&["", ""], &[], &system));
    if !hooks.is_empty() {
        let headings = ["tool", "hook", "by", "what it cannot see"];
        html += &format!("<h3>Hooks and their bounds</h3>\n{}", html::table(&headings, &[], &hooks));
    }
    html
}

/// Its fields that have a value.
fn of_system(object: &Value) -> Vec<Vec<String>> {
    let fields = object.as_object().into_iter().flatten();
    let row = |(name, value): (&String, &Value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Null => return None,
            other => other.to_string(),
        };
        Some(vec![html::text(&name.replace('_', " ")), html::text(&text)])
    };
    fields.filter_map(row).collect()
}

/// Its hooks: what each sees, by which rung, and what that cannot see.
fn of_tool(tool: &str, object: &Value) -> Vec<Vec<String>> {
    let text = |value: &Value| value.as_str().map_or_else(String::new, html::text);
    let row = |hook: &Value| {
        let rung = if hook["rung"].is_null() {
            "<span class=soft>none</span>".to_owned()
        } else {
            text(&hook["rung"])
        };
        let bound = if hook["bound"].is_null() { text(&hook["skipped"]) } else { text(&hook["bound"]) };
        vec![html::text(tool), text(&hook["hook"]), rung, bound]
    };
    object["hooks"].as_array().into_iter().flatten().map(row).collect()
}
