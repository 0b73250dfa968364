//! What a tool told, field by field, beside what it should have: on failure only the fields that differ are shown, with the
//! kernel, the tool, its rungs, and what was lost.

use std::fmt::{self, Display, Formatter};

use crate::kernel;

/// Fields of one moment, each with what is expected of it.
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

/// A field: what is told, and from where to where it may be.
#[derive(Debug)]
struct Field {
    name: String,
    told: u64,
    least: u64,
    most: u64,
}

impl Field {
    fn missing(&self) -> u64 {
        self.least.saturating_sub(self.told)
    }

    fn surplus(&self) -> u64 {
        self.told.saturating_sub(self.most)
    }
}

/// `NAME: told N, expected M, DIFFERENCE`.
impl Display for Field {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { name, told, least, most } = self;
        write!(f, "{name}: told {told}, expected ")?;
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

/// What may differ.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Allowed {
    /// Nothing, and nothing may be lost.
    Nothing,
    /// What is lost may be missing.
    Missing,
    /// What is lost may be missing in one field, and be told in another.
    Moved,
}

impl Comparison {
    /// Of what this tool tells with these options, of which those that choose its hooks are enough.
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

    /// Of what this tool tells by this kind of hook (`--attach`).
    pub fn by(tool: &str, kind: &str) -> Self {
        Self::of(tool, &["--attach", kind])
    }

    /// Which part of the work it is.
    pub fn part(mut self, what: impl Display) -> Self {
        self.what = what.to_string();
        self
    }

    /// A field, and what it is to be.
    pub fn field(self, name: impl Display, told: u64, expected: u64) -> Self {
        self.between(name, told, expected, expected)
    }

    /// A field, and from where to where it may be.
    pub fn between(mut self, name: impl Display, told: u64, least: u64, most: u64) -> Self {
        self.fields.push(Field { name: name.to_string(), told, least, most });
        self
    }

    /// A field, and what it is to be at the least.
    pub fn at_least(self, name: impl Display, told: u64, least: u64) -> Self {
        self.between(name, told, least, u64::MAX)
    }

    /// Several fields, and what each is to be.
    pub fn fields<N: Display>(mut self, names: &[N], told: &[u64], expected: &[u64]) -> Self {
        assert_eq!((names.len(), told.len()), (expected.len(), expected.len()), "as many of each");
        for ((name, told), expected) in names.iter().zip(told).zip(expected) {
            self = self.field(name, *told, *expected);
        }
        self
    }

    /// How many events the tool says it lost: `lost` of all its records.
    pub fn lost(mut self, lost: u64) -> Self {
        self.lost = lost;
        self
    }

    /// By how much the fields together can be off at most for one event that is lost; 1 if nothing is said.
    pub fn each_of(mut self, most: u64) -> Self {
        self.each = most;
        self
    }

    /// Asserts that all is as expected, and nothing lost. Where a program may be left out (`kernel::may_leave_out`), what
    /// is missing must be in `lost`.
    pub fn equal(self) {
        let left_out = kernel::may_leave_out(&self.tool);
        self.assert(if left_out { Allowed::Missing } else { Allowed::Nothing });
    }

    /// The same of programs that any kernel may leave out: those that an interrupt runs, where it would interrupt
    /// themselves.
    pub fn equal_minus_lost(self) {
        self.assert(Allowed::Missing);
    }

    /// As `equal`, where what is left out of one field may be told in another instead: either may have more.
    pub fn equal_within_lost(self) {
        let left_out = kernel::may_leave_out(&self.tool);
        self.assert(if left_out { Allowed::Moved } else { Allowed::Nothing });
    }

    fn assert(self, allowed: Allowed) {
        if let Some(differences) = self.differences(allowed) {
            panic!("{self}: {differences}; {}", kernel::identity(&self.tool, &self.options));
        }
    }

    /// The fields that differ by more than may be.
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
        let mut told: Vec<String> = differ.map(ToString::to_string).collect();
        told.push(match (self.lost, self.each) {
            (lost, 1) => format!("lost {lost}"),
            (lost, each) => format!("lost {lost}, each of at most {each}"),
        });
        Some(told.join("; "))
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

    fn comparison(told: [u64; 2], lost: u64) -> Comparison {
        Comparison::by("proclife", "kprobe").fields(&["forks", "exits"], &told, &[101, 102]).lost(lost)
    }

    #[test]
    fn only_the_fields_that_differ_are_shown() {
        let differences = comparison([101, 99], 2).differences(Allowed::Missing);
        assert_eq!(differences.as_deref(), Some("exits: told 99, expected 102, 3 missing; lost 2"));
        let differences = comparison([103, 102], 0).differences(Allowed::Nothing);
        assert_eq!(differences.as_deref(), Some("forks: told 103, expected 101, 2 too many; lost 0"));
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
        let told = |told| {
            Comparison::of("dcstat", &[]).between("slow", told, 211, 1_477).differences(Allowed::Nothing)
        };
        assert_eq!((told(211), told(1_477)), (None, None));
        assert_eq!(told(210).as_deref(), Some("slow: told 210, expected 211 to 1477, 1 missing; lost 0"));
        assert_eq!(told(1_480).as_deref(), Some("slow: told 1480, expected 211 to 1477, 3 too many; lost 0"));
    }
}
