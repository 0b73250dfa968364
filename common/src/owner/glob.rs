//! Patterns in which `*` matches anything.

/// Whether a text matches a pattern.
pub fn matches(pattern: &str, text: &str) -> bool {
    let Some((prefix, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(prefix) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    // There is at least one part: the one after the last star.
    let suffix = parts.pop().unwrap_or_default();
    for part in parts {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(suffix)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_stand_for_anything() {
        let yes = [
            ("a", "a"),
            ("a*", "a"),
            ("*a", "ba"),
            ("*a*", "bab"),
            ("a*b*c", "a-b-b-c"),
            ("*", ""),
            ("**", "x"),
        ];
        let no = [
            ("a", "ab"),
            ("a*", "ba"),
            ("*a", "ab"),
            ("*a*", "b"),
            ("a*b*c", "a-c"),
            ("ab*ba", "aba"),
            ("", "a"),
        ];
        assert!(yes.iter().all(|(pattern, text)| matches(pattern, text)));
        assert!(no.iter().all(|(pattern, text)| !matches(pattern, text)));
    }
}
