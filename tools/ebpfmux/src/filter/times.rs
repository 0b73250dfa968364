//! Points and lengths of time in an expression: `timestamp("...")`, `duration("5m")`, and what is compared with them.
//!
//! Records have times as texts (`ts`) and lengths as numbers (`p99_us`, `interval_s`). Where such a field meets a time, it
//! is read as one: `ts > timestamp("...")` is `timestamp(ts) > timestamp("...")`, and `p99_us > duration("5ms")` compares
//! what it says, not 0.005 with microseconds.

use cel::common::ast::operators::{
    ADD, EQUALS, GREATER, GREATER_EQUALS, LESS, LESS_EQUALS, NOT_EQUALS, SUBSTRACT,
};
use cel::common::ast::{CallExpr, Expr, LiteralValue};
use cel::common::types::CelString;
use cel::{Context, IdedExpr, Value};

use super::names::name;

/// Makes a point of time of a text, and a length of it.
pub const TIMESTAMP: &str = "timestamp";
pub const DURATION: &str = "duration";

/// The functions of points of time, and some of lengths.
pub const PARTS: [&str; 10] = [
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
];

const COMPARED: [&str; 6] = [LESS, LESS_EQUALS, GREATER, GREATER_EQUALS, EQUALS, NOT_EQUALS];
/// The units at the end of names, as `duration` has them.
const UNITS: [(&str, &str); 4] = [("_us", "us"), ("_ms", "ms"), ("_ns", "ns"), ("_s", "s")];

/// What a part of an expression is, as far as its form tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Point,
    Length,
    /// A field that has a unit of time.
    Span(&'static str),
    /// The field `ts`, a text that is a point of time.
    Stamp,
    /// Any other field: where it meets a time it can only be one.
    Field,
    Number,
    Other,
}

/// Has fields read as times where this operator brings them together with one. The error is a message.
pub fn convert(call: &mut CallExpr, bound: &[String]) -> Result<(), String> {
    let [one, other] = &mut call.args[..] else { return Ok(()) };
    let sorts = [sort(one, bound), sort(other, bound)];
    let met = meet(&call.func_name, sorts);
    for ((part, from), to) in [one, other].into_iter().zip(sorts).zip(met) {
        match (from, to) {
            (Sort::Span(unit), Sort::Length) => length_of(part, unit),
            (Sort::Span(_) | Sort::Stamp | Sort::Field, Sort::Point) => wrap(part, TIMESTAMP),
            (Sort::Stamp | Sort::Field, Sort::Length) => {
                let name = name(part).map(|name| name.path.join(".")).unwrap_or_default();
                return Err(format!("`{name}` is no length of time: fields in _us or _s are"));
            }
            (Sort::Number, Sort::Length) => {
                return Err(
                    "a length of time is compared with another: duration(\"5m\"), duration(\"250ms\")".into(),
                );
            }
            _ => {}
        }
    }
    Ok(())
}

/// The time that this part is, if it is one of a text that the expression has itself. The error says what is wrong with
/// the text.
pub fn constant(node: &IdedExpr) -> Result<Option<Value>, String> {
    let Expr::Call(call) = &node.expr else { return Ok(None) };
    let ([IdedExpr { expr: Expr::Literal(LiteralValue::String(text)), .. }], None) =
        (&call.args[..], &call.target)
    else {
        return Ok(None);
    };
    let help = match call.func_name.as_str() {
        TIMESTAMP => "is no time: write 2026-11-30T03:10:00Z, or with +01:00 for Z",
        DURATION => "is no length of time: write 5m, 1h30m, 0.5s, 250ms or 10us",
        _ => return Ok(None),
    };
    let value = Value::resolve(node, &Context::default());
    value.map(Some).map_err(|_| format!("'{}' {help}", text.inner()))
}

fn sort(node: &IdedExpr, bound: &[String]) -> Sort {
    if let Some(name) = name(node) {
        if bound.contains(&name.path[0]) || name.test {
            return Sort::Other;
        }
        let last = name.path.last().map_or("", String::as_str);
        if last == "ts" {
            return Sort::Stamp;
        }
        let unit = UNITS.iter().find(|(end, _)| last.ends_with(end));
        return unit.map_or(Sort::Field, |(_, unit)| Sort::Span(unit));
    }
    match &node.expr {
        Expr::Literal(LiteralValue::Int(_) | LiteralValue::UInt(_) | LiteralValue::Double(_)) => Sort::Number,
        Expr::Call(call) => match (call.func_name.as_str(), &call.args[..]) {
            (TIMESTAMP, _) => Sort::Point,
            (DURATION, _) => Sort::Length,
            (operator @ (ADD | SUBSTRACT), [one, other]) => {
                match meet(operator, [sort(one, bound), sort(other, bound)]) {
                    [Sort::Point, Sort::Point] | [Sort::Length, Sort::Length] => Sort::Length,
                    [Sort::Point, Sort::Length] | [Sort::Length, Sort::Point] => Sort::Point,
                    _ => Sort::Other,
                }
            }
            _ => Sort::Other,
        },
        _ => Sort::Other,
    }
}

/// What two parts are, once this operator has brought them together.
fn meet(operator: &str, sorts: [Sort; 2]) -> [Sort; 2] {
    use Sort::{Field, Length, Number, Point, Span, Stamp};
    let compared = COMPARED.contains(&operator);
    let beside = |known: Sort, other: Sort, known_first: bool| match (known, other) {
        (Point, Span(_) | Stamp | Field) if compared => Point,
        (Point, Span(_)) => Length,
        // Of a difference; a sum of two points is none.
        (Point, Stamp | Field) if operator == SUBSTRACT => Point,
        (Length, Span(_)) => Length,
        (Length, Stamp | Field) if !compared && !known_first => Point,
        (Length, Stamp | Field | Number) if compared => Length,
        _ => other,
    };
    if !compared && operator != ADD && operator != SUBSTRACT {
        return sorts;
    }
    match sorts {
        [known @ (Point | Length), other] => [known, beside(known, other, operator == SUBSTRACT)],
        [other, known @ (Point | Length)] => [beside(known, other, false), known],
        [Stamp, Span(_)] if !compared => [Point, Length],
        [Span(_), Stamp] if operator == ADD => [Length, Point],
        neither => neither,
    }
}

/// `duration(string(FIELD) + "us")`: exact, as far as a double is.
fn length_of(node: &mut IdedExpr, unit: &str) {
    wrap(node, "string");
    let (id, text) = (node.id, std::mem::replace(&mut node.expr, Expr::Unspecified));
    let unit = Expr::Literal(LiteralValue::String(CelString::from(unit.to_owned())));
    let args = [text, unit].map(|expr| IdedExpr { id, expr }).into();
    node.expr = Expr::Call(CallExpr { func_name: ADD.to_owned(), target: None, args });
    wrap(node, DURATION);
}

fn wrap(node: &mut IdedExpr, function: &str) {
    let expr = std::mem::replace(&mut node.expr, Expr::Unspecified);
    let args = vec![IdedExpr { id: node.id, expr }];
    node.expr = Expr::Call(CallExpr { func_name: function.to_owned(), target: None, args });
}
