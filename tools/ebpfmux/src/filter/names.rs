//! The names in an expression: collected when it is parsed, so that its evaluation only looks up
//! indexes.

use cel::IdedExpr;
use cel::Value;
use cel::common::ast::operators::{INDEX, MODULO};
use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue};
use cel::common::types::CelDouble;

use super::times::{self, DURATION, PARTS, TIMESTAMP};

/// The available functions, beside the operators.
const FUNCTIONS: [&str; 9] =
    ["size", "contains", "startsWith", "endsWith", "matches", "double", "string", TIMESTAMP, DURATION];

/// A name in an expression: `p99_us` is `["p99_us"]`, `biolat.vda.p99_us` and `biolat["vda"].p99_us` are
/// `["biolat", "vda", "p99_us"]`.
#[derive(Debug, PartialEq)]
pub struct Name {
    /// Its parts.
    pub path: Vec<String>,
    /// Whether only its existence is tested: `has(biolat.p99_us)`.
    pub test: bool,
}

/// What an expression refers to.
#[derive(Default)]
pub struct Found {
    /// Its names, by their indexes.
    pub names: Vec<Name>,
    /// The times that it has itself, by their indexes.
    pub times: Vec<Value>,
}

/// The variable that has the time of this index.
pub fn time(index: usize) -> String {
    format!("$time{index}")
}

/// Replaces names by indexes (`$0`), times that the expression has itself by others (`$time0`), and whole numbers by
/// doubles; `bound` are variables that the expression itself defines. The error message says what is not allowed.
pub fn bind(node: &mut IdedExpr, bound: &mut Vec<String>, found: &mut Found) -> Result<(), String> {
    let names = &mut found.names;
    if let Some(name) = name(node)
        && !bound.contains(&name.path[0])
    {
        let at = names.iter().position(|known| *known == name).unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        });
        node.expr = Expr::Ident(format!("${at}"));
        return Ok(());
    }
    if let Some(value) = times::constant(node)? {
        node.expr = Expr::Ident(time(found.times.len()));
        found.times.push(value);
        return Ok(());
    }
    match &mut node.expr {
        Expr::Unspecified | Expr::Ident(_) => {}
        Expr::Literal(literal) => {
            let number = match literal {
                LiteralValue::Int(whole) => Some(*whole.inner() as f64),
                LiteralValue::UInt(whole) => Some(*whole.inner() as f64),
                _ => None,
            };
            if let Some(number) = number {
                *literal = LiteralValue::Double(CelDouble::from(number));
            }
        }
        Expr::Call(call) => bind_call(call, bound, found)?,
        Expr::Select(select) => bind(&mut select.operand, bound, found)?,
        Expr::List(list) => {
            list.elements.iter_mut().try_for_each(|element| bind(element, bound, found))?;
        }
        Expr::Comprehension(all) => {
            bind(&mut all.iter_range, bound, found)?;
            bind(&mut all.accu_init, bound, found)?;
            let outer = bound.len();
            bound.extend([all.iter_var.clone(), all.accu_var.clone()]);
            bound.extend(all.iter_var2.clone());
            for part in [&mut all.loop_cond, &mut all.loop_step, &mut all.result] {
                bind(part, bound, found)?;
            }
            bound.truncate(outer);
        }
        Expr::Map(map) => {
            for entry in &mut map.entries {
                if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                    bind(&mut entry.key, bound, found)?;
                    bind(&mut entry.value, bound, found)?;
                }
            }
        }
        Expr::Struct(_) => return Err("an expression cannot construct a record".into()),
    }
    Ok(())
}

fn bind_call(call: &mut CallExpr, bound: &mut Vec<String>, found: &mut Found) -> Result<(), String> {
    let name = call.func_name.as_str();
    let operator = name.starts_with(['_', '!', '-', '@']);
    if !operator && !FUNCTIONS.contains(&name) && !PARTS.contains(&name) {
        return Err(format!(
            "there is no function `{name}`; there are {}, has, and of times {}",
            FUNCTIONS.join(", "),
            PARTS.join(", ")
        ));
    }
    if name == MODULO {
        return Err("there is no %: all numbers are doubles".into());
    }
    times::convert(call, bound)?;
    let name = call.func_name.as_str();
    // A list index stays a whole number.
    let bind_args = if name == INDEX { 1 } else { call.args.len() };
    if name == INDEX
        && let Some(place) = call.args.get_mut(1)
        && !matches!(place.expr, Expr::Literal(_))
    {
        bind(place, bound, found)?;
    }
    let target = call.target.as_deref_mut().into_iter();
    target.chain(call.args.iter_mut().take(bind_args)).try_for_each(|part| bind(part, bound, found))
}

/// The name that this part of an expression is, if it is one.
pub fn name(node: &IdedExpr) -> Option<Name> {
    match &node.expr {
        Expr::Ident(name) => Some(Name { path: vec![name.trim_start_matches('.').to_owned()], test: false }),
        Expr::Select(select) => {
            let mut path = name(&select.operand)?.path;
            path.push(select.field.clone());
            Some(Name { path, test: select.test })
        }
        Expr::Call(call) if call.func_name == INDEX && call.target.is_none() => match &call.args[..] {
            [of, IdedExpr { expr: Expr::Literal(LiteralValue::String(part)), .. }] => {
                let mut path = name(of)?.path;
                path.push(part.inner().to_owned());
                Some(Name { path, test: false })
            }
            _ => None,
        },
        _ => None,
    }
}
