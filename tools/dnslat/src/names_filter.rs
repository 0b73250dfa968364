//! `--name`: which names to report.

use common::owner::glob;

use crate::message::Question;

/// A pattern of `--name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern {
    /// In lower case.
    pattern: String,
    excluded: bool,
}

impl NamePattern {
    /// From a value of the option: names are compared without a dot at the end.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (excluded, pattern) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
        if pattern.is_empty() {
            return Err("an empty name; that of the root is a dot".to_string());
        }
        let pattern = match pattern.strip_suffix('.') {
            Some(rest) if !rest.is_empty() && !rest.ends_with('\\') => rest,
            _ => pattern,
        };
        Ok(Self { pattern: pattern.to_ascii_lowercase(), excluded })
    }
}

/// The patterns: what one excludes is so wherever it stands; exclusions alone pass all others.
#[derive(Clone, Debug, Default)]
pub struct NamesFilter(Vec<NamePattern>);

impl NamesFilter {
    /// Of these patterns.
    pub fn new(patterns: &[NamePattern]) -> Self {
        Self(patterns.to_vec())
    }

    /// Whether a question passes; one that cannot be read only if no pattern is asked for.
    pub fn passes(&self, question: Option<&Question>) -> bool {
        let others = self.0.iter().all(|one| one.excluded);
        let Some(question) = question else { return others };
        let mut matching =
            self.0.iter().filter(|one| glob::matches(&one.pattern, &question.folded)).peekable();
        match matching.peek() {
            None => others,
            Some(_) => matching.all(|one| !one.excluded),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_ask_for_names_and_leave_out_others() {
        let passing = |patterns: &[&str]| {
            let patterns: Vec<_> = patterns.iter().map(|text| NamePattern::parse(text).unwrap()).collect();
            let filter = NamesFilter::new(&patterns);
            let names = [Some("example.com"), Some("www.example.com"), Some("."), None];
            names.map(|name| {
                let question = name.map(|name| Question { folded: name.into(), qtype: 1 });
                u8::from(filter.passes(question.as_ref()))
            })
        };
        assert_eq!(passing(&[]), [1, 1, 1, 1]);
        assert_eq!(passing(&["*.Example.com."]), [0, 1, 0, 0]);
        assert_eq!(passing(&["*example.com", "!www.*"]), [1, 0, 0, 0]);
        assert_eq!(passing(&["!www.*"]), [1, 0, 1, 1]);
        assert_eq!(passing(&["."]), [0, 0, 1, 0]);
        assert!(NamePattern::parse("!").is_err() && NamePattern::parse("").is_err());
    }
}
