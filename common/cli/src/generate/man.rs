//! The manual page.

use std::io;

use clap::Command;
use roff::{Roff, bold, italic, roman};

use super::sections::{self, Section};
use crate::exit::Exit;

/// A page of section 1.
pub fn page(command: Command) -> io::Result<String> {
    let name = command.get_name().to_owned();
    let behind = sections::behind_options(&command);
    // The text after the options gets sections of its own.
    let command = command.after_help(None::<&str>).after_long_help(None::<&str>);
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    let mut rest = Roff::new();
    behind.iter().for_each(|section| preformatted(&mut rest, section));
    for (title, fields) in sections::records(&name) {
        rest.control("SH", [title.to_uppercase().as_str()]);
        for (field, declared) in fields {
            rest.control("TP", []);
            rest.text([bold(field), roman(format!(" ({})", sections::kind(&declared)))]);
            rest.text([roman(declared.description)]);
        }
    }
    rest.control("SH", ["SIGNALS"]);
    rest.text([roman(sections::SIGNALS)]);
    rest.control("SH", ["EXIT STATUS"]);
    for (exit, meaning) in Exit::ALL {
        rest.control("TP", []);
        rest.text([bold((exit as u8).to_string())]);
        rest.text([roman(meaning)]);
    }
    rest.control("SH", ["SEE ALSO"]);
    let others = if name == "ebpfmux" { ["biolat", "proclife"] } else { ["ebpfmux", "jq"] };
    rest.text([
        bold(others[0]),
        roman("(1), "),
        bold(others[1]),
        roman("(1), "),
        italic("docs/"),
        roman(" of ebpf-filters"),
    ]);
    rest.to_writer(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn preformatted(page: &mut Roff, section: &Section) {
    page.control("SH", [section.heading.to_uppercase().as_str()]);
    page.control("nf", []);
    for line in &section.lines {
        page.text([roman(line.clone())]);
    }
    page.control("fi", []);
}
