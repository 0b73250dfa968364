//! One expression of `--where` or `--assert`, evaluated on records.

use cli::exit::{Failure, Result};

use super::expression::{Expression, Outcome, Variable};
use super::resolve::{Place, Resolver};
use crate::record::keys::JOINED;

/// The maximum number of combinations of a joined record's groups that are evaluated.
const WAYS: usize = 100_000;

/// An expression and its results so far.
pub struct Condition {
    option: &'static str,
    expression: Expression,
    /// Whether each of its names has been found in a record.
    seen: Vec<bool>,
    /// The number of records that it was evaluated on.
    judged: u64,
    /// The tools of all names, if every name has one.
    tools: Option<Vec<String>>,
    /// The outcome for a record that has none of its names.
    elsewhere: Outcome,
}

impl Condition {
    /// Parses the expression of an option.
    pub fn new(option: &'static str, text: &str) -> Result<Self> {
        let refused = |why| Failure::usage(format!("{option} '{text}': {why}; see --help"));
        let expression = Expression::parse(text).map_err(refused)?;
        let named = |path: &[String]| match path {
            [tool, _] if tool != "record" => Some(vec![tool.clone()]),
            // The first part may be a host.
            [one, two, _, ..] => Some(vec![one.clone(), two.clone()]),
            _ => None,
        };
        let tools: Option<Vec<Vec<String>>> = expression.names.iter().map(|name| named(&name.path)).collect();
        let nothing = |test| if test { Variable::Present(false) } else { Variable::Absent };
        let variables: Vec<Variable<'_>> = expression.names.iter().map(|name| nothing(name.test)).collect();
        let elsewhere = expression.evaluate(&variables).map_err(refused)?;
        let seen = expression.names.iter().map(|name| name.test).collect();
        Ok(Self { option, expression, seen, judged: 0, tools: tools.map(|tools| tools.concat()), elsewhere })
    }

    /// The outcome for a line that need not be parsed, because no name belongs to its tool.
    pub fn without_parsing(&mut self, tool: &[u8]) -> Option<Outcome> {
        let tools = self.tools.as_ref()?;
        if tool == JOINED.as_bytes() || tools.iter().any(|known| known.as_bytes() == tool) {
            return None;
        }
        self.judged += 1;
        Some(self.elsewhere)
    }

    /// The outcome for a record. If a name has no keys and a joined record has several groups of
    /// the tool, the outcomes of all groups are combined: `first` is the outcome that decides. Also
    /// returns the values of the names, for messages.
    ///
    /// Fails if a name is misspelt, or the values do not have the types that the expression needs.
    pub fn judge(&mut self, record: &Resolver<'_>, first: Outcome) -> Result<(Outcome, String)> {
        self.decide(record, first, Outcome::False)
    }

    /// As [`Condition::judge`]; the values are those of the outcome `told`.
    fn decide(&mut self, record: &Resolver<'_>, first: Outcome, told: Outcome) -> Result<(Outcome, String)> {
        self.judged += 1;
        let places: Vec<Place<'_>> =
            self.expression.names.iter().map(|name| record.place(&name.path)).collect();
        for (seen, place) in self.seen.iter_mut().zip(&places) {
            *seen |= matches!(place, Place::Field(_) | Place::Each(..));
        }
        // Names of one tool refer to the same group.
        let mut sets: Vec<&Vec<usize>> = Vec::new();
        for place in &places {
            if let Place::Each(groups, _) = place
                && !sets.contains(&groups)
            {
                sets.push(groups);
            }
        }
        let ways = sets.iter().try_fold(1usize, |ways, set| ways.checked_mul(set.len()));
        let Some(ways) = ways.filter(|ways| *ways <= WAYS) else {
            return Err(self.refuse("has too many keys to combine; name them: TOOL.KEY.FIELD"));
        };
        let mut sum = None;
        for way in 0..ways {
            let mut rest = way;
            let chosen: Vec<usize> = sets
                .iter()
                .map(|set| {
                    let at = set[rest % set.len()];
                    rest /= set.len();
                    at
                })
                .collect();
            if chosen.iter().any(|at| !record.same_host(*at, chosen[0])) {
                continue;
            }
            let outcome = self.evaluate(record, &places, &sets, &chosen, told)?;
            if outcome.0 == first {
                return Ok(outcome);
            }
            // If one is unknown and another is known, the known one is kept.
            if sum.as_ref().is_none_or(|(known, _)| *known == Outcome::Unknown) {
                sum = Some(outcome);
            }
        }
        Ok(sum.unwrap_or((Outcome::Unknown, String::new())))
    }

    fn evaluate(
        &self,
        record: &Resolver<'_>,
        places: &[Place<'_>],
        sets: &[&Vec<usize>],
        chosen: &[usize],
        told: Outcome,
    ) -> Result<(Outcome, String)> {
        let field = |place: &Place<'_>| match place {
            Place::Field(at) => Some(*at),
            Place::Each(groups, name) => {
                let set = sets.iter().position(|set| *set == groups)?;
                record.field(chosen[set], name)
            }
            Place::Elsewhere | Place::Missing => None,
        };
        let variables: Vec<Variable<'_>> = places
            .iter()
            .zip(&self.expression.names)
            .map(|(place, name)| match (field(place), name.test) {
                (at, true) => Variable::Present(at.is_some()),
                (Some(at), false) => Variable::Value(&record.fields[at].1),
                (None, false) => Variable::Absent,
            })
            .collect();
        let outcome = self.expression.evaluate(&variables).map_err(|why| self.refuse(&why))?;
        let misspelt = places.iter().zip(&self.expression.names);
        let mut misspelt = misspelt.filter(|(place, name)| **place == Place::Missing && !name.test);
        if let (Outcome::Unknown, Some((_, name))) = (outcome, misspelt.next()) {
            let remedy = match name.path.len() {
                1 => "for records of several tools write TOOL.FIELD; ",
                _ => "",
            };
            return Err(self.refuse(&format!(
                "`{}` is not in {}; {remedy}it has {}",
                name.path.join("."),
                record.describe(),
                record.names()
            )));
        }
        let values = || {
            let named = places.iter().filter_map(field);
            let named = named.map(|at| format!("{} is {}", record.fields[at].0, record.fields[at].1.text()));
            named.collect::<Vec<_>>().join(", ")
        };
        Ok((outcome, if outcome == told { values() } else { String::new() }))
    }

    fn refuse(&self, why: &str) -> Failure {
        Failure::usage(format!("{} '{}': {why}", self.option, self.expression.text))
    }

    /// Why an assertion does not hold for a record; `None` if it does, or nothing is known.
    ///
    /// # Errors
    /// As [`Condition::judge`].
    pub fn broken(&mut self, record: &Resolver<'_>) -> Result<Option<String>> {
        let (Outcome::False, values) = self.judge(record, Outcome::False)? else { return Ok(None) };
        let (option, text, what) = (self.option, self.text(), record.describe());
        Ok(Some(format!("{option} '{text}' does not hold for {what}: {values}")))
    }

    /// Why a record meets the condition; `None` if it does not, or nothing is known.
    ///
    /// # Errors
    /// As [`Condition::judge`].
    pub fn met(&mut self, record: &Resolver<'_>) -> Result<Option<String>> {
        let (Outcome::True, values) = self.decide(record, Outcome::True, Outcome::True)? else {
            return Ok(None);
        };
        let (option, text, what) = (self.option, self.text(), record.describe());
        Ok(Some(format!("{option} '{text}' holds for {what}: {values}")))
    }

    /// As the user wrote it.
    pub fn text(&self) -> &str {
        &self.expression.text
    }

    /// At the end: fails if a name was in no record, that is, misspelt.
    pub fn finish(&self) -> Result<()> {
        let unseen = self.expression.names.iter().zip(&self.seen).find(|(_, seen)| !**seen);
        match unseen {
            Some((name, _)) if self.judged > 0 => {
                Err(self.refuse(&format!("no record had a `{}`", name.path.join("."))))
            }
            _ => Ok(()),
        }
    }

    /// The number of records that it was evaluated on.
    pub fn judged(&self) -> u64 {
        self.judged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::from_json;

    #[test]
    fn in_a_joined_record_all_groups_must_hold() {
        let line =
            r#"{"ts":"x","host":"w","tool":"ebpfmux","b.a.n":1,"b.a.m":9,"b.c.n":5,"b.c.m":1,"p.q":3}"#;
        let fields = from_json(line.as_bytes()).unwrap();
        let judged = |text, first| {
            Condition::new("--assert", text)
                .unwrap()
                .judge(&Resolver::new(&fields), first)
                .map(|(outcome, _)| outcome)
        };
        assert_eq!(judged("b.n < 5", Outcome::False).unwrap(), Outcome::False);
        assert_eq!(judged("b.n < 6", Outcome::False).unwrap(), Outcome::True);
        assert_eq!(judged("b.n == 5", Outcome::True).unwrap(), Outcome::True);
        // Both names refer to the same group.
        assert_eq!(judged("b.n == 5 && b.m == 9", Outcome::True).unwrap(), Outcome::False);
        assert_eq!(judged("b.n + p.q <= 8", Outcome::False).unwrap(), Outcome::True);
        assert_eq!(judged("x.n < 1", Outcome::False).unwrap(), Outcome::Unknown);
        assert!(judged("b.x < 1", Outcome::False).unwrap_err().message.contains("`b.x`"));
    }
}
