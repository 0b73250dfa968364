//! The order of rows.

use std::cmp::Ordering;

/// By what rows are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// The place of the column; none: the newest first.
    pub column: Option<usize>,
    /// Whether the smallest comes first, of texts the last.
    pub reverse: bool,
}

/// Of two numbers, the larger one first; what is none comes last in either order; equal ones in the order in which their
/// rows came.
pub fn by_number(order: Order, a: f64, b: f64, first: u64, second: u64) -> Ordering {
    let by_value = match (a.is_nan(), b.is_nan()) {
        (false, false) if order.reverse => a.total_cmp(&b),
        (false, false) => b.total_cmp(&a),
        (none, other) => none.cmp(&other),
    };
    by_value.then(first.cmp(&second))
}

/// Of two texts, the first by the alphabet; numbers among them (pids) by their value.
pub fn by_text(order: Order, a: &str, b: &str, first: u64, second: u64) -> Ordering {
    let by_value = match (a.parse::<u64>(), b.parse::<u64>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.cmp(b),
    };
    let by_value = if order.reverse { by_value.reverse() } else { by_value };
    by_value.then(first.cmp(&second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_value_is_last_in_either_order() {
        for reverse in [false, true] {
            let order = Order { column: Some(0), reverse };
            let mut all = [(f64::NAN, 1), (2.0, 2), (7.0, 3), (f64::NAN, 4), (2.0, 5)];
            all.sort_by(|a, b| by_number(order, a.0, b.0, a.1, b.1));
            let ids = all.map(|(_, id)| id);
            assert_eq!(ids, if reverse { [2, 5, 3, 1, 4] } else { [3, 2, 5, 1, 4] });
        }
    }

    #[test]
    fn numbers_among_texts_go_by_their_value() {
        let mut all = ["10", "9", "b", "a"];
        all.sort_by(|a, b| by_text(Order::default(), a, b, 0, 0));
        assert_eq!(all, ["9", "10", "a", "b"]);
    }
}
