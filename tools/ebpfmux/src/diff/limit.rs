//! `--fail-above 20%`: how far a figure may change.

use std::str::FromStr;

use super::compare::{Compared, Verdict};

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// As a share.
    pub share: f64,
    /// Whether it is one for what becomes more.
    pub up: bool,
    /// Whether it is one for what becomes less.
    pub down: bool,
}

/// Reads `20%` or `20`: at least 0.
///
/// # Errors
/// If it is no such number.
pub fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim().trim_end_matches('%').trim_end().parse::<f64>();
    number
        .ok()
        .filter(|number| number.is_finite() && *number >= 0.0)
        .ok_or_else(|| "it is no per cent: 20%".to_owned())
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (up, down, number) = match text.trim().split_at_checked(1) {
            Some(("+", rest)) => (true, false, rest),
            Some(("-", rest)) => (false, true, rest),
            _ => (true, true, text),
        };
        Ok(Self { share: percent(number)? / 100.0, up, down })
    }
}

impl Limit {
    /// Whether a figure has changed by more, and not by noise.
    pub fn is_broken_by(&self, figure: &Compared) -> bool {
        let change = figure.change();
        figure.verdict == Verdict::Changed
            && (self.up && change > self.share || self.down && -change > self.share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_is_a_direction() {
        let limit = |text: &str| text.parse::<Limit>();
        assert_eq!(limit("20%"), Ok(Limit { share: 0.2, up: true, down: true }));
        assert_eq!(limit("+5"), Ok(Limit { share: 0.05, up: true, down: false }));
        assert_eq!(limit("-12.5 %"), Ok(Limit { share: 0.125, up: false, down: true }));
        for bad in ["", "x", "%", "--5", "+-5", "inf"] {
            assert!(limit(bad).is_err(), "{bad}");
        }
    }
}
