//! What Go's expressions become.

use super::*;

fn matched<'a>(expression: &str, text: &'a str) -> Option<&'a str> {
    compile(expression)
        .unwrap_or_else(|error| panic!("{expression}: {error}"))
        .find(text)
        .map(|found| found.as_str())
}

/// What Go's own package answers.
#[test]
fn an_expression_means_what_it_means_to_go() {
    for (expression, text, found) in [
        ("^systemd-journal$", "systemd-journal", Some("systemd-journal")),
        ("\\d+", "\u{665}7", Some("7")),
        ("\\w+", "é_a1", Some("_a1")),
        ("\\s", "a\u{b}\u{a0} ", Some(" ")),
        ("\\ba", "éa", Some("a")),
        ("\\Qa.b\\E+", "a.bb", Some("a.bb")),
        ("\\Qa.b", "a.b", Some("a.b")),
        ("[[]", "[", Some("[")),
        ("[]a]+", "]a", Some("]a")),
        ("[a&&b]+", "a&b", Some("a&b")),
        ("[a~~b]+", "a~b", Some("a~b")),
        ("[[:alpha:]_]+", "1a_", Some("a_")),
        ("[^\\d]", "1a", Some("a")),
        ("[\\D]", "1a", Some("a")),
        ("a{,3}", "a{,3}", Some("a{,3}")),
        ("a{", "a{", Some("a{")),
        ("a{2}", "aaa", Some("aa")),
        ("a{2,}?", "aaa", Some("aa")),
        ("\\101", "A", Some("A")),
        ("\\x41\\x{42}", "AB", Some("AB")),
        ("\\p{Greek}\\pL", "αb", Some("αb")),
        ("(?i)ABC", "abc", Some("abc")),
        ("(?P<n>a)b", "ab", Some("ab")),
        ("a.c", "a\u{fffd}c", Some("a\u{fffd}c")),
        ("a}", "a}", Some("a}")),
        ("\\<a\\>", "<a>", Some("<a>")),
        ("x*?y", "xxy", Some("xxy")),
    ] {
        assert_eq!(matched(expression, text), found, "{expression}");
    }
}

#[test]
fn what_go_refuses_is_refused() {
    for expression in [
        "x**",
        "x*+",
        "a{2}{3}",
        "a{1001}",
        "a{2,1001}",
        "(?x)a b",
        "(?u)a",
        "(",
        ")",
        "[a",
        "\\8",
        "\\1",
        "\\",
        "[\\",
        "\\y",
        "*",
        "[b-a]",
        "\\pX",
        "(?P<n",
        "(?",
        "a{99999999999}",
        "[+--]",
    ] {
        let error = compile(expression).map(|_| ()).expect_err(expression);
        assert!(!error.is_empty() && !error.contains('\n'), "{expression}: {error}");
    }
    assert!(compile(&"(a{1000}){1000}".repeat(10)).is_err());
    assert!(compile(&"a".repeat(5000)).is_err());
}
