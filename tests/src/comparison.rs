//! Compares what a tool reported with what is expected, field by field. A failure shows only the
//! fields that differ, with the kernel, the tool, its rungs, and `lost`.

use std::fmt::{self, Display, Formatter};

use crate::kernel;

/// Fields with their expected values.
#[must_use = "it is compared by `equal`, `equal_minus_lost` or `equal_within_lost`"]
#[derive(Debug)]
pub struct Comparison {
    tool: String,
    options: Vec<String>,
    what: String,
    fields: Vec<Field>,
    lost: u64,
    each: u64,
}

/// A field: the reported value, and the least and greatest allowed.
#[derive(Debug)]
struct Field {
    name: String,
    reported: u64,
    least: u64,
    most: u64,
}

impl Field {
    fn missing(&self) -> u64 {
        self.least.saturating_sub(self.reported)
    }

    fn surplus(&self) -> u64 {
        self.reported.saturating_sub(self.most)
    }
}

/// `NAME: reported N, expected M, DIFFERENCE`.
impl Display for Field {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { name, reported, least, most } = self;
        write!(f, "{name}: reported {reported}, expected ")?;
        match (least, most) {
            (least, most) if least == most => write!(f, "{least}")?,
            (least, &u64::MAX) => write!(f, "{least} or more")?,
            (0, most) => write!(f, "{most} or fewer")?,
            (least, most) => write!(f, "{least} to {most}")?,
        }
        let (missing, surplus) = (self.missing(), self.surplus());
        if missing > 0 { write!(f, ", {missing} missing") } else { write!(f, ", {surplus} too many") }
    }
}

/// The allowed differences.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Allowed {
    /// None, and `lost` must be 0.
    Nothing,
    /// As many events as are lost may be missing.
    Missing,
    /// Lost events may be missing in one field and be reported in another.
    Moved,
}

impl Comparison {
    /// Compares the output of this tool with these options; those that choose its hooks are
    /// sufficient.
    pub fn of(tool: &str, options: &[&str]) -> Self {
        Self {
            tool: tool.to_string(),
            options: options.iter().map(ToString::to_string).collect(),
            what: String::new(),
            fields: Vec::new(),
            lost: 0,
            each: 1,
        }
    }

    /// Compares the output of this tool with this kind of hook (`--attach`).
    pub fn by(tool: &str, kind: &str) -> Self {
        Self::of(tool, &["--attach", kind])
    }

    /// Names the part of the work.
    pub fn part(mut self, what: impl Display) -> Self {
        self.what = what.to_string();
        self
    }

    /// Adds a field and its expected value.
    pub fn field(self, name: impl Display, reported: u64, expected: u64) -> Self {
        self.between(name, reported, expected, expected)
    }

    /// Adds a field and its allowed range.
    pub fn between(mut self, name: impl Display, reported: u64, least: u64, most: u64) -> Self {
        self.fields.push(Field { name: name.to_string(), reported, least, most });
        self
    }

    /// Adds a field and its minimum.
    pub fn at_least(self, name: impl Display, reported: u64, least: u64) -> Self {
        self.between(name, reported, least, u64::MAX)
    }

    /// Adds several fields with their expected values.
    pub fn fields<N: Display>(mut self, names: &[N], reported: &[u64], expected: &[u64]) -> Self {
        assert_eq!((names.len(), reported.len()), (expected.len(), expected.len()), "as many of each");
        for ((name, reported), expected) in names.iter().zip(reported).zip(expected) {
            self = self.field(name, *reported, *expected);
        }
        self
    }

    /// The number of events that the tool lost: `lost` of all its records.
    pub fn lost(mut self, lost: u64) -> Self {
        self.lost = lost;
        self
    }

    /// The maximum by which the fields together differ per lost event; 1 by default.
    pub fn each_of(mut self, most: u64) -> Self {
        self.each = most;
        self
    }

    /// Asserts that all fields are as expected and nothing is lost. Where a program may be skipped
    /// (`kernel::may_leave_out`), missing events must be in `lost`.
    pub fn equal(self) {
        let left_out = kernel::may_leave_out(&self.tool);
        self.assert(if left_out { Allowed::Missing } else { Allowed::Nothing });
    }

    /// The same for programs that any kernel may skip: programs run by an interrupt, which may
    /// arrive while the same program runs.
    pub fn equal_minus_lost(self) {
        self.assert(Allowed::Missing);
    }

    /// As `equal`, where an event skipped in one field may be reported in another: either field may
    /// have more.
    pub fn equal_within_lost(self) {
        let left_out = kernel::may_leave_out(&self.tool);
        self.assert(if left_out { Allowed::Moved } else { Allowed::Nothing });
    }

    fn assert(self, allowed: Allowed) {
        if let Some(differences) = self.differences(allowed) {
            panic!("{self}: {differences}; {}", kernel::identity(&self.tool, &self.options));
        }
    }

    /// The fields that differ by more than is allowed.
    fn differences(&self, allowed: Allowed) -> Option<String> {
        let sum = |of: fn(&Field) -> u64| self.fields.iter().map(of).fold(0, u64::saturating_add);
        let (missing, surplus) = (sum(Field::missing), sum(Field::surplus));
        let room = self.lost.saturating_mul(self.each);
        let agree = match allowed {
            Allowed::Nothing => missing == 0 && surplus == 0 && self.lost == 0,
            Allowed::Missing => missing <= room && surplus == 0,
            Allowed::Moved => missing.saturating_add(surplus) <= room,
        };
        if agree {
            return None;
        }
        let differ = self.fields.iter().filter(|field| field.missing() > 0 || field.surplus() > 0);
        let mut reported: Vec<String> = differ.map(ToString::to_string).collect();
        reported.push(match (self.lost, self.each) {
            (lost, 1) => format!("lost {lost}"),
            (lost, each) => format!("lost {lost}, each of at most {each}"),
        });
        Some(reported.join("; "))
    }
}

/// `TOOL OPTIONS, PART`.
impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.tool)?;
        self.options.iter().try_for_each(|option| write!(f, " {option}"))?;
        if self.what.is_empty() { Ok(()) } else { write!(f, ", {}", self.what) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Allowed, Comparison};

    fn comparison(reported: [u64; 2], lost: u64) -> Comparison {
        Comparison::by("proclife", "kprobe").fields(&["forks", "exits"], &reported, &[101, 102]).lost(lost)
    }

    #[test]
    fn only_the_fields_that_differ_are_shown() {
        let differences = comparison([101, 99], 2).differences(Allowed::Missing);
        assert_eq!(differences.as_deref(), Some("exits: reported 99, expected 102, 3 missing; lost 2"));
        let differences = comparison([103, 102], 0).differences(Allowed::Nothing);
        assert_eq!(differences.as_deref(), Some("forks: reported 103, expected 101, 2 too many; lost 0"));
        assert_eq!(
            comparison([1, 2], 0).part("with zombies").to_string(),
            "proclife --attach kprobe, with zombies"
        );
    }

    #[test]
    fn what_is_lost_may_be_missing_and_never_too_many() {
        assert_eq!(comparison([100, 101], 2).differences(Allowed::Missing), None);
        assert!(comparison([100, 101], 1).differences(Allowed::Missing).is_some());
        assert!(comparison([102, 102], 9).differences(Allowed::Missing).is_some());
        assert_eq!(comparison([99, 102], 1).each_of(2).differences(Allowed::Missing), None);
        assert_eq!(comparison([102, 101], 2).differences(Allowed::Moved), None);
        assert!(comparison([101, 102], 1).differences(Allowed::Nothing).is_some());
    }

    #[test]
    fn bounds_are_kept_on_both_sides() {
        let reported = |reported| {
            Comparison::of("dcstat", &[]).between("slow", reported, 211, 1_477).differences(Allowed::Nothing)
        };
        assert_eq!((reported(211), reported(1_477)), (None, None));
        assert_eq!(
            reported(210).as_deref(),
            Some("slow: reported 210, expected 211 to 1477, 1 missing; lost 0")
        );
        assert_eq!(
            reported(1_480).as_deref(),
            Some("slow: reported 1480, expected 211 to 1477, 3 too many; lost 0")
        );
    }
}
