//! A small picture of a row's last intervals.

use crate::live::state::numbers::Numbers;
use crate::live::state::row::Row;

/// Eight heights of a bar.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A bar for each of the `cells` intervals that end with this one, of the numbers at this place, by the row's own greatest.
/// Where it did not exist there is none, where nothing happened a dot.
pub fn sparkline(numbers: &Numbers, row: &Row, slot: usize, frame: u64, cells: usize) -> String {
    let first = (frame + 1).saturating_sub(cells as u64);
    let shown = || row.between(first, frame);
    let most = shown().map(|sample| numbers.number(sample, slot)).fold(0.0, f64::max);
    let mut line = vec![' '; cells];
    for sample in shown() {
        let number = numbers.number(sample, slot);
        if !number.is_nan() {
            line[(sample.frame - first) as usize + cells.saturating_sub((frame + 1 - first) as usize)] =
                bar(number, most);
        }
    }
    line.into_iter().collect()
}

fn bar(number: f64, most: f64) -> char {
    if number <= 0.0 {
        return '·';
    }
    let height = (number / most * (HEIGHTS.len() - 1) as f64).ceil();
    HEIGHTS[(height as usize).min(HEIGHTS.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_at_their_intervals() {
        let mut numbers = Numbers::default();
        let mut samples =
            [1.0, 8.0, f64::NAN, 0.0, 4.0, f64::NAN].into_iter().zip(1..).filter_map(|(number, frame)| {
                numbers.begin(frame, 1, 0);
                // In the third it was not.
                (frame != 3).then(|| numbers.push(&[number], &[]).unwrap().0)
            });
        let mut row = Row::new(1, Vec::new(), samples.next().unwrap());
        samples.for_each(|sample| row.push(sample, 0));
        let line = |slot, frame, cells| sparkline(&numbers, &row, slot, frame, cells);
        assert_eq!(line(0, 6, 6), "▂█ ·▅ ");
        assert_eq!(line(0, 5, 4), "█ ·▅");
        assert_eq!(line(0, 5, 2), "·█");
        assert_eq!(line(0, 2, 4), "  ▂█");
        assert_eq!(line(7, 2, 2), "  ");
        assert_eq!(line(0, 2, 0), "");
    }
}
