//! The page in `docs/tools`.

use std::fmt::Write;

use clap::{Arg, Command};

use super::sections;
use crate::exit::Exit;

/// A page in Markdown. Writing into memory cannot fail.
pub fn page(mut command: Command) -> String {
    let name = command.get_name().to_owned();
    let mut page =
        format!("# {name}\n\n<!-- Made by scripts/schemas out of what the program says of itself. -->\n\n");
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let usage = command.render_usage().to_string();
    let _ = writeln!(page, "{}\n\n```\n{}\n```", sentence(&about), usage.trim_start_matches("Usage: "));
    for section in sections::behind_options(&command) {
        let _ = writeln!(page, "\n## {}\n\n```text\n{}\n```", section.heading, section.lines.join("\n"));
    }
    page += "\n## Options\n\n| option | meaning |\n| --- | --- |\n";
    for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
        let help =
            argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(page, "| {} | {} |", written(argument), cell(&help));
    }
    for (title, fields) in sections::records(&name) {
        let _ = write!(page, "\n## {title}\n\n| field | kind | meaning |\n| --- | --- | --- |\n");
        for (field, declared) in fields {
            let _ = writeln!(
                page,
                "| `{field}` | {} | {} |",
                sections::kind(&declared),
                cell(&declared.description)
            );
        }
    }
    let _ = writeln!(page, "\n## Signals\n\n{}", sections::SIGNALS);
    page += "\n## Exit status\n\n| status | meaning |\n| --- | --- |\n";
    for (exit, meaning) in Exit::ALL {
        let _ = writeln!(page, "| {} | {} |", exit as u8, cell(meaning));
    }
    page += "\nSee also: [the record](../record.md), [attribution](../attribution.md), [permissions](../permissions.md), \
             [ebpfmux](../ebpfmux.md).\n";
    page
}

/// `-o`, `--output SHAPE`, or `[INTERVAL]`.
fn written(argument: &Arg) -> String {
    let values = argument.get_value_names().unwrap_or_default();
    let value = values.iter().map(|name| format!(" {name}")).collect::<String>();
    let takes = argument.get_action().takes_values();
    let value = if takes { value } else { String::new() };
    match (argument.get_short(), argument.get_long()) {
        (Some(short), Some(long)) => format!("`-{short}`, `--{long}{value}`"),
        (None, Some(long)) => format!("`--{long}{value}`"),
        (Some(short), None) => format!("`-{short}{value}`"),
        (None, None) => format!("`[{}]`", value.trim()),
    }
}

/// On one line, with nothing that would end a table's cell.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// With the full stop that a sentence ends with.
fn sentence(text: &str) -> String {
    let text = cell(text);
    if text.ends_with(['.', '?', '!']) { text } else { text + "." }
}
