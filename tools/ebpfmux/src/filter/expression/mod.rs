//! An expression of `--where` and `--assert`, in the Common Expression Language (CEL).
//!
//! Names are collected when it is parsed and referenced by index when it is evaluated. All numbers
//! are doubles, so that whole numbers and fractions may be mixed, as the records mix them.

#[cfg(test)]
mod tests;

use cel::common::ast::operators::{GREATER, GREATER_EQUALS, LESS, LESS_EQUALS};
use cel::common::types::{CelBool, CelDouble, CelNull, CelString};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, ExecutionError, IdedExpr, Program};

use super::names::{Found, Name, bind, time};
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
            if assigns(text) {
                return "`=` compares nothing: use ==".to_owned();
            }
            let first = errors.errors.first();
            first.map_or_else(
                || "is not an expression".to_owned(),
                |error| format!("column {}: {}", error.pos.1, error.msg.lines().next().unwrap_or_default()),
            )
        })?;
        let (mut tree, mut found) = (program.expression().clone(), Found::default());
        bind(&mut tree, &mut Vec::new(), &mut found)?;
        let mut context = Context::default();
        for (at, value) in found.times.into_iter().enumerate() {
            context.add_variable_from_value(time(at), value);
        }
        Ok(Self { text: text.to_owned(), names: found.names, tree, context })
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

/// Whether an expression has a single `=` outside of its texts, as SQL has it.
fn assigns(text: &str) -> bool {
    let (mut quote, mut before) = (None, ' ');
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => drop(chars.next()),
            (Some(end), _) if c == end => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '=') if chars.peek() == Some(&'=') => drop(chars.next()),
            (None, '=') if !matches!(before, '<' | '>' | '!') => return true,
            _ => {}
        }
        before = c;
    }
    false
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
