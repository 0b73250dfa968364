//! A value of `--comm`: the name of tasks.

use cli::exit::{Failure, Result};

use super::apps::COMM_MAX;
use crate::bpf::layouts::comm_rule;

/// Refuses what is never a task's name; returns it as it is.
///
/// # Errors
/// What is wrong, for a person.
pub fn check(text: &str) -> std::result::Result<String, String> {
    let name = text.strip_prefix('!').unwrap_or(text);
    if name.is_empty() || name.contains(char::from(0)) {
        return Err("not the name of a command".to_string());
    }
    let fixed = name.strip_suffix('*').unwrap_or(name);
    if fixed.contains('*') || fixed.len() <= COMM_MAX {
        return Ok(text.to_string());
    }
    // Not in the midst of a letter.
    let kept = (0..=COMM_MAX).rev().find(|at| fixed.is_char_boundary(*at)).unwrap_or_default();
    Err(format!("the kernel keeps {COMM_MAX} bytes of a name: '{}'", &fixed[..kept]))
}

/// As the BPF programs compare it.
///
/// # Errors
/// A usage error for a pattern that they cannot compare.
pub fn rule(text: &str) -> Result<comm_rule> {
    let (excluded, name) = text.strip_prefix('!').map_or((0, text), |rest| (1, rest));
    let (fixed, mask) = match name.strip_suffix('*') {
        Some(begin) => (begin, words(&[0xff; COMM_MAX][..begin.len().min(COMM_MAX)])),
        None => (name, [u64::MAX; 2]),
    };
    if fixed.contains('*') {
        return Err(Failure::usage(format!("--comm '{text}': * can only stand at the end")));
    }
    Ok(comm_rule { name: words(fixed.as_bytes()), mask, excluded, ..comm_rule::default() })
}

/// A name in two words, with zeros after its end.
fn words(name: &[u8]) -> [u64; 2] {
    let byte = |at: usize| name.get(at).copied().unwrap_or_default();
    std::array::from_fn(|word| u64::from_ne_bytes(std::array::from_fn(|at| byte(8 * word + at))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_longer_than_the_kernels_are_refused() {
        for name in
            ["a", "!a", "fifteen-bytes-x", "!fifteen-bytes-x", "fifteen-bytes-x*", "*", "*in-the-midst-of*"]
        {
            assert_eq!(check(name).as_deref(), Ok(name));
        }
        for name in ["sixteen-bytes-xx", "!sixteen-bytes-xx", "sixteen-bytes-xx*"] {
            assert_eq!(check(name).unwrap_err(), "the kernel keeps 15 bytes of a name: 'sixteen-bytes-x'");
        }
        assert!(check("fourteen-bytesäö").unwrap_err().ends_with("'fourteen-bytes'"));
        assert!(["", "!", "a\0"].iter().all(|name| check(name).is_err()));
    }

    #[test]
    fn a_name_is_compared_whole_and_a_beginning_as_far_as_it_goes() {
        let passes = |pattern: &str, name: &str| {
            let (rule, name) = (rule(pattern).unwrap(), words(name.as_bytes()));
            (0..2).all(|word| (rule.name[word] ^ name[word]) & rule.mask[word] == 0)
        };
        for (pattern, name) in [
            ("sh", "sh"),
            ("sh*", "sh"),
            ("kworker/*", "kworker/0:1"),
            ("kworker*", "kworker"),
            ("fifteen-bytes-x", "fifteen-bytes-x"),
            ("fifteen-bytes-x*", "fifteen-bytes-x"),
            ("*", "x"),
        ] {
            assert!(passes(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("sh", "ssh"),
            ("sh", "sh2"),
            ("kworker*", "kworke"),
            ("kworker/*", "ksoftirqd/0"),
            ("eight-by", "eight-byt"),
        ] {
            assert!(!passes(pattern, name), "{pattern} {name}");
        }
        assert_eq!((rule("!sh").unwrap().excluded, rule("sh").unwrap().excluded), (1, 0));
        assert_eq!(rule("a*b").unwrap_err().message, "--comm 'a*b': * can only stand at the end");
    }
}
