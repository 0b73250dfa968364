//! What a measured command did, at its end.

mod forms;
mod phrase;

use std::ffi::OsString;
use std::time::Duration;

use super::cgroup::Used;
use super::options::Form;
use crate::record::Fields;
use phrase::{number, phrases};

/// A condition of --assert, and whether it held for all sums.
pub struct Check {
    /// The expression.
    pub text: String,
    /// Why it did not hold.
    pub broken: Option<String>,
}

/// The summary of a command that has ended.
pub struct Summary<'a> {
    /// Its words, which may be any bytes.
    pub words: Vec<String>,
    /// The exit status, as a shell has it.
    pub code: u8,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// From its start to its end.
    pub elapsed: Duration,
    /// What the tasks of its cgroup have used.
    pub used: Used,
    /// The sums, a record for each tool and key.
    pub totals: &'a [Fields<'static>],
    /// The conditions.
    pub checks: Vec<Check>,
    /// Whether all tools ran from before its start until after its end.
    pub complete: bool,
}

impl Summary<'_> {
    /// In this form, with the end of its last line.
    pub fn form(&self, form: Form) -> String {
        match form {
            Form::Text => self.text() + "\n",
            Form::Json => forms::json(self),
            Form::Junit => forms::junit(self),
            Form::Md => forms::markdown(self),
        }
    }

    /// The command as a user would type it.
    fn name(&self) -> String {
        let quoted = self
            .words
            .iter()
            .map(|word| shlex::try_quote(word).map_or_else(|_| word.clone(), std::borrow::Cow::into_owned));
        cli::text::visible(&quoted.collect::<Vec<_>>().join(" ")).into_owned()
    }

    /// `41.2 s (38.0 s user, 2.9 s system)`, and the memory where the kernel tells.
    fn times(&self) -> String {
        let time = |length: Duration| phrase::time(length.as_secs_f64() * 1e6);
        let mut text = time(self.elapsed);
        if let (Some(user), Some(system)) = (self.used.user, self.used.system) {
            text += &format!(" ({} user, {} system)", time(user), time(system));
        }
        text.extend(self.used.memory_peak.map(|peak| format!(", {} of memory", phrase::bytes(peak as f64))));
        match self.signal {
            Some(signal) => text += &format!(", killed by signal {signal}"),
            None if self.code != 0 => text += &format!(", status {}", self.code),
            None => {}
        }
        text
    }

    /// How many events are missing in the sums.
    fn lost(&self) -> u64 {
        self.totals.iter().filter_map(|record| number(record, "lost")).sum::<f64>() as u64
    }

    fn text(&self) -> String {
        let counted = self.totals.iter().flat_map(phrases);
        let all: Vec<String> = std::iter::once(self.times()).chain(counted).collect();
        let missing = if self.complete { "" } else { ", incomplete" };
        format!("{}: {}, lost {}{missing}", self.name(), all.join(", "), self.lost())
    }
}

/// In seconds, to the microsecond.
fn seconds(length: Duration) -> f64 {
    length.as_micros() as f64 / 1e6
}

/// Words as text: what is not UTF-8 is replaced.
pub fn words(command: &[OsString]) -> Vec<String> {
    command.iter().map(|word| word.to_string_lossy().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::from_json;

    const COUNTED: &str = r#"{"ts":"2026-11-30T00:00:00Z","host":"h","tool":"none","interval_s":1,"op":"read","count":2,"bytes":8192,"p99_us":80,"lost":3}"#;

    fn summary<'a>(totals: &'a [Fields<'static>]) -> Summary<'a> {
        Summary {
            words: vec!["make".into(), "a b".into()],
            code: 2,
            signal: None,
            elapsed: Duration::from_millis(41_240),
            used: Used {
                user: Some(Duration::from_secs(38)),
                system: Some(Duration::from_millis(2_900)),
                memory_peak: None,
            },
            totals,
            checks: vec![Check { text: "count < 2".into(), broken: Some("it is <2>".into()) }],
            complete: true,
        }
    }

    fn totals() -> Vec<Fields<'static>> {
        let owned = |(name, value): (std::borrow::Cow<'_, str>, crate::record::Value<'_>)| {
            (name.into_owned().into(), value.into_owned())
        };
        vec![from_json(COUNTED.as_bytes()).unwrap().into_iter().map(owned).collect()]
    }

    #[test]
    fn a_line_tells_all() {
        assert_eq!(
            summary(&totals()).form(Form::Text),
            "make 'a b': 41.2 s (38.0 s user, 2.9 s system), status 2, 8.00 KiB read p99 80.0 µs, lost 3\n"
        );
    }

    #[test]
    fn json_has_the_sums_as_records() {
        let text = summary(&totals()).form(Form::Json);
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["command"], serde_json::json!(["make", "a b"]));
        assert_eq!(
            (&read["status"], &read["lost"], &read["signal"]),
            (&2.into(), &3.into(), &serde_json::Value::Null)
        );
        assert_eq!((read["elapsed_s"].as_f64(), read["user_s"].as_f64()), (Some(41.24), Some(38.0)));
        assert_eq!(read["totals"][0]["bytes"], 8192);
        assert_eq!(read["asserts"][0]["holds"], false);
    }

    #[test]
    fn junit_has_a_case_for_the_status_and_for_each_condition() {
        let text = summary(&totals()).form(Form::Junit);
        assert!(text.contains(r#"tests="2" failures="2""#), "{text}");
        assert!(text.contains(r#"<failure message="status 2"/>"#), "{text}");
        assert!(text.contains(r#"name="count &lt; 2""#) && text.contains("it is &lt;2&gt;"), "{text}");
    }

    #[test]
    fn markdown_has_a_row_for_each() {
        let text = summary(&totals()).form(Form::Md);
        assert!(
            text.contains(
                "| none | 8.00 KiB read p99 80.0 µs |\n| lost | 3 |\n| `count < 2` | **it is <2>** |"
            ),
            "{text}"
        );
    }
}
