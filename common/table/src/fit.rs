//! Which columns fit on a line, and how wide they are.

/// What a column asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// How much it matters: the lowest first. `None` if it is not to be shown.
    pub rank: Option<u8>,
    /// The fewest cells that it can be read in.
    pub least: usize,
    /// The fewest that are better than none, for what tells lines apart.
    pub tight: usize,
    /// The cells that hold all of it.
    pub whole: usize,
}

/// The width of each column, or `None` of one that has no room: columns get their least width in the order of their ranks,
/// and what is left then widens them in the same order. Between two columns is one cell. The first one by rank is
/// always shown.
pub fn fit(wants: &[Want], room: Option<usize>) -> Vec<Option<usize>> {
    let Some(room) = room else {
        return wants.iter().map(|want| want.rank.map(|_| want.whole.max(want.least))).collect();
    };
    let mut order: Vec<(u8, usize)> =
        wants.iter().enumerate().filter_map(|(index, want)| Some((want.rank?, index))).collect();
    order.sort_unstable();
    let mut widths = vec![None; wants.len()];
    let mut left = room + 1;
    for (place, (rank, index)) in order.iter().enumerate() {
        let want = wants[*index];
        let least = match place {
            0 => want.least.min(room),
            // Without it, lines could not be told apart.
            _ if *rank <= 1 && want.least >= left && want.tight < left => left - 1,
            _ => want.least,
        };
        if let Some(rest) = left.checked_sub(least + 1) {
            (widths[*index], left) = (Some(least), rest);
        }
    }
    for (_, index) in order {
        if let Some(width) = &mut widths[index] {
            let more = wants[index].whole.saturating_sub(*width).min(left);
            *width += more;
            left -= more;
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn want(rank: u8, least: usize, whole: usize) -> Want {
        Want { rank: Some(rank), least, tight: least.min(8), whole }
    }

    #[test]
    fn what_matters_comes_first_and_what_is_left_widens() {
        let wants = [want(0, 8, 8), want(3, 4, 4), want(1, 10, 30), want(2, 5, 5)];
        // 8 + 1 + 4 + 1 + 10 + 1 + 5 = 30.
        assert_eq!(fit(&wants, Some(30)), [Some(8), Some(4), Some(10), Some(5)]);
        assert_eq!(fit(&wants, Some(29)), [Some(8), None, Some(14), Some(5)]);
        assert_eq!(fit(&wants, Some(40)), [Some(8), Some(4), Some(20), Some(5)]);
        assert_eq!(fit(&wants, None), [Some(8), Some(4), Some(30), Some(5)]);
        // The second is cut rather than left out, as far as something of it can be read.
        assert_eq!(fit(&wants, Some(18)), [Some(8), None, Some(9), None]);
        assert_eq!(fit(&wants, Some(16)), [Some(8), None, None, Some(5)]);
        assert_eq!(fit(&wants, Some(5)), [Some(5), None, None, None]);
        assert_eq!(fit(&wants, Some(0)), [Some(0), None, None, None]);
    }

    #[test]
    fn no_line_is_longer_than_the_screen() {
        for room in 1..120 {
            for seed in 0..40_usize {
                let wants: Vec<Want> = (0..12)
                    .map(|at| want(((at * 7 + seed) % 5) as u8, 1 + (at * seed) % 9, 1 + (at * seed) % 40))
                    .collect();
                let shown: Vec<usize> = fit(&wants, Some(room)).into_iter().flatten().collect();
                assert!(shown.iter().sum::<usize>() + shown.len().saturating_sub(1) <= room, "{room} {seed}");
            }
        }
    }
}
