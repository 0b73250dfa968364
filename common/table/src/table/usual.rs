//! What is usual in a column.

/// Values that must have been seen before one can stand out.
const SEEN: u32 = 20;
/// How many times the usual value stands out.
const TIMES: f64 = 10.0;

/// The geometric mean of a column's values so far, to which the newest count most.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usual {
    seen: u32,
    log: f64,
    /// Whether anything went wrong, in a column that says so.
    pub alarmed: bool,
}

impl Usual {
    /// Takes a value in; whether it is far above the others.
    pub fn stands_out(&mut self, value: f64) -> bool {
        if !(value.is_finite() && value > 0.0) {
            return false;
        }
        let log = value.ln();
        let out = self.seen >= SEEN && log > self.log + TIMES.ln();
        self.seen = self.seen.saturating_add(1);
        self.log += (log - self.log) / f64::from(self.seen.min(10 * SEEN));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_times_the_usual_stands_out() {
        let mut usual = Usual::default();
        assert!((0..20).all(|i| !usual.stands_out(90.0 + f64::from(i))));
        assert!(!usual.stands_out(500.0) && !usual.stands_out(0.0) && !usual.stands_out(f64::NAN));
        assert!(usual.stands_out(2_000.0));
        // What comes again and again is usual.
        assert!((0..400).filter(|_| usual.stands_out(2_000.0)).count() < 200);
    }
}
