//! The heat map: time from left to right, latency from below to above, how many events as heat. Each octave has 16 buckets,
//! as the tools count them; zoomed, each of them has a line of its own (two in a cell, where there are colours enough).

use std::collections::BTreeMap;

use cli::text::visible;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use record::fields::Cut;
use record::histogram::bounds_ns;
use table::numbers::{count, significant};
use table::text::cut;

use super::{Status, put, put_at};
use crate::live::state::column::{Role, buckets_of};
use crate::live::state::numbers::Numbers;
use crate::live::state::row::Row;
use crate::live::state::tab::{Line, Tab};
use crate::live::state::times::Frame;
use crate::live::view::View;

/// The cells of the scale on the left.
const SCALE: usize = 9;
/// Where there are no colours: from few to many.
const SHADES: [char; 4] = ['░', '▒', '▓', '█'];

/// How many events each bucket of one interval has.
type Counts = Vec<(usize, f64)>;

/// What was read of intervals that have been drawn before: reading a thousand rows' histograms of all intervals in view
/// for each picture would take a fifth of a processor.
#[derive(Default)]
pub struct Known {
    /// Of which rows and which histogram it is.
    of: (usize, usize, Option<u64>, String),
    counts: BTreeMap<u64, Counts>,
}

impl Known {
    /// Forgets all if it is of something else.
    fn of(&mut self, of: (usize, usize, Option<u64>, String)) {
        if self.of != of {
            *self = Self { of, counts: BTreeMap::new() };
        }
    }
}

/// How many events each bucket has, in each interval: by interval, then by bucket.
struct Heat {
    columns: Vec<Counts>,
    /// The lowest and the highest bucket that has any.
    range: Option<(usize, usize)>,
}

impl Heat {
    /// Of these rows, in the `cells` intervals that end with this one. The newest one may grow: it is read again.
    fn of(
        numbers: &Numbers,
        rows: &[&Row],
        slot: usize,
        frame: u64,
        cells: usize,
        newest: u64,
        known: &mut Known,
    ) -> Self {
        let first = (frame + 1).saturating_sub(cells as u64);
        let offset = cells - (frame + 1 - first) as usize;
        known.counts.retain(|at, _| (first..=frame).contains(at) && *at != newest);
        for at in first..=frame {
            let of = |row: &&Row| Some(buckets_of(numbers.buckets(row.at(at)?, slot)));
            known.counts.entry(at).or_insert_with(|| summed(rows.iter().filter_map(of).flatten()));
        }
        let mut columns = vec![Vec::new(); cells];
        for (at, counts) in &known.counts {
            columns[offset + (at - first) as usize].clone_from(counts);
        }
        let buckets = || columns.iter().flatten().map(|(bucket, _)| *bucket);
        let range = buckets().min().zip(buckets().max());
        Self { columns, range }
    }

    /// The bucket at which half of all events are reached.
    fn middle(&self) -> usize {
        let mut all: Vec<_> = self.columns.iter().flatten().copied().collect();
        all.sort_unstable_by_key(|(bucket, _)| *bucket);
        let half = all.iter().map(|(_, count)| count).sum::<f64>() / 2.0;
        let mut sum = 0.0;
        let reached = all.iter().find(|(_, count)| {
            sum += count;
            sum >= half
        });
        reached.map_or(0, |(bucket, _)| *bucket)
    }

    /// In each interval how many events are in each band of `step` buckets from `low` on.
    fn bands(&self, low: usize, step: usize, bands: usize) -> Vec<Vec<f64>> {
        let band = |column: &Vec<(usize, f64)>| {
            let mut sums = vec![0.0; bands];
            for (bucket, count) in column {
                if let Some(sum) = bucket.checked_sub(low).and_then(|above| sums.get_mut(above / step)) {
                    *sum += count;
                }
            }
            sums
        };
        self.columns.iter().map(band).collect()
    }
}

/// The counts of equal buckets added up, in the order of the buckets.
fn summed(all: impl Iterator<Item = (usize, f64)>) -> Counts {
    let mut sums = BTreeMap::new();
    all.for_each(|(bucket, count)| *sums.entry(bucket).or_default() += count);
    sums.into_iter().collect()
}

/// Draws it: of the selected row, else of all.
pub fn draw(
    buffer: &mut Buffer,
    area: Rect,
    view: &mut View,
    tab: &Tab,
    frame: Frame,
    lines: &[Line<'_>],
    status: &Status<'_>,
) {
    let histograms: Vec<_> = tab.columns.iter().filter(|column| column.role == Role::Buckets).collect();
    let paint = status.paint;
    let Some(column) = histograms.get(view.histogram.checked_rem(histograms.len()).unwrap_or(0)) else {
        put(buffer, area, 0, "no histograms in these records: run the tool with --buckets", paint.nothing());
        return;
    };
    let selected = view.look().selected;
    let one = lines.iter().find(|line| Some(line.row.id) == selected).map(|line| line.row);
    let name = one.map_or("all rows".to_owned(), |row| visible(&row.texts.join(" ")).trim().to_owned());
    let rows: Vec<&Row> = match one {
        Some(row) => vec![row],
        // Those of intervals before as well, which are gone now.
        None => tab.rows().filter(|row| view.keeps(row)).collect(),
    };
    let cells = usize::from(area.width).saturating_sub(SCALE + 1);
    let newest = tab.times.at(None).map_or(0, |frame| frame.number);
    let of = (view.tab, column.slot, one.map(|row| row.id), view.filter.clone());
    let known = &mut view.known_heat;
    known.of(of);
    let heat = Heat::of(&tab.numbers, &rows, column.slot, frame.number, cells, newest, known);
    let Some((low, high)) = heat.range else {
        put(buffer, area, 0, &format!("{}: nothing in these intervals", column.name()), paint.nothing());
        return;
    };
    let height = usize::from(area.height.saturating_sub(1));
    // Two bands in a cell, of which one is its foreground and one its background.
    let half = if paint.many { 2 } else { 1 };
    let bands = height * half;
    let (low, step) = match view.zoom {
        true => {
            let middle = heat.middle().saturating_sub(bands / 2) as i64 + i64::from(view.lift);
            (usize::try_from(middle.clamp(0, high as i64)).unwrap_or(0), 1)
        }
        false => {
            let step = (high - low + 1).div_ceil(bands.max(1));
            (low, step)
        }
    };
    let sums = heat.bands(low, step, bands);
    let most = sums.iter().flatten().copied().fold(1.0, f64::max);
    let title = format!(
        "{} of {}, most {}, {} in each line",
        column.name(),
        cut(&name, 30, Cut::Middle),
        count(most),
        if step == 1 && half == 1 { "1 bucket".to_owned() } else { format!("{} buckets", step * half) }
    );
    put(buffer, area, 0, &title, paint.heading());
    // A few is much more than none, and many are told apart by their order of magnitude.
    let share = |sum: f64| (sum > 0.0).then(|| (sum.ln_1p() / most.ln_1p()).min(1.0));
    for y in 0..height {
        let band = (height - 1 - y) * half;
        let lower = bounds_ns((low + band * step).min(record::histogram::BUCKETS - 1)).0;
        put_at(buffer, area, 0, y + 1, &scale(lower), paint.nothing());
        for (x, sums) in sums.iter().enumerate() {
            let (below, above) = (share(sums[band]), sums.get(band + half - 1).and_then(|sum| share(*sum)));
            if below.is_none() && above.is_none() {
                continue;
            }
            let (text, style) = match half {
                2 => ("▀".to_owned(), Style::new().fg(paint.heat(above)).bg(paint.heat(below))),
                _ => (shade(below.unwrap_or(0.0)).to_string(), paint.picture()),
            };
            // The upper half of a cell that has none is the background's colour.
            let text = if half == 2 && above.is_none() { "▄".to_owned() } else { text };
            let style = match (half, above) {
                (2, None) => Style::new().fg(paint.heat(below)),
                _ => style,
            };
            put_at(buffer, area, SCALE + 1 + x, y + 1, &text, style);
        }
    }
}

fn shade(share: f64) -> char {
    SHADES[((share * SHADES.len() as f64) as usize).min(SHADES.len() - 1)]
}

/// A latency in its own unit, right-aligned.
fn scale(ns: u64) -> String {
    let (value, unit) = match ns as f64 {
        ns if ns < 1e3 => (ns, "ns"),
        ns if ns < 1e6 => (ns / 1e3, "us"),
        ns if ns < 1e9 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    let text = format!("{} {unit}", significant(value));
    format!("{text:>SCALE$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::histogram::bucket_of;

    #[test]
    fn each_bucket_is_counted_in_its_interval_and_band() {
        let mut numbers = Numbers::default();
        let written = [(3, "[[77.824,1],[163.84,4]]"), (4, "[[77.824,2]]"), (5, "[[1.0,9]]")];
        let [first, others @ ..] = written.map(|(frame, raw)| {
            numbers.begin(frame, 0, 1);
            numbers.push(&[], &[raw]).unwrap().0
        });
        let mut row = Row::new(1, Vec::new(), first);
        others.into_iter().for_each(|sample| row.push(sample, 0));
        let mut known = Known::default();
        // Once as it is read, once as it is known.
        Heat::of(&numbers, &[&row], 0, 4, 3, 5, &mut known);
        assert_eq!(known.counts.len(), 3);
        let heat = Heat::of(&numbers, &[&row], 0, 4, 3, 5, &mut known);
        let (low, high) = (bucket_of(77_823), bucket_of(163_839));
        assert_eq!(heat.range, Some((low, high)));
        assert_eq!(heat.columns, [vec![], vec![(low, 1.0), (high, 4.0)], vec![(low, 2.0)]]);
        assert_eq!(heat.middle(), high);
        // The octave between them has 16 buckets and one more.
        let bands = heat.bands(low, 1, high - low + 1);
        assert_eq!((bands[1][0], bands[1][high - low], bands[2][0]), (1.0, 4.0, 2.0));
        assert_eq!(heat.bands(low, 100, 1), [[0.0], [5.0], [2.0]]);
        assert_eq!(heat.bands(high, 1, 1), [[0.0], [4.0], [0.0]]);
    }

    #[test]
    fn the_scale_has_units() {
        let all = [0, 999, 77_824, 1_500_000, 2_000_000_000].map(scale);
        assert_eq!(
            all.map(|text| text.trim().to_owned()),
            ["0 ns", "999 ns", "77.8 us", "1.50 ms", "2.00 s"]
        );
    }
}
