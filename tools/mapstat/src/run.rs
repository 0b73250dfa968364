//! A run: configs are loaded, rights dropped, and maps read at each interval.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::rc::Rc;

use cli::exit::{Failure, Result};
use cli::interval::Ticks;
use cli::signals::Stop;
use cli::stderr::{self, note};
use cli::stdout;
use common::kernel::privilege;
use common::kernel::running::Running;
use common::measure::top;
use common::options::Output;
use common::output::Writer;
use common::session::footprint::Holdings;
use common::session::prog_stats::{self, ProgStats};
use common::session::{descriptors, libbpf_log};
use libbpf_rs::{Map, MapCore};

use crate::config::{Config, Metric};
use crate::decode::{self, Decoder};
use crate::feed::Feed;
use crate::maps::{self, Kind};
use crate::object::{self, Loaded, Outcome, Refused};
use crate::row::{Columns, OTHER, Series, Shape, all_labels};
use crate::samples::Samples;
use crate::section::post_attach_mark;
use crate::state::{Interval, Keys, Labels, State, Values};
use crate::symbols::Symbols;
use crate::system::System;
use crate::target::Targets;
use crate::{Args, TOOL, check};

/// How many label sets of a metric are printed without `--top`: what is more has a mistake in its labels.
const SERIES_AT_MOST: u32 = 1 << 20;

/// Refuses configs whose records could not be told apart.
pub fn check_names(configs: &[Config]) -> Result<()> {
    let mut names = HashSet::new();
    if let Some(twice) = configs.iter().find(|config| !names.insert(&config.name)) {
        return Err(Failure::usage(format!(
            "there are two configs {}: their records would be one",
            twice.name
        )));
    }
    let mut metrics: HashMap<&str, &str> = HashMap::new();
    for config in configs {
        for metric in &config.metrics {
            if let Some(other) = metrics.insert(&metric.name, &config.name) {
                let name = &metric.name;
                let what = if other == config.name {
                    format!("{other} has metric {name} twice")
                } else {
                    format!("{other} and {} both have metric {name}: run them apart", config.name)
                };
                return Err(Failure::usage(what));
            }
        }
    }
    Ok(())
}

/// A metric at work.
struct Source<'a> {
    config: &'a str,
    metric: &'a Metric,
    from: From<'a>,
    state: State,
    /// Whether a problem with its keys was reported, and that its map is full.
    told: Cell<bool>,
    told_full: Cell<bool>,
}

enum From<'a> {
    Map(&'a Map<'a>, Kind),
    Samples(Samples<'a>),
}

/// Loads the configs and prints a record for each label set of an interval, until asked to end.
pub fn run(args: &Args, configs: Vec<(Config, PathBuf)>) -> Result<()> {
    let common = &args.common;
    stdout::reopen();
    privilege::check()?;
    privilege::check_bpf()?;
    descriptors::reserve(descriptors::PLANNING)?;
    Running::check()?;
    libbpf_log::capture(common.verbose);
    let statistics = common.overhead.then(prog_stats::enable).transpose()?;
    let columns = match common.output {
        Some(Output::Csv) => {
            Columns::All(all_labels(&configs.iter().map(|(config, _)| config).collect::<Vec<_>>()))
        }
        Some(Output::Json) => Columns::Own,
        Some(Output::Table) => Columns::Table,
        None if std::io::IsTerminal::is_terminal(&std::io::stdout()) => Columns::Table,
        None => Columns::Own,
    };
    let needs = |wanted: fn(&Decoder) -> bool| {
        let metrics = configs.iter().flat_map(|(config, _)| &config.metrics);
        metrics.flat_map(|metric| &metric.labels).flat_map(|label| &label.decoders).any(wanted)
    };
    let by_cgroup = needs(|decoder| matches!(decoder, Decoder::Cgroup));
    let by_symbol = needs(|decoder| matches!(decoder, Decoder::Ksym | Decoder::Kstack));
    let mut symbols = symbols(by_symbol || configs.iter().any(|(config, _)| !config.kaddrs.is_empty()))?;
    if by_symbol && symbols.are_hidden() {
        return Err(Failure::not_permitted(
            "the kernel hides the addresses of its symbols (/proc/kallsyms): needs CAP_SYSLOG, or sysctl \
             kernel.kptr_restrict=0",
        ));
    }
    let (loaded, refused) = load(args, configs, &mut symbols)?;
    tell(args, &loaded, &refused)?;
    let mut feed = if by_cgroup { Feed::start()? } else { None };
    if by_cgroup && feed.is_none() && !common.quiet {
        note(
            "cgroups that come and go within an interval have no names: their creation cannot be watched here",
        );
    }
    post_attach_mark();
    let configs: Vec<&Config> = loaded.iter().map(|loaded| &loaded.config).collect();
    let shape = Shape::new(columns, args.buckets, &configs);
    let maps: Vec<Vec<Map<'_>>> = loaded.iter().map(maps_of).collect::<Result<_>>()?;
    let mut sources = Vec::new();
    for (loaded, maps) in loaded.iter().zip(&maps) {
        sources.extend(sources_of(loaded, maps)?);
    }
    let objects = loaded.iter().map(|loaded| &loaded.object).chain(feed.as_ref().map(Feed::object));
    let links = loaded.iter().flat_map(|loaded| &loaded.links);
    let holdings = common.overhead.then(|| Holdings::of(objects.clone())).transpose()?;
    let prog_stats = ProgStats::new(objects, links, statistics)?;
    let mut system = System::new(symbols);
    if by_cgroup {
        // The hierarchy may be open to root alone.
        system.cgroups();
    }
    let works = || {
        let first = sources.iter().find_map(|source| match &source.from {
            From::Map(map, kind) => Some((map, *kind, source.metric)),
            From::Samples(_) => None,
        });
        prog_stats.works()
            && first.is_none_or(|(map, kind, metric)| maps::read(map, kind, metric, |_, _| ()).is_ok())
    };
    privilege::drop_all(works, common.quiet);
    prog_stats.since_last();
    let stop = Stop::on_signals()?;
    let mut writer = Writer::new(TOOL, common, &stop);
    let mut ticks = Ticks::new(common.interval, common.count, common.duration);
    let mut first = true;
    loop {
        let samples: Vec<&Samples<'_>> = sources.iter().filter_map(Source::samples).collect();
        let fds: Vec<_> = samples.iter().map(|samples| samples.ready()).collect();
        let tick = ticks.next_serving(&stop, &fds, || samples.iter().for_each(|samples| samples.consume()));
        let Some(tick) = tick else { return Ok(()) };
        system.next();
        if let Some(feed) = &mut feed {
            feed.pass_on(system.cgroups().known());
        } else if by_cgroup {
            system.cgroups().known().next(std::iter::empty());
        }
        let (mut rows, mut lost) = (Vec::new(), 0);
        for source in &mut sources {
            let interval = source.read(first || args.all, &mut system)?;
            lost += interval.lost;
            source.report(&interval, common.quiet);
            rows.extend(source.rows(interval, &shape, args.top));
        }
        if rows.is_empty() {
            rows.push(shape.idle());
        }
        writer.interval(&tick, rows, lost, prog_stats.since_last(), holdings.as_ref().map(Holdings::now))?;
        first = false;
    }
}

/// The kernel's symbols, opened while the process may see addresses.
fn symbols(needed: bool) -> Result<Symbols> {
    if !needed {
        return Ok(Symbols::default());
    }
    Symbols::open().map_err(|error| Failure::not_permitted(format!("cannot read /proc/kallsyms: {error}")))
}

type Configs = (Vec<Loaded>, Vec<(String, Refused)>);

/// Loads all configs; those that cannot be used are returned with the reason.
fn load(args: &Args, configs: Vec<(Config, PathBuf)>, symbols: &mut Symbols) -> Result<Configs> {
    let targets = Targets::default();
    let (mut all, mut refused) = (Vec::new(), Vec::new());
    for (config, path) in configs {
        let name = config.name.clone();
        match object::load(config, &path, args.btf.as_ref(), &targets, symbols)? {
            Err(why) => refused.push((name, why)),
            Ok(loaded) => all.push(loaded),
        }
    }
    Ok((all, refused))
}

/// Says what became of the configs, and ends where too little did.
fn tell(args: &Args, loaded: &[Loaded], refused: &[(String, Refused)]) -> Result<()> {
    let common = &args.common;
    if common.check {
        check::print(loaded, refused, common.output)?;
    }
    let missing = || loaded.iter().find_map(|one| one.first_failure().map(|found| (one, found)));
    let failure = |(one, (program, why, permission)): (&Loaded, (&str, &str, bool))| {
        let message = format!("{}: program {program} is not attached: {why}", one.config.name);
        if permission { Failure::not_permitted(message) } else { Failure::unsupported(message) }
    };
    if let (true, Some((name, one))) = (args.strict || common.check || loaded.is_empty(), refused.first()) {
        return Err(match loaded.is_empty() {
            true => object::none_left(refused),
            false => Failure::new(one.exit, format!("{name}: {}", one.why)),
        });
    }
    if let Some(missing) = missing().filter(|(one, _)| args.strict || common.check || !one.works()) {
        // A config of which nothing is attached counts nothing, and is none of several.
        if args.strict || common.check || !loaded.iter().any(Loaded::works) {
            return Err(failure(missing));
        }
    }
    if common.check {
        return Err(Failure::none());
    }
    for (name, Refused { why, .. }) in refused {
        stderr::line(TOOL, &format!("{name} is left out: {why}"));
    }
    for one in loaded.iter().filter(|_| !common.quiet) {
        one.config.notes.iter().for_each(|text| note(&format!("{}: {text}", one.config.name)));
        for program in &one.programs {
            if let Outcome::Not(why, _) = &program.outcome {
                note(&format!(
                    "{}: program {} ({}) is not attached: {why}",
                    one.config.name, program.name, program.section
                ));
            }
        }
    }
    Ok(())
}

/// The maps of a config's metrics.
fn maps_of(loaded: &Loaded) -> Result<Vec<Map<'_>>> {
    loaded
        .config
        .metrics
        .iter()
        .map(|metric| common::bpf::globals::map(&loaded.object, &metric.name))
        .collect()
}

fn sources_of<'a>(loaded: &'a Loaded, maps: &'a [Map<'a>]) -> Result<Vec<Source<'a>>> {
    let metrics = loaded.config.metrics.iter().zip(&loaded.kinds).zip(maps);
    let source = |((metric, kind), map): ((&'a Metric, &Option<Kind>), &'a Map<'a>)| {
        let (from, keys) = match kind {
            Some(kind) => (From::Map(map, *kind), kind.keys),
            None => (From::Samples(Samples::of(map, decode::size(&metric.labels))?), Keys::Coming),
        };
        let (told, told_full) = (Cell::new(false), Cell::new(false));
        Ok(Source { config: &loaded.config.name, metric, from, state: State::new(keys), told, told_full })
    };
    metrics.map(source).collect()
}

impl<'a> Source<'a> {
    fn samples(&self) -> Option<&Samples<'a>> {
        match &self.from {
            From::Samples(samples) => Some(samples),
            From::Map(..) => None,
        }
    }

    /// What came since the last time.
    fn read(&mut self, idle: bool, system: &mut System) -> Result<Interval> {
        let Self { metric, from, state, .. } = self;
        match from {
            From::Map(map, kind) => {
                let read =
                    maps::read(map, *kind, metric, |key, value| state.take(metric, key, value, idle, system));
                read.map_err(|error| Failure::failed(format!("cannot read map {}: {error}", metric.name)))?;
                Ok(state.end())
            }
            From::Samples(samples) => {
                let (counts, lost) = samples.take();
                counts.iter().for_each(|(key, count)| state.take_samples(metric, key, *count, system));
                let mut interval = state.end();
                interval.lost += lost;
                Ok(interval)
            }
        }
    }

    /// Says once that keys cannot be decoded, and that the map is full.
    fn report(&self, interval: &Interval, quiet: bool) {
        if quiet {
            return;
        }
        if let Some(why) = interval.why.as_ref().filter(|_| !self.told.replace(true)) {
            note(&format!(
                "{}: {}: a key is left out: {why}; such counts are in lost",
                self.config, self.metric.name
            ));
        }
        let From::Map(map, Kind { keys: Keys::Coming, drops: false, .. }) = &self.from else { return };
        // With one for the processor, a key of the map is several here.
        let by_processor = self.metric.labels.last().is_some_and(|last| last.is_processor);
        let is_full = !by_processor && self.state.keys() >= map.max_entries() as usize;
        if is_full && !self.told_full.replace(true) {
            note(&format!(
                "{}: map {} is full ({} keys): its programs may drop what is new",
                self.config,
                self.metric.name,
                map.max_entries()
            ));
        }
    }

    /// The records of an interval.
    fn rows(&self, interval: Interval, shape: &Shape, top: Option<u32>) -> Vec<Series> {
        let mut all: Vec<(Labels, Values)> = interval.values.into_iter().collect();
        // In the order of their labels if all are printed.
        if let Some(top) = top.or((all.len() > SERIES_AT_MOST as usize).then_some(SERIES_AT_MOST)) {
            let together = |others: Vec<(Labels, Values)>| {
                let mut others = others.into_iter();
                let (labels, mut sum) = others.next().unwrap_or_else(|| (Rc::new([]), Values::Counted(0)));
                others.for_each(|(_, values)| sum.add(&values));
                (labels.iter().map(|_| OTHER.to_owned()).collect(), sum)
            };
            top::keep_largest(&mut all, Some(top), |(_, values)| values.size(), together);
        }
        all.iter().map(|(labels, values)| shape.series(self.config, self.metric, labels, values)).collect()
    }
}
