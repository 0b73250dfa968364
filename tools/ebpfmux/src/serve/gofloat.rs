//! Numbers as Go's `strconv` prints them in the shortest form (`g`), and so ebpf_exporter: with an exponent below 10^-4 and
//! from 10^6 on.

/// A number in that form.
pub fn text(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let power: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&power) {
        return number.to_string();
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", power.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Go prints.
    #[test]
    fn numbers_are_those_of_go() {
        for (number, expected) in [
            (0.0, "0"),
            (1e-6, "1e-06"),
            (16e-6, "1.6e-05"),
            (0.000128, "0.000128"),
            (1.048576, "1.048576"),
            (134.217728, "134.217728"),
            (999_999.0, "999999"),
            (1_287_408.0, "1.287408e+06"),
            (1e6, "1e+06"),
            (1e100, "1e+100"),
            (-0.5, "-0.5"),
            (0.0018239999999999999, "0.0018239999999999999"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(text(number), expected);
        }
    }
}
