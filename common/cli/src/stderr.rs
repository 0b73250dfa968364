//! What a program says on stderr. Nothing here fails: a stderr that is full or closed, or whose reader has gone, never ends
//! the work. A lint keeps everything else from printing there.

use std::io::Write;
use std::sync::OnceLock;

use crate::notes::Note;
use crate::text::visible;

/// The program's name, for notes.
static PROGRAM: OnceLock<String> = OnceLock::new();

/// Says the program's name, which notes bear from then on. Only the first one counts.
pub fn name(program: &str) {
    PROGRAM.get_or_init(|| program.to_owned());
}

/// One line, `PROGRAM: note: MESSAGE`: something that the user should know, and that is no failure.
pub fn note(message: &str) {
    line(&prefix("note"), message);
}

/// The short sentence of a note, with the number by which `--explain` tells the rest: `PROGRAM: note N12: …`.
pub fn numbered_note(note: &Note) {
    line(&prefix(&format!("note N{}", note.number)), note.short);
}

fn prefix(what: &str) -> String {
    PROGRAM.get().map_or_else(|| what.to_owned(), |program| format!("{program}: {what}"))
}

/// One line, `PREFIX: MESSAGE`.
pub fn line(prefix: &str, message: &str) {
    // In one write, so that it is not torn by what other processes write there. Line ends within a message come from
    // libraries that lay out text.
    let message = message.replace('\n', " ");
    let _ = std::io::stderr().write_all(format!("{prefix}: {}\n", visible(&message)).as_bytes());
}

/// Text of several lines as it is, but for what a terminal would obey.
pub fn lines(text: &str) {
    let shown: String = text.split_inclusive('\n').fold(String::new(), |mut shown, line| {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        let columns: Vec<_> = line.split('\t').map(visible).collect();
        shown.push_str(&columns.join("\t"));
        shown.push_str(end);
        shown
    });
    let _ = std::io::stderr().write_all(shown.as_bytes());
}
