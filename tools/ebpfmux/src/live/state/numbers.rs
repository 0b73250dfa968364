//! The numbers of all rows in an interval, one beside the other: a thousand rows ten times a second are ten pieces of memory
//! then, not twenty thousand. Of lines that were only looked at the line is kept: of most no more is ever asked.

use std::collections::VecDeque;
use std::rc::Rc;

use super::row::Sample;
use super::template::Template;

/// Those of one interval.
struct OfFrame {
    frame: u64,
    /// How many numbers, and histograms, a row has.
    width: usize,
    histograms: usize,
    numbers: Vec<f64>,
    /// All histograms, as they were written, one behind the other, and where each ends.
    buckets: String,
    ends: Vec<u32>,
    lines: Lines,
}

/// Lines of one form.
#[derive(Default)]
struct Lines {
    form: Option<Rc<Template>>,
    /// The lines, one behind the other, and where each ends.
    bytes: Vec<u8>,
    ends: Vec<u32>,
    /// Of each the number that rows are mostly sorted by.
    main: Vec<f64>,
}

/// Marks the place of a line.
const LINE: u32 = 1 << 31;

impl Lines {
    /// A line, and its form.
    fn get(&self, place: u32) -> Option<(&[u8], &Template)> {
        let at = (place & !LINE) as usize;
        let begin = at.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        Some((self.bytes.get(begin as usize..*self.ends.get(at)? as usize)?, self.form.as_deref()?))
    }

    fn number(&self, place: u32, slot: usize) -> Option<f64> {
        let (line, form) = self.get(place)?;
        match form.main() == Some(slot) {
            true => self.main.get((place & !LINE) as usize).copied(),
            false => Some(form.number(line, slot)),
        }
    }

    fn clear(&mut self) {
        self.form = None;
        self.bytes.clear();
        self.ends.clear();
        self.main.clear();
    }
}

/// Those of all intervals that are kept.
#[derive(Default)]
pub struct Numbers {
    frames: VecDeque<OfFrame>,
    /// One that was forgotten, for the memory that it has: given back and asked for again ten times a second, that is what the
    /// kernel would be busy with.
    spare: Option<OfFrame>,
}

impl Numbers {
    /// Makes room for an interval, whose rows have so many numbers and histograms.
    pub fn begin(&mut self, frame: u64, width: usize, histograms: usize) {
        let mut new = self.spare.take().unwrap_or_else(|| self.like_the_last());
        (new.frame, new.width, new.histograms) = (frame, width, histograms);
        new.numbers.clear();
        new.buckets.clear();
        new.ends.clear();
        new.lines.clear();
        self.frames.push_back(new);
    }

    /// One with room for as much as the last one has.
    fn like_the_last(&self) -> OfFrame {
        let size = |of: fn(&OfFrame) -> usize| self.frames.back().map_or(0, of);
        OfFrame {
            frame: 0,
            width: 0,
            histograms: 0,
            numbers: Vec::with_capacity(size(|last| last.numbers.len())),
            buckets: String::with_capacity(size(|last| last.buckets.len())),
            ends: Vec::with_capacity(size(|last| last.ends.len())),
            lines: Lines {
                form: None,
                bytes: Vec::with_capacity(size(|last| last.lines.bytes.len())),
                ends: Vec::with_capacity(size(|last| last.lines.ends.len())),
                main: Vec::with_capacity(size(|last| last.lines.main.len())),
            },
        }
    }

    /// Adds a row to the newest interval; returns where it is, and what it counts towards the bound. Of columns that were
    /// not known when the interval began nothing is kept.
    pub fn push(&mut self, numbers: &[f64], buckets: &[&str]) -> Option<(Sample, usize)> {
        let last = self.frames.back_mut()?;
        let place =
            u32::try_from(last.numbers.len() / last.width.max(1)).ok().filter(|place| place & LINE == 0)?;
        let width = last.width.max(1);
        last.numbers.extend_from_slice(&numbers[..numbers.len().min(width)]);
        last.numbers.resize((place as usize + 1) * width, f64::NAN);
        for raw in buckets.iter().copied().chain(std::iter::repeat("")).take(last.histograms) {
            // What is beyond four gigabytes is left out: there are bounds far below.
            if u32::try_from(last.buckets.len() + raw.len()).is_ok() {
                last.buckets.push_str(raw);
            }
            last.ends.push(last.buckets.len() as u32);
        }
        let cells = 2 + last.width + buckets.iter().map(|raw| 2 + raw.len() / 8).sum::<usize>();
        Some((Sample { frame: last.frame, place }, cells))
    }

    /// Whether the newest interval takes lines of this form.
    pub fn take_lines(&self, form: &Rc<Template>) -> bool {
        let known = self.frames.back().and_then(|last| last.lines.form.as_ref());
        known.is_none_or(|known| Rc::ptr_eq(known, form))
    }

    /// Adds a row to the newest interval by its line, of this form, and the number that rows are mostly sorted by; returns as
    /// `push` does.
    pub fn push_line(&mut self, form: &Rc<Template>, line: &[u8], main: f64) -> Option<(Sample, usize)> {
        let OfFrame { frame, lines, .. } = self.frames.back_mut()?;
        let place = u32::try_from(lines.ends.len()).ok().filter(|place| place & LINE == 0)?;
        let end = u32::try_from(lines.bytes.len() + line.len()).ok()?;
        lines.form.get_or_insert_with(|| Rc::clone(form));
        lines.bytes.extend_from_slice(line);
        lines.ends.push(end);
        lines.main.push(main);
        Some((Sample { frame: *frame, place: place | LINE }, 4 + line.len() / 8))
    }

    /// A number; not one if there is none.
    pub fn number(&self, sample: Sample, slot: usize) -> f64 {
        let number = |of: &OfFrame| {
            if sample.place & LINE != 0 {
                return of.lines.number(sample.place, slot);
            }
            let at = sample.place as usize * of.width + slot;
            of.numbers.get(at).copied().filter(|_| slot < of.width)
        };
        self.of(sample).and_then(number).unwrap_or(f64::NAN)
    }

    /// A histogram, as it was written; empty if there is none.
    pub fn buckets(&self, sample: Sample, slot: usize) -> &str {
        if sample.place & LINE != 0 {
            let line = self.of(sample).and_then(|of| of.lines.get(sample.place));
            return line.map_or("", |(line, form)| form.buckets(line, slot));
        }
        self.raw(sample, slot).unwrap_or_default()
    }

    fn raw(&self, sample: Sample, slot: usize) -> Option<&str> {
        let of = self.of(sample).filter(|of| slot < of.histograms)?;
        let at = sample.place as usize * of.histograms + slot;
        let begin = at.checked_sub(1).map_or(Some(0), |before| of.ends.get(before).copied())?;
        of.buckets.get(begin as usize..*of.ends.get(at)? as usize)
    }

    /// Forgets the oldest interval.
    pub fn forget(&mut self) {
        self.spare = self.frames.pop_front();
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.frames.clear();
    }

    /// They have the numbers of their intervals without a gap.
    fn of(&self, sample: Sample) -> Option<&OfFrame> {
        let first = self.frames.front()?.frame;
        self.frames.get(usize::try_from(sample.frame.checked_sub(first)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_where_it_was_put() {
        let mut numbers = Numbers::default();
        assert!(numbers.push(&[1.0], &[]).is_none());
        numbers.begin(7, 2, 1);
        let (first, cells) = numbers.push(&[1.0, 2.0], &["[[1,2]]"]).unwrap();
        // A column that is new, and one that is missing.
        let (second, _) = numbers.push(&[3.0, 4.0, 5.0], &[]).unwrap();
        let (third, _) = numbers.push(&[6.0], &["x", "y"]).unwrap();
        assert_eq!((cells, numbers.number(first, 1), numbers.buckets(first, 0)), (6, 2.0, "[[1,2]]"));
        assert_eq!(
            (numbers.number(second, 0), numbers.number(second, 1), numbers.buckets(second, 0)),
            (3.0, 4.0, "")
        );
        assert!(numbers.number(second, 2).is_nan() && numbers.number(third, 1).is_nan());
        assert_eq!(
            (numbers.number(third, 0), numbers.buckets(third, 0), numbers.buckets(third, 1)),
            (6.0, "x", "")
        );
        numbers.begin(8, 0, 0);
        let (none, _) = numbers.push(&[], &[]).unwrap();
        assert!(numbers.number(none, 0).is_nan());
        numbers.forget();
        assert!(
            numbers.number(first, 0).is_nan() && numbers.number(Sample { frame: 9, place: 0 }, 0).is_nan()
        );
    }
}
