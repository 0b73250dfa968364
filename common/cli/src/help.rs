//! The two lengths of help: `-h` is a screen that begins with examples, `--help` is the manual.

use std::ffi::OsString;

use clap::Command;

use crate::version;

/// How many examples the short help has.
const EXAMPLES: usize = 3;

/// The command with a text behind its options that only `--help` shows, and, unless these arguments ask for that, with its
/// first examples before the options. `parts` are what `--version -v` tells beside what all programs have in common.
pub fn shaped(command: Command, args: &[OsString], parts: &[(&str, &str)]) -> Command {
    let command = match command.get_version().filter(|_| version::in_detail(args)) {
        Some(short) => {
            // It is printed, and the process ends.
            let detailed: &'static str = version::detailed(short, parts).leak();
            command.version(detailed)
        }
        None => command,
    };
    let text = command.get_after_long_help().or(command.get_after_help());
    let text = text.map(ToString::to_string).unwrap_or_default();
    let examples = first_examples(&text);
    let command = command.after_help(None::<&str>).after_long_help(text);
    if examples.is_empty() || args.iter().any(|arg| arg == "--help") {
        return command;
    }
    // A brace would begin a part of the template.
    let examples = examples.replace(['{', '}'], "");
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{examples}\n{{all-args}}\n\nMore: --help"
    ))
}

/// The first examples of a manual, with their heading.
fn first_examples(text: &str) -> String {
    let mut lines = text.lines();
    let Some(heading) = lines.next().filter(|line| *line == "Examples:") else { return String::new() };
    let (mut shown, mut begun) = (format!("{heading}\n"), 0);
    for line in lines.take_while(|line| line.starts_with("  ")) {
        begun += usize::from(!line.starts_with("   "));
        if begun > EXAMPLES {
            break;
        }
        shown = shown + line + "\n";
    }
    shown
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    #[test]
    fn the_short_help_begins_with_examples_and_the_long_one_ends_with_all() {
        let text = "Examples:\n  t 1     one\n  t 2\n          two\n  t 3     three\n  t 4     four\n\nBounds:\n  None.";
        let help = |arg: &str| {
            let command = Command::new("t").about("Tells.").arg(Arg::new("x").short('x')).after_help(text);
            let args = [OsString::from("t"), OsString::from(arg)];
            shaped(command, &args, &[]).try_get_matches_from(args).unwrap_err().to_string()
        };
        let short = help("-h");
        let at = |part: &str| short.find(part).unwrap_or_else(|| panic!("{part}: {short}"));
        assert!(at("Usage:") < at("  t 3     three") && at("  t 3     three") < at("-x"), "{short}");
        assert!(!short.contains("t 4") && !short.contains("Bounds"), "{short}");
        let long = help("--help");
        assert!(long.contains("t 4     four") && long.contains("Bounds"), "{long}");
        assert_eq!(long.matches("t 1 ").count(), 1);
    }
}
