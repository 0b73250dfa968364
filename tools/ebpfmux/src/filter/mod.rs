//! `--where` and `--assert`: filters records and checks conditions.

pub mod condition;
pub mod expression;
mod names;
pub mod resolve;
pub mod select;
mod times;

use cli::exit::{Failure, Result};
use memchr::memmem;

use crate::record::Fields;
use condition::Condition;
use expression::Outcome;
use resolve::Resolver;

/// The tool of a JSON line in the tools' own form, found without parsing the line.
pub fn tool_of(line: &[u8]) -> Option<&[u8]> {
    const TOOL: &[u8] = b",\"tool\":\"";
    let start = memmem::find(line, TOOL)? + TOOL.len();
    // No nested value precedes it, so it is the record's own.
    if memchr::memchr_iter(b'{', &line[..start]).nth(1).is_some() {
        return None;
    }
    let len = memchr::memchr2(b'"', b'\\', &line[start..])?;
    (line[start + len] == b'"').then(|| &line[start..start + len])
}

/// The verdict on a record.
pub enum Verdict {
    /// It is passed on.
    Pass,
    /// It is dropped.
    Drop,
    /// It is passed on as the last: it violates the assertion, with this message.
    Broken(String),
}

/// All conditions on records.
#[derive(Default)]
pub struct Filter {
    /// Only records for which it holds are passed on.
    pub keep: Option<Condition>,
    /// Conditions that must hold for each record passed on.
    pub asserts: Vec<Condition>,
}

impl Filter {
    /// Whether there is no condition.
    pub fn is_empty(&self) -> bool {
        self.keep.is_none() && self.asserts.is_empty()
    }

    /// The verdict on a line that need not be parsed; `None` if it must be.
    pub fn without_parsing(&mut self, line: &[u8]) -> Option<Verdict> {
        let tool = tool_of(line)?;
        let keep = match &mut self.keep {
            Some(rule) => rule.without_parsing(tool)?,
            None => Outcome::True,
        };
        if keep != Outcome::True {
            return Some(Verdict::Drop);
        }
        for rule in &mut self.asserts {
            if rule.without_parsing(tool)? == Outcome::False {
                return None;
            }
        }
        Some(Verdict::Pass)
    }

    /// The verdict on a record. Fails if a name is misspelt.
    pub fn judge(&mut self, fields: &Fields<'_>) -> Result<Verdict> {
        if self.is_empty() {
            return Ok(Verdict::Pass);
        }
        let record = Resolver::new(fields);
        if let Some(rule) = &mut self.keep
            && rule.judge(&record, Outcome::True)?.0 != Outcome::True
        {
            return Ok(Verdict::Drop);
        }
        for rule in &mut self.asserts {
            if let Some(why) = rule.broken(&record)? {
                return Ok(Verdict::Broken(why));
            }
        }
        Ok(Verdict::Pass)
    }

    /// At the end: fails if a name was in no record, or if an assertion applied to no record.
    pub fn finish(&self) -> Result<()> {
        self.keep.iter().chain(&self.asserts).try_for_each(Condition::finish)?;
        match self.asserts.iter().find(|rule| rule.judged() == 0) {
            Some(rule) => {
                Err(Failure::failed(format!("--assert '{}': no record came that it applies to", rule.text())))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tool_is_read_from_the_line() {
        let tool =
            |line: &'static str| tool_of(line.as_bytes()).map(|tool| std::str::from_utf8(tool).unwrap());
        assert_eq!(tool(r#"{"ts":"x","host":"h","tool":"biolat","n":1}"#), Some("biolat"));
        assert_eq!(tool(r#"{"ts":"x","comm":",\"tool\":\"y","tool":"z"}"#), Some("z"));
        for odd in [r#"{"ts":"x"}"#, r#"{"a":{"b":1,"tool":"y"},"tool":"z"}"#, r#"{"ts":"x","tool":"a\n"}"#] {
            assert_eq!(tool(odd), None, "{odd}");
        }
    }
}
