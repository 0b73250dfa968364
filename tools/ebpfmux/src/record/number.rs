//! JSON numbers as text: `3`, `3.0`, `3e0` and `30e-1` are the same number.

/// The exact value of a JSON number; `None` if it is not whole or too large.
pub fn whole(raw: &str) -> Option<i128> {
    // Nearly all are in the plain form.
    match raw.parse::<i64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => raw.parse().ok().or_else(|| in_another_form(raw)),
    }
}

fn in_another_form(raw: &str) -> Option<i128> {
    let (mantissa, exponent) = match raw.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (raw, 0),
    };
    let (negative, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, mantissa),
    };
    let (before, after) = digits.split_once('.').unwrap_or((digits, ""));
    let after = after.trim_end_matches('0');
    if exponent == 0 && !after.is_empty() {
        return None;
    }
    let all = format!("{before}{after}");
    if before.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = all.trim_end_matches('0');
    let value: i128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    if value == 0 {
        return Some(0);
    }
    let power = i64::from(exponent) - after.len() as i64 + (all.len() - digits.len()) as i64;
    let value = value.checked_mul(10i128.checked_pow(u32::try_from(power).ok()?)?)?;
    Some(if negative { -value } else { value })
}

/// The value of a count in any form.
pub fn count(raw: &str) -> Option<u64> {
    match raw.parse() {
        Ok(count) => Some(count),
        Err(_) => whole(raw).and_then(|whole| u64::try_from(whole).ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_is_one_however_it_is_written() {
        for three in ["3", "3.0", "3e0", "3.000", "30e-1", "0.3e1", "0.03E+2", "300.0e-2"] {
            assert_eq!(whole(three), Some(3), "{three}");
        }
        assert_eq!(whole("-3.0"), Some(-3));
        assert_eq!(whole("18446744073709551615.0"), Some(u64::MAX.into()));
        assert_eq!(whole("1.8446744073709551615e19"), Some(u64::MAX.into()));
        for zero in ["0", "-0", "0.0", "-0.0", "0e5", "0.000e-7"] {
            assert_eq!(whole(zero), Some(0), "{zero}");
        }
    }

    #[test]
    fn what_is_none_is_none() {
        for other in [
            "3.5",
            "3e-1",
            "1e400",
            "1e39",
            "true",
            "null",
            "",
            "-",
            ".",
            "e",
            "1e",
            "x",
            "1.5e0",
            "1e99999999999",
        ] {
            assert_eq!(whole(other), None, "{other}");
        }
        assert_eq!((count("-1"), count("-1.0"), count("7.0")), (None, None, Some(7)));
    }
}
