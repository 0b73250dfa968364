//! The comparison for a page.

use super::{change, interval, key, matters, name, span, summary, value, verdict};
use crate::diff::compare::{OfTool, Verdict};

/// A table for each tool.
pub fn text(tools: &[OfTool]) -> String {
    let mut text = format!("{}\n", summary(tools));
    for tool in tools {
        text += &format!("\n### {}\n\n{}\n\n", cell(&tool.name), span(tool));
        text += "| key | figure | before | after | change | 99 % interval | |\n";
        text += "| --- | --- | ---: | ---: | ---: | ---: | --- |\n";
        for of_key in &tool.keys {
            for figure in of_key.figures.iter().filter(|figure| matters(figure)) {
                let [before, after] = figure.values.map(|of| value(of, figure, false));
                let verdict = match figure.verdict {
                    Verdict::Changed => format!("**{}**", verdict(figure)),
                    _ => verdict(figure).to_owned(),
                };
                text += &format!(
                    "| {} | {} | {before} | {after} | {} | {} | {verdict} |\n",
                    cell(&key(&of_key.key)),
                    cell(&name(figure)),
                    change(figure.change()),
                    interval(figure)
                );
            }
        }
    }
    text
}

/// A stranger's text in a cell: nothing in it is markup.
fn cell(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => safe += "&lt;",
            '&' => safe += "&amp;",
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '~' | '#' => safe.extend(['\\', character]),
            _ => safe.push(character),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_stays_text() {
        assert_eq!(cell("<b>a|b*[x](y)"), "&lt;b>a\\|b\\*\\[x\\](y)");
    }
}
