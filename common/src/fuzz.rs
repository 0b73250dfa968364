//! Runs what takes a stranger's text on arbitrary bytes: for fuzzing (`fuzz/`), and for a test on a few seeds.
//!
//! Each function panics if an invariant is violated.

use crate::owner::ancestry;
use crate::owner::apps::Apps;
use crate::owner::glob;

/// The longest command name that the kernel keeps.
const COMM_MAX: usize = 15;

/// A file of `--apps`, and the processes named in its comments as `/proc/PID/stat` has them.
///
/// Any text is a set of groups, or a line of it is wrong and said so in one line. The group of a name is that of the first
/// pattern that matches, where a star is anything.
pub fn apps(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let comments = text.lines().filter_map(|line| line.strip_prefix('#'));
    let processes: Vec<_> = comments.filter_map(ancestry::parse).collect();
    let apps = match Apps::parse(&text) {
        Ok(apps) => apps,
        Err((line, what)) => {
            assert!(
                (1..=text.lines().count()).contains(&line) && !what.is_empty() && !what.contains('\n'),
                "{what}"
            );
            return;
        }
    };
    let names = text.split(|c: char| c.is_whitespace() || "'\"".contains(c)).take(50);
    for name in names.chain(processes.iter().map(|process| process.comm.as_str())) {
        if let Some(group) = apps.group(name) {
            assert!(!group.is_empty() && !group.contains(char::is_whitespace), "{group}");
        }
        let _ = apps.is_manager(name);
        for pattern in text.split_whitespace().take(50) {
            assert_eq!(
                glob::matches(pattern, name),
                matches(pattern.as_bytes(), name.as_bytes()),
                "{pattern} {name}"
            );
        }
        let cut =
            name.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= COMM_MAX).last();
        if let Ok(one) = Apps::parse(&format!("g: {name}"))
            && !name.starts_with(['-', '~', '+', '#'])
            && !name.contains(|c: char| c == '*' || c.is_whitespace() || "'\"".contains(c))
        {
            assert_eq!(one.group(&name[..cut.unwrap_or(0)]), Some("g"), "{name} is in its own group");
        }
    }
}

/// The same as `glob::matches`, by the textbook: what of the text is matched by each beginning of the pattern.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for byte in pattern {
        if *byte == b'*' {
            (1..=text.len()).for_each(|at| reached[at] |= reached[at - 1]);
        } else {
            (1..=text.len()).rev().for_each(|at| reached[at] = reached[at - 1] && text[at - 1] == *byte);
            reached[0] = false;
        }
    }
    reached[text.len()]
}

#[cfg(test)]
#[path = "../fuzz/seeds.rs"]
mod seeds;

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn any_file_of_apps_is_read_or_refused() {
        super::seeds::every(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/apps"), super::apps);
    }
}
