//! `--rcode`: which response codes to report.

use crate::numbers::{RCODES, rcode_name};

/// A value of the option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rcode {
    /// A response code, by its name in records.
    Of(String),
    /// No answer.
    Timeout,
}

impl Rcode {
    /// From a name, in either case, a number, or `timeout`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("timeout") {
            return Ok(Self::Timeout);
        }
        let name = match text.parse::<u8>() {
            Ok(number @ 0..16) => rcode_name(number).into_owned(),
            _ => {
                let known = RCODES.into_iter().find(|name| name.eq_ignore_ascii_case(text));
                let names = || format!("not one of {}, timeout, nor a number below 16", RCODES.join(", "));
                known.ok_or_else(names)?.to_string()
            }
        };
        Ok(Self::Of(name))
    }

    /// Whether a record with this response code is asked for.
    pub fn is_of(&self, rcode: Option<&str>) -> bool {
        match self {
            Self::Of(name) => rcode == Some(name),
            Self::Timeout => rcode.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_names_and_numbers() {
        let is_of = |text: &str, rcode| Rcode::parse(text).unwrap().is_of(rcode);
        assert!(is_of("nxdomain", Some("NXDOMAIN")) && is_of("3", Some("NXDOMAIN")));
        assert!(is_of("15", Some("RCODE15")) && is_of("Timeout", None));
        assert!(!is_of("timeout", Some("NOERROR")) && !is_of("0", None));
        assert!(["", "16", "-1", "NX"].iter().all(|text| Rcode::parse(text).is_err()));
    }
}
