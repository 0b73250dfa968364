//! The forms of a comparison: a table for a person, JSON, Markdown.

mod json;
mod markdown;
mod table;

use record::fields::Unit;

use super::compare::{Compared, OfTool, Verdict};
use super::options::{Args, Shape};

/// How much a field may matter at most, by its rank, to be shown without having changed.
const RANK: u8 = 3;

/// The whole comparison.
pub fn text(shape: Shape, tools: &[OfTool], args: &Args) -> String {
    match shape {
        Shape::Table => table::text(tools, args, false),
        Shape::Wide => table::text(tools, args, true),
        Shape::Json => json::text(tools),
        Shape::Md => markdown::text(tools),
    }
}

/// The values of a key: `vda read`.
pub fn key(key: &[(String, String)]) -> String {
    words(&key.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>())
}

/// Words with a space between them, of a stranger too.
pub fn words(words: &[&str]) -> String {
    let there: Vec<_> =
        words.iter().filter(|word| !word.is_empty()).map(|word| cli::text::visible(word)).collect();
    there.join(" ")
}

/// `+12.3 %`, `-5 %`, `x 21`, `new`.
pub fn change(share: f64) -> String {
    match share {
        _ if share.is_infinite() => "new".to_owned(),
        -1.0 => "gone".to_owned(),
        _ if share >= 9.995 => format!("x {}", ::table::numbers::significant(share + 1.0)),
        _ => format!("{} %", signed(share * 100.0)),
    }
}

/// With a sign, to a tenth.
fn signed(percent: f64) -> String {
    let text = format!("{percent:+.1}");
    if text == "-0.0" { "+0.0".to_owned() } else { text }
}

/// `-2.1 to +3.0 %`; nothing without an interval.
fn interval(figure: &Compared) -> String {
    let percent = |ratio: f64| (ratio - 1.0) * 100.0;
    match figure.ratios {
        [Some(low), Some(high)] if high >= 10.995 => {
            let of = ::table::numbers::significant;
            format!("x {} to x {}", of(low), of(high))
        }
        [Some(low), Some(high)] => format!("{} to {} %", signed(percent(low)), signed(percent(high))),
        [Some(low), None] if low >= 10.995 => format!("from x {}", ::table::numbers::significant(low)),
        [Some(low), None] if low > 1.0 => format!("from {} %", signed(percent(low))),
        _ => String::new(),
    }
}

/// In a word.
fn verdict(figure: &Compared) -> &'static str {
    match figure.verdict {
        Verdict::Changed => "changed",
        Verdict::Small => "small",
        Verdict::Noise => "noise",
        Verdict::TooFew => "too few",
    }
}

/// Whether it is shown where not all are.
fn matters(figure: &Compared) -> bool {
    let happened = figure.values.iter().any(|value| *value != 0.0);
    let ranked = figure.field.column.rank.is_some_and(|rank| rank <= RANK);
    happened && (figure.verdict == Verdict::Changed || ranked)
}

/// A value for a person.
fn value(value: f64, figure: &Compared, exact: bool) -> String {
    match figure.field.unit {
        _ if exact => format!("{value}"),
        Unit::Bytes => ::table::numbers::bytes(value),
        _ if value.abs() >= 100_000.0 => ::table::numbers::count(value),
        _ => ::table::numbers::significant(value),
    }
}

/// The name of a figure, and what it is per.
fn name(figure: &Compared) -> String {
    format!("{}{}", figure.name, if figure.is_rate() { "/s" } else { "" })
}

/// How many intervals of a tool there are, and what was lost.
fn span(tool: &OfTool) -> String {
    let of = |side: usize| {
        let n = tool.intervals[side];
        format!("{n} interval{} in {:.0} s", if n == 1 { "" } else { "s" }, tool.seconds[side])
    };
    let [before, after] = tool.lost;
    format!("{}, then {}; lost {before}, then {after}", of(0), of(1))
}

/// How many figures came to each verdict, in a sentence.
fn summary(tools: &[OfTool]) -> String {
    let figures = || tools.iter().flat_map(|tool| &tool.keys).flat_map(|key| &key.figures);
    let figures = || figures().filter(|figure| figure.values.iter().any(|value| *value != 0.0));
    let count = |verdict: Verdict| figures().filter(|figure| figure.verdict == verdict).count();
    let parts = [
        (Verdict::Changed, "changed"),
        (Verdict::Small, "small"),
        (Verdict::Noise, "not told from noise"),
        (Verdict::TooFew, "of too few intervals"),
    ];
    let parts = parts.map(|(verdict, words)| (count(verdict), words));
    let named = parts.iter().filter(|(n, words)| *n > 0 || *words == "changed");
    let named: Vec<_> = named.map(|(n, words)| format!("{n} {words}")).collect();
    format!("Of {} figures {}.", figures().count(), named.join(", "))
}
