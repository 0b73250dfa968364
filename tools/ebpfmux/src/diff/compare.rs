//! Compares two recordings, figure by figure.

use std::collections::HashMap;

use indexmap::{IndexMap, IndexSet};
use record::fields::{Field, Kind, Unit};

use super::estimate::Estimate;
use super::figures::{self, Figures};
use super::statistics::{Apart, DRAWS, Dependence, Drawn, Draws, Level, Pair};
use crate::over_time::{Group, OverTime, Timeline, Tool};

/// With fewer intervals nothing is said of noise.
pub const FEWEST: u64 = 8;

/// The draws of the two recordings come from different seeds, the same each time: the same files give the same answer.
const SEEDS: [u64; 2] = [0x6562_7066_0000_0001, 0x6562_7066_0000_0002];

/// What a comparison says of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has changed by more than noise, its bounds and the least that counts.
    Changed,
    /// It has changed by more than noise, but by less than the rest.
    Small,
    /// Noise explains the difference.
    Noise,
    /// There are too few intervals to tell.
    TooFew,
}

/// A figure of both recordings.
pub struct Compared {
    /// Its name.
    pub name: String,
    /// What it is.
    pub field: &'static Field,
    /// Its values.
    pub values: [f64; 2],
    /// The share by which it may be off for its buckets, up or down; the greater of both recordings.
    pub bound: f64,
    /// The interval of the ratio of the second value to the first.
    pub ratios: [Option<f64>; 2],
    /// What is said of it.
    pub verdict: Verdict,
}

impl Compared {
    /// The change as a share of the first value: infinite where that was 0.
    pub fn change(&self) -> f64 {
        match self.values {
            [before, after] if before == after => 0.0,
            [before, after] => after / before - 1.0,
        }
    }

    /// Whether it is an amount per second.
    pub fn is_rate(&self) -> bool {
        matches!(self.field.kind, Kind::Counter | Kind::Difference(_))
    }
}

/// The figures of a key.
pub struct OfKey {
    /// Names and values of the fields that keep it apart.
    pub key: Vec<(String, String)>,
    /// Its figures.
    pub figures: Vec<Compared>,
}

/// What both recordings have of a tool.
pub struct OfTool {
    /// Its name.
    pub name: String,
    /// How many intervals each has.
    pub intervals: [u64; 2],
    /// How long they are together, in seconds.
    pub seconds: [f64; 2],
    /// How many events could not be recorded.
    pub lost: [f64; 2],
    /// Whether percentiles are left out for want of buckets.
    pub lacks_buckets: bool,
    /// Its keys.
    pub keys: Vec<OfKey>,
}

/// A figure whose noise is not judged yet, as that depends on how many there are.
struct Unjudged {
    name: String,
    field: &'static Field,
    drawn: [Drawn; 2],
    few: bool,
}

/// Compares the tools that both recordings have; `least` is the least change that counts, as a share.
pub fn compare(before: &OverTime, after: &OverTime, least: f64) -> Vec<OfTool> {
    let both = before.tools.iter().filter_map(|(name, tool)| Some((name, [tool, after.tools.get(name)?])));
    let unjudged: Vec<_> = both.map(|(name, tools)| (name, tools, keys(tools))).collect();
    let figures = || unjudged.iter().flat_map(|(_, _, keys)| keys).flat_map(|(_, figures)| figures);
    let level = Level::of(figures().filter(|figure| !figure.few && figure.is_something()).count());
    unjudged
        .into_iter()
        .map(|(name, tools, keys)| {
            let judged =
                |figures: Vec<Unjudged>| figures.into_iter().map(|one| one.judged(level, least)).collect();
            OfTool {
                name: name.clone(),
                intervals: tools.map(Tool::intervals),
                seconds: tools.map(Tool::seconds),
                lost: tools.map(Tool::lost),
                lacks_buckets: tools.iter().any(|tool| tool.groups.values().any(figures::lacks_buckets)),
                keys: keys
                    .into_iter()
                    .map(|(key, figures)| OfKey { key, figures: judged(figures) })
                    .collect(),
            }
        })
        .collect()
}

type Key = Vec<(String, String)>;

fn keys(tools: [&Tool; 2]) -> Vec<(Key, Vec<Unjudged>)> {
    let all: IndexSet<&Key> = tools.iter().flat_map(|tool| tool.groups.keys()).collect();
    let mut sides = [Side::of(tools[0], SEEDS[0]), Side::of(tools[1], SEEDS[1])];
    let few = tools.iter().any(|tool| tool.intervals() < FEWEST);
    all.into_iter()
        .map(|key| {
            let [before, after] = [0, 1].map(|side| sides[side].drawn(tools[side].groups.get(key)));
            let names: IndexMap<&String, &'static Field> =
                before.iter().chain(&after).map(|(name, (field, _))| (name, *field)).collect();
            let of = |side: usize,
                      drawn: &IndexMap<String, (&'static Field, Drawn)>,
                      name: &String,
                      field: &Field| {
                let known = drawn.get(name).map(|(_, drawn)| drawn.clone());
                // What did not happen in a recording is 0 there.
                known.or_else(|| {
                    let amount = matches!(field.kind, Kind::Counter | Kind::Difference(_));
                    amount.then(|| sides[side].nothing(field))
                })
            };
            let figures = names.iter().filter_map(|(name, field)| {
                let drawn = [of(0, &before, name, field)?, of(1, &after, name, field)?];
                let few = few || drawn.iter().any(|drawn| (drawn.there as u64) < FEWEST);
                Some(Unjudged { name: (*name).clone(), field, drawn, few })
            });
            (key.clone(), figures.collect())
        })
        .collect()
}

/// One recording of a tool.
struct Side {
    /// The lengths of its stretches, by host.
    seconds: Vec<Vec<f64>>,
    stretches: Vec<usize>,
    seed: u64,
    /// By the length of blocks, in halves of a stretch.
    draws: HashMap<u32, Draws>,
}

impl Side {
    fn of(tool: &Tool, seed: u64) -> Self {
        let lengths = |line: &Timeline| line.stretches.iter().map(|one| one.seconds).collect();
        let seconds: Vec<Vec<f64>> = tool.hosts.values().map(lengths).collect();
        let stretches = seconds.iter().map(Vec::len).collect();
        Self { seconds, stretches, seed, draws: HashMap::new() }
    }

    /// The least error of an amount: an event more or less at an end of the recording.
    fn least_error(&self, field: &Field) -> f64 {
        let counts = field.kind == Kind::Counter && matches!(field.unit, Unit::None | Unit::Pages);
        let seconds: f64 = self.seconds.iter().flatten().sum();
        if counts && seconds > 0.0 { 1.0 / seconds } else { 0.0 }
    }

    fn nothing(&self, field: &Field) -> Drawn {
        Drawn {
            value: 0.0,
            bounds: [0.0; 2],
            draws: vec![0.0; DRAWS],
            there: self.stretches.iter().sum(),
            blocks: self.stretches.iter().sum::<usize>() as f64,
            missing: 1.0,
            least_error: self.least_error(field),
        }
    }

    /// The figures of a key, by their names.
    fn drawn(&mut self, group: Option<&Group>) -> IndexMap<String, (&'static Field, Drawn)> {
        let Some(group) = group else { return IndexMap::new() };
        let mut found = IndexMap::new();
        for Figures { names, estimate } in figures::of(group, &self.stretches) {
            let values = estimate.values(&self.seconds, None);
            let bounds = estimate.bounds(&values);
            let of_hosts = |hosts: &Vec<Vec<f64>>| {
                hosts.iter().map(|course| Dependence::of(course)).fold(Dependence::NONE, Dependence::max)
            };
            let courses = estimate.courses(&self.seconds);
            let there = |at: usize| courses[at].iter().map(Vec::len).sum::<usize>();
            let dependences: Vec<_> = courses.iter().map(of_hosts).collect();
            // One histogram is drawn once for all that is computed of it.
            let block = dependences.iter().map(|of| of.block).fold(1.0, f64::max);
            let drawn = self.draw(&estimate, block, names.len());
            for (at, ((name, field), draws)) in names.into_iter().zip(drawn).enumerate() {
                let dependence = Dependence { block, ..dependences[at] };
                let drawn = Drawn {
                    value: values[at],
                    bounds: bounds[at],
                    draws,
                    there: there(at),
                    // Intervals without a value say nothing of it.
                    blocks: there(at) as f64 * dependence.independent(),
                    missing: dependence.missing(),
                    least_error: self.least_error(field),
                };
                if !drawn.value.is_nan() {
                    found.insert(name, (field, drawn));
                }
            }
        }
        found
    }

    /// So many figures of each draw, in blocks of about this length.
    fn draw(&mut self, estimate: &Estimate, block: f64, figures: usize) -> Vec<Vec<f64>> {
        let halves = (block * 2.0).round() as u32;
        let (stretches, seed) = (&self.stretches, self.seed);
        let draws = self.draws.entry(halves);
        let draws = draws.or_insert_with(|| Draws::new(stretches, f64::from(halves) / 2.0, seed));
        let mut drawn = vec![Vec::with_capacity(draws.times.len()); figures];
        for times in &draws.times {
            let values = estimate.values(&self.seconds, Some(times));
            drawn.iter_mut().zip(values).for_each(|(all, value)| all.push(value));
        }
        drawn
    }
}

impl Unjudged {
    /// Whether anything came in either recording.
    fn is_something(&self) -> bool {
        self.drawn.iter().any(|drawn| drawn.value != 0.0)
    }

    fn judged(self, level: Level, least: f64) -> Compared {
        let [before, after] = &self.drawn;
        let apart =
            if self.few { None } else { Pair::of(before, after).map(|pair| pair.apart(level, least)) };
        let verdict = match apart {
            _ if self.few => Verdict::TooFew,
            Some(Apart { counts: true, .. }) => Verdict::Changed,
            Some(Apart { told: true, .. }) => Verdict::Small,
            _ => Verdict::Noise,
        };
        let off = |drawn: &Drawn| match drawn.value {
            0.0 => 0.0,
            value => drawn.bounds.iter().map(|bound| (bound / value - 1.0).abs()).fold(0.0, f64::max),
        };
        Compared {
            values: [before.value, after.value],
            bound: self.drawn.iter().map(off).fold(0.0, f64::max),
            ratios: apart.map_or([None; 2], |apart| apart.ratios),
            verdict,
            name: self.name,
            field: self.field,
        }
    }
}
