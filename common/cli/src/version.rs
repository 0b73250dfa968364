//! `--version -v`: what a program was made from, for whoever reports a fault.

use std::ffi::OsString;

/// What is said where nobody told the commit: a build of one's own may have any changes.
const UNKNOWN: &str = "unknown (not built by scripts/package)";

/// Whether these arguments ask for the version in detail: `--version -v`, `-Vv`, in any order.
pub fn in_detail(args: &[OsString]) -> bool {
    let words = || args.iter().skip(1).filter_map(|arg| arg.to_str());
    let has = |long: &str, short: char| {
        let is_short = |word: &str| word.starts_with('-') && !word.starts_with("--") && word.contains(short);
        words().any(|word| word == long || (is_short(word) && word[1..].chars().all(|c| "vV".contains(c))))
    };
    has("--version", 'V') && has("--verbose", 'v')
}

/// A version with what the program was made from, a line each: names and values, `parts` among them.
pub fn detailed(version: &str, parts: &[(&str, &str)]) -> String {
    let linked = if cfg!(target_feature = "crt-static") { "static" } else { "dynamic" };
    let own = [
        ("commit", option_env!("EBPF_FILTERS_COMMIT").unwrap_or(UNKNOWN)),
        ("target", env!("EBPF_FILTERS_TARGET")),
        ("linked", linked),
        ("rustc", env!("EBPF_FILTERS_RUSTC")),
    ];
    let line = |(name, value): &(&str, &str)| format!("\n{name}: {value}");
    version.to_owned() + &own.iter().chain(parts).map(line).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_told_when_both_are_asked_for() {
        let asked = |line: &str| in_detail(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        for line in ["t --version -v", "t -v --version", "t -Vv", "t -vV", "t -V --verbose"] {
            assert!(asked(line), "{line}");
        }
        for line in ["t --version", "t -V", "t -v", "-v --version", "t --verbose x", "t -V -p 5"] {
            assert!(!asked(line), "{line}");
        }
    }

    #[test]
    fn each_part_has_a_line() {
        let text = detailed("1.2.3", &[("clang", "19.1.7")]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!((lines[0], lines[5]), ("1.2.3", "clang: 19.1.7"));
        assert!(lines[1].starts_with("commit: ") && lines[2].starts_with("target: "), "{text}");
        assert!(lines[4].starts_with("rustc: 1."), "{text}");
    }
}
