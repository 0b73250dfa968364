//! `--top`: the busiest separately, all others together.

use std::cmp::Reverse;

/// Sorts by size, the largest first, and removes all after the first `top`: the others, if there
/// are any.
pub fn split_largest<T>(all: &mut Vec<T>, top: Option<u32>, size: impl Fn(&T) -> u64) -> Vec<T> {
    all.sort_by_cached_key(|one| Reverse(size(one)));
    let keep = top.map_or(usize::MAX, |top| top as usize).min(all.len());
    all.split_off(keep)
}

/// The same, and adds the others together as one, at the end.
pub fn keep_largest<T>(
    all: &mut Vec<T>,
    top: Option<u32>,
    size: impl Fn(&T) -> u64,
    together: impl FnOnce(Vec<T>) -> T,
) {
    let others = split_largest(all, top, size);
    if !others.is_empty() {
        all.push(together(others));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_others_come_last_as_one() {
        let kept = |top| {
            let mut all = vec![3, 9, 1, 7];
            keep_largest(&mut all, top, |one| *one, |others| others.iter().sum());
            all
        };
        assert_eq!(kept(Some(2)), [9, 7, 4]);
        assert_eq!((kept(Some(4)), kept(None)), (vec![9, 7, 3, 1], vec![9, 7, 3, 1]));
        assert_eq!(kept(Some(1)), [9, 11]);
    }
}
