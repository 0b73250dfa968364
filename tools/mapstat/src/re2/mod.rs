//! Regular expressions in Go's syntax (RE2), as ebpf_exporter's configs have them, for the crate `regex`.
//!
//! Both are of one family; where they differ in what an expression means, it is rewritten or refused: it never gets another
//! meaning in silence.

#[cfg(test)]
mod tests;

use regex::{Regex, RegexBuilder};

/// The longest expression, in bytes, and the largest program that one may become.
const BYTES_AT_MOST: usize = 4096;
const COMPILED_AT_MOST: usize = 1 << 20;
/// Go repeats a part at most so often.
const REPEATS_AT_MOST: u32 = 1000;

/// Compiles an expression.
///
/// # Errors
/// Why it is none, on one line.
pub fn compile(expression: &str) -> Result<Regex, String> {
    if expression.len() > BYTES_AT_MOST {
        return Err(format!("it is longer than {BYTES_AT_MOST} bytes"));
    }
    let rewritten = rewrite(expression)?;
    let mut builder = RegexBuilder::new(&rewritten);
    builder.size_limit(COMPILED_AT_MOST).dfa_size_limit(COMPILED_AT_MOST);
    builder.build().map_err(|error| {
        // The last line says what is wrong, those before show where.
        let said = error.to_string();
        said.lines()
            .next_back()
            .unwrap_or("it is no regular expression")
            .trim_start_matches("error: ")
            .to_owned()
    })
}

/// The same expression in the syntax of `regex`.
fn rewrite(expression: &str) -> Result<String, String> {
    let mut rest = expression;
    let mut out = String::with_capacity(expression.len() + 16);
    // Whether a part stands before that may be repeated, and whether it is itself a repeat.
    let mut repeated = false;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        let was_repeated = std::mem::take(&mut repeated);
        rest = match c {
            '\\' => escape(after, &mut out)?,
            '[' => class(after, &mut out)?,
            '*' | '+' | '?' => {
                let lazy = after.starts_with('?');
                if was_repeated {
                    return Err(format!("a repeat is repeated: {c}"));
                }
                repeated = true;
                out.push(c);
                if lazy {
                    out.push('?')
                };
                &after[usize::from(lazy)..]
            }
            '{' => match counts(after) {
                // To Go it is the character then.
                None => {
                    out.push_str("\\{");
                    after
                }
                Some((least, most, after)) => {
                    if was_repeated {
                        return Err("a repeat is repeated: {".to_owned());
                    }
                    if least > REPEATS_AT_MOST || most.flatten().is_some_and(|most| most > REPEATS_AT_MOST) {
                        return Err(format!("it repeats more than {REPEATS_AT_MOST} times"));
                    }
                    repeated = true;
                    let lazy = after.starts_with('?');
                    match most {
                        None => out.push_str(&format!("{{{least}}}")),
                        Some(None) => out.push_str(&format!("{{{least},}}")),
                        Some(Some(most)) => out.push_str(&format!("{{{least},{most}}}")),
                    }
                    if lazy {
                        out.push('?')
                    };
                    &after[usize::from(lazy)..]
                }
            },
            '}' => {
                out.push_str("\\}");
                after
            }
            '(' => group(after, &mut out)?,
            c => {
                out.push(c);
                after
            }
        };
    }
    Ok(out)
}

/// The numbers of `{2}`, `{2,}`, `{2,3}`: least, none or the most (none: without end), and what follows.
fn counts(after: &str) -> Option<(u32, Option<Option<u32>>, &str)> {
    let (inside, after) = after.split_once('}')?;
    // As many digits as fit; more are more than is allowed.
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(u32::MAX))
    };
    let most = match inside.split_once(',') {
        None => return Some((number(inside)?, None, after)),
        Some((_, "")) => None,
        Some((_, most)) => Some(number(most)?),
    };
    Some((number(inside.split(',').next()?)?, Some(most), after))
}

/// What follows an open parenthesis.
fn group<'a>(after: &'a str, out: &mut String) -> Result<&'a str, String> {
    out.push('(');
    let Some(flags) = after.strip_prefix('?') else { return Ok(after) };
    // (?P<name>…) and (?<name>…) are the same in both.
    if flags.starts_with("P<") || flags.starts_with('<') {
        return Ok(after);
    }
    let end = flags.find([':', ')']).ok_or("a group has no end")?;
    match flags[..end].chars().find(|c| !"imsU-".contains(*c)) {
        Some(other) => Err(format!("there is no flag {other} in (?{})", &flags[..end])),
        None => Ok(after),
    }
}

/// What follows a backslash outside of brackets.
fn escape<'a>(after: &'a str, out: &mut String) -> Result<&'a str, String> {
    let c = after.chars().next().ok_or("it ends with a backslash")?;
    let rest = &after[c.len_utf8()..];
    // Those of Perl are of ASCII alone in Go.
    match c {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        's' => out.push_str("[\\t\\n\\f\\r ]"),
        'S' => out.push_str("[^\\t\\n\\f\\r ]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        'b' => out.push_str("(?-u:\\b)"),
        'B' => out.push_str("(?-u:\\B)"),
        'Q' => {
            let (literal, rest) = rest.split_once("\\E").unwrap_or((rest, ""));
            out.push_str(&regex::escape(literal));
            return Ok(rest);
        }
        'E' => {}
        'C' => return Err("\\C, any byte, is not supported".to_owned()),
        _ => return literal(c, rest, out),
    }
    Ok(rest)
}

/// An escape that is the same within brackets.
fn literal<'a>(c: char, rest: &'a str, out: &mut String) -> Result<&'a str, String> {
    match c {
        'a' | 'f' | 't' | 'n' | 'r' | 'v' | 'A' | 'z' => {
            out.push('\\');
            out.push(c);
            Ok(rest)
        }
        // A name or number in braces, or as it stands.
        'p' | 'P' | 'x' => {
            let end = if rest.starts_with('{') { rest.find('}').ok_or("braces have no end")? + 1 } else { 0 };
            out.push('\\');
            out.push(c);
            out.push_str(&rest[..end]);
            Ok(&rest[end..])
        }
        // Octal: three digits, or a 0 and up to two; a single other digit would refer back.
        '0'..='7' => {
            let digits = rest.bytes().take(2).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
            if c != '0' && digits == 0 {
                return Err(format!("\\{c} would refer back, which no expression may"));
            }
            let text = format!("{c}{}", &rest[..digits]);
            let code = u32::from_str_radix(&text, 8).unwrap_or_default();
            out.push_str(&format!("\\x{{{code:x}}}"));
            Ok(&rest[digits..])
        }
        c if c.is_ascii_punctuation() => {
            out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
            Ok(rest)
        }
        c => Err(format!("there is no escape \\{c}")),
    }
}

/// What follows an open bracket.
fn class<'a>(after: &'a str, out: &mut String) -> Result<&'a str, String> {
    out.push('[');
    let mut rest = after;
    if let Some(after) = rest.strip_prefix('^') {
        out.push('^');
        rest = after;
    }
    let mut first = true;
    loop {
        let c = rest.chars().next().ok_or("brackets have no end")?;
        let after = &rest[c.len_utf8()..];
        rest = match c {
            ']' if !first => {
                out.push(']');
                return Ok(after);
            }
            // The classes of POSIX, of ASCII in both.
            '[' if after.starts_with(':') && after.contains(":]") => {
                let end = after.find(":]").unwrap_or_default() + 2;
                out.push('[');
                out.push_str(&after[..end]);
                &after[end..]
            }
            '\\' => {
                let c = after.chars().next().ok_or("it ends with a backslash")?;
                let rest = &after[c.len_utf8()..];
                let same = match c {
                    'd' => "0-9",
                    'w' => "0-9A-Za-z_",
                    's' => "\\t\\n\\f\\r ",
                    'D' => "[^0-9]",
                    'W' => "[^0-9A-Za-z_]",
                    'S' => "[^\\t\\n\\f\\r ]",
                    _ => "",
                };
                out.push_str(same);
                if same.is_empty() { literal(c, rest, out)? } else { rest }
            }
            // What means an operator between sets in `regex`.
            '[' | '&' | '~' => {
                out.push('\\');
                out.push(c);
                after
            }
            '-' if after.starts_with('-') => return Err("-- in brackets: write \\-".to_owned()),
            c => {
                out.push(c);
                after
            }
        };
        first = false;
    }
}
