//! Values of options.

use std::time::Duration;

use cli::duration;

/// The longest name before those of metrics.
const NAMESPACE_AT_MOST: usize = 64;

/// A time, at most that of 30 years.
pub fn seconds(text: &str) -> Result<Duration, String> {
    match duration::parse(text)? {
        length if length.as_secs_f64() <= 1e9 => Ok(length),
        _ => Err("not between 0 and 1000000000 seconds".to_owned()),
    }
}

/// The beginning of metrics' names. That of this program's own metrics is theirs.
pub fn namespace(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if text.is_empty() || text.starts_with(|c: char| c.is_ascii_digit()) || !text.chars().all(fits) {
        return Err("a name has letters, digits and _, and does not begin with a digit".to_owned());
    }
    if text.len() > NAMESPACE_AT_MOST {
        return Err(format!("a name has at most {NAMESPACE_AT_MOST} characters"));
    }
    if text.starts_with("ebpfmux") {
        return Err("metrics of ebpfmux itself begin so".to_owned());
    }
    Ok(text.to_owned())
}

/// The length of a window.
pub fn length(text: &str) -> Result<Duration, String> {
    seconds(text).and_then(|length| match length >= Duration::from_millis(1) {
        true => Ok(length),
        false => Err("a window is at least 0.001 seconds long".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::args::Args;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
        let args = Args::try_parse_from(["ebpfmux", "--join", "a", "-"]).unwrap();
        assert_eq!((args.join, args.files.len()), (Some(Duration::from_secs(1)), 2));
    }

    #[test]
    fn a_namespace_is_a_valid_name_that_is_free() {
        for bad in ["", "1a", "a-b", "ü", "ebpfmux", "ebpfmux_x", &"x".repeat(65)] {
            assert!(namespace(bad).is_err(), "{bad}");
        }
        assert_eq!(namespace("_a9").as_deref(), Ok("_a9"));
    }

    #[test]
    fn seconds_are_finite_and_not_negative() {
        for bad in ["-1", "x", "inf", "NaN", "1e300"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert!(length("0").is_err());
    }
}
