//! Distributions as pictures: a small one beside a line, a large one below it.

use std::fmt::Write;

use record::fields::Cut;

use crate::numbers::significant;
use crate::text::cut;

/// Eight heights of a bar.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Width of the longest bar of a drawn distribution, and what stands beside it.
const BAR: usize = 40;
const BESIDE: usize = 41;
/// Bars of a small picture: factors of four from 1 µs to 4 s and more.
pub const BARS: usize = 12;
/// The heading above small pictures with so many bars.
pub const SKETCH_HEADING: &str = "1us  1ms  1s";

/// A bar for each count.
pub fn sketch(counts: &[u64]) -> String {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let bar = |count: &u64| match count {
        0 => '·',
        count => {
            let height = (u128::from(*count) * (HEIGHTS.len() as u128 - 1)).div_ceil(u128::from(most));
            HEIGHTS[height as usize]
        }
    };
    counts.iter().map(bar).collect()
}

/// Draws a distribution (upper bound in microseconds, count) in at most `room` cells, one line for each power of two, as
/// its readers know it from bcc.
pub fn draw(out: &mut String, title: &str, buckets: &[(f64, u64)], room: Option<usize>) {
    let mut octaves: Vec<(f64, u64)> = Vec::new();
    for (upper_us, count) in buckets {
        // In nanoseconds the octaves' bounds are whole numbers.
        let upper = ((upper_us * 1_000.0) as u64).next_power_of_two() as f64 / 1_000.0;
        match octaves.last_mut() {
            Some((bound, sum)) if *bound == upper => *sum += count,
            _ => octaves.push((upper, *count)),
        }
    }
    let Some(most) = octaves.iter().map(|(_, count)| *count).max() else { return };
    let bar = room.map_or(BAR, |room| room.saturating_sub(BESIDE).min(BAR));
    let heading = format!("  {title:>11}            : {:<10} distribution", "count");
    // Writing into memory cannot fail.
    let _ = writeln!(out, "\n{}", cut(&heading, room.unwrap_or(usize::MAX), Cut::End));
    let mut next = octaves.first().map_or(0.0, |(upper, _)| *upper);
    for (upper, count) in octaves {
        // Empty octaves between two filled ones are part of the shape.
        while next < upper {
            draw_octave(out, next, 0, most, bar);
            next *= 2.0;
        }
        draw_octave(out, upper, count, most, bar);
        next = upper * 2.0;
    }
    out.push('\n');
}

fn draw_octave(out: &mut String, upper: f64, count: u64, most: u64, longest: usize) {
    let bar = "*".repeat((u128::from(count) * longest as u128 / u128::from(most.max(1))) as usize);
    let _ = writeln!(
        out,
        "  {:>10} -> {:<10}: {count:<10} |{bar:<longest$}|",
        significant(upper / 2.0),
        significant(upper)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_are_drawn_by_octave_with_the_gaps() {
        let mut text = String::new();
        draw(&mut text, "us", &[(65.536, 2), (68.0, 1), (400.0, 6)], Some(50));
        let counts: Vec<&str> = text
            .lines()
            .filter_map(|line| Some(line.split_once(" -> ")?.1.split(':').nth(1)?.split('|').next()?.trim()))
            .collect();
        assert_eq!(counts, ["2", "1", "0", "6"]);
        assert!(text.lines().all(|line| line.chars().count() <= 50), "{text}");
    }

    #[test]
    fn the_highest_count_has_the_highest_bar() {
        assert_eq!(sketch(&[0, 1, 4, u64::MAX]), "·▂▂█");
    }
}
