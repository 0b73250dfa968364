//! Conditions on records.

use super::exposition::declare_odd;
use crate::filter::condition::Condition;
use crate::filter::expression::Outcome;
use crate::filter::resolve::Resolver;
use crate::filter::select::Select;
use crate::record;

/// The language of `--where` and `--assert`: the first line is an expression, the others are
/// records that it is evaluated on.
///
/// Any input gives an outcome or an error of one line.
pub fn expression(bytes: &[u8]) {
    declare_odd();
    let (text, records) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len()));
    let Ok(text) = std::str::from_utf8(text) else { return };
    let mut select = Select::new(text).ok();
    let mut condition = match Condition::new("--where", text) {
        Ok(condition) => condition,
        Err(failure) => return drop(failure),
    };
    for line in records.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let Ok(fields) = record::from_json(line) else { continue };
        let record = Resolver::new(&fields);
        for first in [Outcome::True, Outcome::False] {
            if let Err(failure) = condition.judge(&record, first) {
                assert!(!failure.message.is_empty(), "{text}");
            }
        }
        if let Some(select) = &mut select {
            let _ = select.apply(&fields);
        }
    }
    let _ = condition.finish();
}
