//! A value of a key, as words of a command line.

use std::time::Duration;

use toml::de::DeValue;

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing: true or false.
    Nothing,
    /// A value, or `true` for the default one.
    Optional,
    /// A value; of several, one text with commas.
    One,
    /// A value, again and again.
    Several,
}

/// The words that say this by an option (`--window`).
///
/// # Errors
/// What is wrong.
pub fn words(option: &str, takes: Takes, value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let name = option.trim_start_matches('-');
    let with = |text: String| format!("{option}={text}");
    match (takes, value) {
        (Takes::Nothing | Takes::Optional, DeValue::Boolean(true)) => Ok(vec![option.to_owned()]),
        (Takes::Nothing | Takes::Optional, DeValue::Boolean(false)) => Ok(Vec::new()),
        (Takes::Nothing, _) => Err(format!("{name} is true or false")),
        (_, DeValue::Boolean(_)) => Err(format!("{name} takes a value, not true or false")),
        (takes, DeValue::Array(values)) => {
            let texts = values.iter().map(|value| text(name, value.get_ref()));
            let texts = texts.collect::<Result<Vec<_>, _>>()?;
            Ok(if takes == Takes::Several {
                texts.into_iter().map(with).collect()
            } else {
                vec![with(texts.join(","))]
            })
        }
        (_, value) => Ok(vec![with(text(name, value)?)]),
    }
}

/// A text or a number, as text.
///
/// # Errors
/// What is wrong.
pub fn text(name: &str, value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Ok(number.to_string()),
            Err(_) => Err(format!("{name} is out of range")),
        },
        DeValue::Float(number) => Ok(number.as_str().to_owned()),
        _ => Err(format!("{name} takes a text or a number")),
    }
}

/// A time in seconds.
///
/// # Errors
/// What is wrong.
pub fn seconds(name: &str, value: &DeValue<'_>) -> Result<Duration, String> {
    let seconds =
        text(name, value)?.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.filter(|time| !time.is_zero()).ok_or_else(|| format!("{name} is a number of seconds above 0"))
}
