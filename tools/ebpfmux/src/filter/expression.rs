//! An expression of `--where` and `--assert`, in the Common Expression Language (CEL).
//!
//! Names are collected when it is parsed and referenced by index when it is evaluated. All numbers
//! are doubles, so that whole numbers and fractions may be mixed, as the records mix them.

use cel::common::ast::operators::{GREATER, GREATER_EQUALS, LESS, LESS_EQUALS};
use cel::common::types::{CelBool, CelDouble, CelNull, CelString};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, ExecutionError, IdedExpr, Program};

use super::names::{Name, bind};
use crate::record::Value;

/// The maximum length of an expression: the depth of its evaluation is that of its nesting.
const LONGEST: usize = 4096;

/// The value of a name in one evaluation.
#[derive(Clone, Copy)]
pub enum Variable<'a> {
    /// A field's value.
    Value(&'a Value<'a>),
    /// Whether it exists.
    Present(bool),
    /// No value.
    Absent,
}

/// The result of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// True.
    True,
    /// False.
    False,
    /// It depends on a missing value: a null, or a field of another tool's record.
    Unknown,
}

/// A parsed expression.
pub struct Expression {
    /// As the user wrote it.
    pub text: String,
    /// The names in it.
    pub names: Vec<Name>,
    tree: IdedExpr,
    context: Context<'static, 'static>,
}

impl Expression {
    /// Parses an expression; the error is a message.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("an expression has at most {LONGEST} bytes"));
        }
        let program = Program::compile(text).map_err(|errors| {
            let first = errors.errors.first();
            first.map_or_else(
                || "is not an expression".to_owned(),
                |error| format!("column {}: {}", error.pos.1, error.msg.lines().next().unwrap_or_default()),
            )
        })?;
        let (mut tree, mut names) = (program.expression().clone(), Vec::new());
        bind(&mut tree, &mut Vec::new(), &mut names)?;
        Ok(Self { text: text.to_owned(), names, tree, context: Context::default() })
    }

    /// Evaluates it with a value for each of its names. The error message has the reason of a
    /// failure.
    pub fn evaluate(&self, variables: &[Variable<'_>]) -> Result<Outcome, String> {
        let scope = Scope(variables);
        let mut context = self.context.new_inner_scope();
        context.set_variable_resolver(&scope);
        match cel::Value::resolve_val(&self.tree, &context) {
            Ok(value) => match value.downcast_ref::<CelBool>() {
                Some(held) if *held.inner() => Ok(Outcome::True),
                Some(_) => Ok(Outcome::False),
                None if value.get_type().name() == "null_type" => Ok(Outcome::Unknown),
                None => Err(format!("is a {}, not true or false", value.get_type().name())),
            },
            Err(error) if of_nothing(&error) => Ok(Outcome::Unknown),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Whether an evaluation failed because of a missing value: a null, a ratio with denominator 0, a
/// field of another tool.
fn of_nothing(error: &ExecutionError) -> bool {
    use cel::Value::{Float, Null};
    let nothing = |value: &cel::Value| matches!(value, Null) || matches!(value, Float(f) if f.is_nan());
    match error {
        ExecutionError::UndeclaredReference(name) => name.starts_with('$'),
        ExecutionError::NoSuchOverload(error) => {
            let kinds = error.argument_types();
            // Two doubles compare, unless one is 0/0.
            let compared = [LESS, LESS_EQUALS, GREATER, GREATER_EQUALS].contains(&error.function());
            kinds.iter().any(|kind| kind == "null_type")
                || compared && kinds.iter().all(|kind| kind == "double")
        }
        ExecutionError::ValuesNotComparable(one, other)
        | ExecutionError::UnsupportedBinaryOperator(_, one, other) => nothing(one) || nothing(other),
        ExecutionError::UnsupportedTargetType { target }
        | ExecutionError::NotSupportedAsMethod { target, .. } => nothing(target),
        ExecutionError::UnexpectedType { got, .. } => got == "null_type",
        _ => false,
    }
}

struct Scope<'a>(&'a [Variable<'a>]);

impl VariableResolver for Scope<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        match self.0.get(variable.strip_prefix('$')?.parse::<usize>().ok()?)? {
            Variable::Value(value) => Some(valued(value)),
            Variable::Present(there) => Some(CowVal::owned(CelBool::from(*there))),
            Variable::Absent => None,
        }
    }
}

fn valued<'b>(value: &'b Value<'_>) -> CowVal<'b, 'b> {
    match value {
        Value::Null => CowVal::owned(CelNull),
        Value::Text(text) => CowVal::owned(CelString::from(text.as_ref())),
        Value::Plain(raw) => match raw.as_ref() {
            "true" => CowVal::owned(CelBool::from(true)),
            "false" => CowVal::owned(CelBool::from(false)),
            number => number.parse().map_or_else(
                |_| CowVal::owned(CelNull),
                |number: f64| CowVal::owned(CelDouble::from(number)),
            ),
        },
        // Values nested too deeply for the parser are treated as missing.
        Value::Nested(raw) => serde_json::from_str(raw)
            .ok()
            .and_then(|json| Box::<dyn Val>::try_from(nested(json)).ok())
            .map_or_else(|| CowVal::owned(CelNull), CowVal::Owned),
    }
}

fn nested(json: serde_json::Value) -> cel::Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => cel::Value::Null,
        Json::Bool(held) => cel::Value::Bool(held),
        Json::Number(number) => cel::Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => text.into(),
        Json::Array(list) => list.into_iter().map(nested).collect::<Vec<_>>().into(),
        Json::Object(map) => {
            let entries = map.into_iter().map(|(name, value)| (name, nested(value)));
            entries.collect::<std::collections::HashMap<_, _>>().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(text: &str, values: &[(&str, &str)]) -> Result<Outcome, String> {
        let expression = Expression::parse(text)?;
        let values: Vec<(&str, Value<'_>)> = values
            .iter()
            .map(|(name, json)| {
                let line = format!("{{\"x\":{json}}}");
                let value = crate::record::from_json(line.as_bytes()).unwrap().remove(0).1;
                // The line is reused, so borrowed values are copied.
                (*name, value.into_owned())
            })
            .collect();
        let variables: Vec<Variable<'_>> = expression
            .names
            .iter()
            .map(|name| {
                let found = values.iter().find(|(known, _)| *known == name.path.join("."));
                match (found, name.test) {
                    (found, true) => Variable::Present(found.is_some()),
                    (Some((_, value)), false) => Variable::Value(value),
                    (None, false) => Variable::Absent,
                }
            })
            .collect();
        expression.evaluate(&variables)
    }

    #[test]
    fn numbers_mix_and_texts_compare() {
        let values = [("n", "3"), ("f", "2.5"), ("s", "\"a\\nb\""), ("big", "18446744073709551615")];
        for holds in [
            "n < 5",
            "f < n",
            "n / 2 == 1.5",
            "n * f == 7.5",
            "-n < 0",
            "n in [1, 3]",
            "big > 1e19",
            "s.startsWith('a') && size(s) == 3",
            "s.matches('^a.b$') || s.contains('\\n')",
            "!(n > 5)",
            "n == 3 ? f > 1 : f > 9",
            "double('2.5') == f && string(n) == '3'",
        ] {
            assert_eq!(outcome(holds, &values), Ok(Outcome::True), "{holds}");
        }
        assert_eq!(outcome("n >= 5", &values), Ok(Outcome::False));
    }

    #[test]
    fn null_is_neither_true_nor_false() {
        let values = [("p", "null"), ("n", "1"), ("z", "0")];
        for unknown in [
            "p < 5",
            "!(p < 5)",
            "p + 1 > 0",
            "p.startsWith('x')",
            "z / z < 1",
            "p < 5 && n == 1",
            "gone > 1",
        ] {
            assert_eq!(outcome(unknown, &values), Ok(Outcome::Unknown), "{unknown}");
        }
        for holds in ["p == null", "p < 5 || n == 1", "p == null || p < 5", "n != null"] {
            assert_eq!(outcome(holds, &values), Ok(Outcome::True), "{holds}");
        }
        assert_eq!(outcome("p < 5 && n == 2", &values), Ok(Outcome::False));
    }

    #[test]
    fn lists_are_looked_into() {
        let values = [("buckets", "[[1.5,2],[9.0,1]]")];
        assert_eq!(outcome("buckets.exists(b, b[0] > 8 && b[1] >= 1)", &values), Ok(Outcome::True));
        assert_eq!(outcome("buckets.all(b, b[0] > 8)", &values), Ok(Outcome::False));
        assert_eq!(outcome("buckets[0][1] == 2 && size(buckets) == 2", &values), Ok(Outcome::True));
    }

    #[test]
    fn names_are_paths() {
        let names = |text| Expression::parse(text).unwrap().names;
        let name =
            |path: &[&str], test| Name { path: path.iter().map(|part| (*part).to_owned()).collect(), test };
        assert_eq!(
            names("biolat.vda.p99_us < 5 && biolat['vda'].p99_us > 1"),
            [name(&["biolat", "vda", "p99_us"], false)]
        );
        assert_eq!(
            names("has(a.b) && c.exists(x, x.y > d)"),
            [name(&["a", "b"], true), name(&["c"], false), name(&["d"], false)]
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for bad in [
            "",
            "p99_us <",
            "frobnicate(1)",
            "a.startswith('x')",
            "n % 2 == 0",
            &"(".repeat(200),
            &"1+".repeat(3000),
        ] {
            assert!(Expression::parse(bad).is_err(), "{bad}");
        }
        for mistake in ["n", "s < 5", "n.startsWith('x')", "n && true", "size(n) > 0"] {
            assert!(outcome(mistake, &[("n", "1"), ("s", "\"x\"")]).is_err(), "{mistake}");
        }
    }
}
