//! The forms of a summary for programs and for pages: JSON, JUnit's XML, Markdown.

use serde::Serialize;
use serde_json::value::RawValue;

use super::phrase::phrases;
use super::{Check, Summary, seconds};
use crate::markup::escaped;
use crate::record::{find, to_json};

/// The summary as JSON, in its order.
#[derive(Serialize)]
struct Document<'a> {
    command: &'a [String],
    status: u8,
    signal: Option<i32>,
    elapsed_s: f64,
    user_s: Option<f64>,
    system_s: Option<f64>,
    memory_peak_bytes: Option<u64>,
    complete: bool,
    lost: u64,
    asserts: Vec<Assert<'a>>,
    totals: Vec<Box<RawValue>>,
}

#[derive(Serialize)]
struct Assert<'a> {
    assert: &'a str,
    holds: bool,
    why: Option<&'a str>,
}

impl<'a> Assert<'a> {
    fn of(check: &'a Check) -> Self {
        Self { assert: &check.text, holds: check.broken.is_none(), why: check.broken.as_deref() }
    }
}

/// One JSON object in a line: the sums are records as `--window` makes them.
pub fn json(summary: &Summary<'_>) -> String {
    let raw = |record| {
        let mut line = Vec::new();
        to_json(record, &mut line);
        RawValue::from_string(String::from_utf8(line).ok()?.trim_end().to_owned()).ok()
    };
    let document = Document {
        command: &summary.words,
        status: summary.code,
        signal: summary.signal,
        elapsed_s: seconds(summary.elapsed),
        user_s: summary.used.user.map(seconds),
        system_s: summary.used.system.map(seconds),
        memory_peak_bytes: summary.used.memory_peak,
        complete: summary.complete,
        lost: summary.lost(),
        asserts: summary.checks.iter().map(Assert::of).collect(),
        totals: summary.totals.iter().filter_map(raw).collect(),
    };
    // Numbers and text always have a form.
    serde_json::to_string(&document).unwrap_or_default() + "\n"
}

/// A test suite with a case for the exit status, and one for each --assert.
pub fn junit(summary: &Summary<'_>) -> String {
    let name = xml(&summary.name());
    let status = match (summary.code, summary.signal) {
        (0, _) => None,
        (_, Some(signal)) => Some(format!("killed by signal {signal}")),
        (code, None) => Some(format!("status {code}")),
    };
    let cases = std::iter::once(("exit status 0".to_owned(), status))
        .chain(summary.checks.iter().map(|check| (check.text.clone(), check.broken.clone())));
    let cases: Vec<(String, Option<String>)> = cases.collect();
    let failures = cases.iter().filter(|(_, failure)| failure.is_some()).count();
    let elapsed = seconds(summary.elapsed);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\" \
         errors=\"0\" skipped=\"0\" time=\"{elapsed}\">\n",
        cases.len()
    );
    for (case, failure) in &cases {
        let (case, time) = (xml(case), if case == "exit status 0" { elapsed } else { 0.0 });
        text += &format!("  <testcase classname=\"{name}\" name=\"{case}\" time=\"{time}\"");
        text += &match failure {
            Some(why) => format!(">\n    <failure message=\"{}\"/>\n  </testcase>\n", xml(why)),
            None => "/>\n".to_owned(),
        };
    }
    text += &format!("  <system-out>{}</system-out>\n</testsuite>\n", xml(&summary.text()));
    text
}

/// Text as a part of XML: what XML cannot have is replaced.
fn xml(text: &str) -> String {
    let allowed = |character| match character {
        '\t' | '\n' => character,
        '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
        _ => character,
    };
    escaped(&text.chars().map(allowed).collect::<String>())
}

/// A heading and a table.
pub fn markdown(summary: &Summary<'_>) -> String {
    let mut text = format!(
        "### `{}`\n\n{}\n\n| tool | |\n| --- | --- |\n",
        summary.name().replace('`', "'"),
        summary.times()
    );
    let cell = |text: &str| text.replace('|', "\\|");
    for record in summary.totals {
        let tool = find(record, "tool").map_or("", crate::record::Value::text);
        for phrase in phrases(record) {
            text += &format!("| {} | {} |\n", cell(tool), cell(&phrase));
        }
    }
    text += &format!("| lost | {} |\n", summary.lost());
    for check in &summary.checks {
        let outcome =
            check.broken.as_ref().map_or_else(|| "holds".to_owned(), |why| format!("**{}**", cell(why)));
        text += &format!("| `{}` | {outcome} |\n", cell(&check.text));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_stays_text() {
        assert_eq!(xml("a<b> & \"c\"\u{1b}[2J"), "a&lt;b&gt; &amp; &quot;c&quot;\u{fffd}[2J");
    }
}
