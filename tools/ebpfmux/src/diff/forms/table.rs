//! The comparison for a person, in 80 columns.

use table::style::Tone;
use table::text::{pad, width};
use table::{Screen, text as texts};

use super::{change, interval, key, matters, name, span, summary, value, verdict};
use crate::diff::compare::{Compared, OfTool, Verdict};
use crate::diff::options::Args;

/// The cells of each column: name, before, after, change, interval.
const WIDTHS: [usize; 5] = [20, 9, 9, 9, 19];

/// A block for each tool; with `all`, figures that matter less, too.
pub fn text(tools: &[OfTool], args: &Args, all: bool) -> String {
    let colours = Screen::now(args.table.color).colours;
    let mut text = String::new();
    for tool in tools {
        text += &Tone::Heading.paint(&texts::shown(&tool.name), colours);
        text += &format!(": {}\n", span(tool));
        text += &line(
            ["", "before", "after", "change", "99 % interval"].map(str::to_owned),
            "",
            colours,
            Tone::Plain,
        );
        for of_key in &tool.keys {
            let shown = |figure: &&Compared| match all {
                true => figure.values.iter().any(|value| *value != 0.0),
                false => matters(figure),
            };
            let mut figures = of_key.figures.iter().filter(shown).peekable();
            if figures.peek().is_some() && !of_key.key.is_empty() {
                text += &format!("{}\n", key(&of_key.key));
            }
            for figure in figures {
                let [before, after] = figure.values.map(|of| value(of, figure, args.table.exact));
                let cells =
                    [format!("  {}", name(figure)), before, after, change(figure.change()), interval(figure)];
                let tone = match figure.verdict {
                    Verdict::Changed => Tone::Outlier,
                    Verdict::Small => Tone::Plain,
                    Verdict::Noise | Verdict::TooFew => Tone::Nothing,
                };
                text += &line(cells, verdict(figure), colours, tone);
            }
        }
        text.push('\n');
    }
    text + &summary(tools) + "\n"
}

fn line(cells: [String; 5], last: &str, colours: bool, tone: Tone) -> String {
    let mut text = String::new();
    let mut over = 0;
    for (at, cell) in cells.iter().enumerate() {
        // What is too wide takes from the next one.
        let room = WIDTHS[at].saturating_sub(over);
        text += &pad(cell, room, at > 0);
        over = width(cell).saturating_sub(room);
    }
    text += "  ";
    text += &tone.paint(last, colours);
    text.trim_end().to_owned() + "\n"
}
