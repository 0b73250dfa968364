//! The labels of a record's series.

use super::names::label;
use crate::record::timestamp::Nanos;

/// The common properties of a record's series.
pub struct Place {
    /// The index of the host's tool among the owners.
    pub owner: usize,
    /// The start of the record's interval.
    pub since: Nanos,
    /// The labels.
    pub labels: Vec<(String, String)>,
    /// The labels in Prometheus's text format.
    pub text: String,
    /// The number of keys that cannot be labels. Several keys then share the series, which is right
    /// for counters only.
    pub left_out: u64,
}

impl Place {
    /// With these labels, which are always the same and valid, and those of the record's keys.
    pub fn new<'a>(
        owner: usize,
        since: Nanos,
        fixed: &[(&str, &str)],
        keys: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut labels: Vec<(String, String)> = fixed.iter().map(owned).collect();
        let mut left_out = 0;
        for (name, value) in keys {
            match label(name).filter(|name| labels.iter().all(|(known, _)| known != name)) {
                None => left_out += 1,
                // To Prometheus an empty label is an absent one.
                Some(_) if value.is_empty() => {}
                Some(name) => labels.push((name, value.to_owned())),
            }
        }
        // The same series whatever the order of the fields.
        labels[fixed.len()..].sort_unstable();
        let text = text(&labels);
        Self { owner, since, labels, text, left_out }
    }
}

/// Labels in Prometheus's text format, escaped.
pub fn text(labels: &[(String, String)]) -> String {
    let mut text = String::new();
    for (name, value) in labels {
        if !text.is_empty() {
            text.push(',');
        }
        text.extend([name, "=\""]);
        for c in value.chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                c => text.push(c),
            }
        }
        text.push('"');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(keys: &[(&str, &str)]) -> (String, u64) {
        let place = Place::new(0, 0, &[("host", "h")], keys.iter().copied());
        (place.text, place.left_out)
    }

    #[test]
    fn each_name_is_there_once_in_a_fixed_order() {
        let both = place(&[("op", "r\n"), ("disk", "a\"\\")]);
        assert_eq!(both, ("host=\"h\",disk=\"a\\\"\\\\\",op=\"r\\n\"".to_owned(), 0));
        assert_eq!(place(&[("disk", "a\"\\"), ("op", "r\n")]), both);
        let odd = [("", "1"), ("le", "2"), ("__name__", "3"), ("a-b", "4"), ("a_b", "5"), ("host", "6")];
        assert_eq!(place(&odd), ("host=\"h\",a_b=\"4\"".to_owned(), 5));
        assert_eq!(place(&[("disk", "")]), place(&[]));
    }
}
