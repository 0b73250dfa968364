//! A run: configs are loaded, rights dropped, and maps read at each interval.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use cli::exit::{Exit, Failure, Result};
use cli::interval::Ticks;
use cli::signals::Stop;
use cli::stderr::{self, note};
use cli::stdout;
use common::kernel::privilege;
use common::kernel::running::Running;
use common::options::Output;
use common::output::Writer;
use common::session::footprint::Holdings;
use common::session::prog_stats::{self, ProgStats};
use common::session::{descriptors, libbpf_log};
use libbpf_rs::Map;

use crate::builtin::Builtins;
use crate::config::Config;
use crate::decode::Decoder;
use crate::events::Spans;
use crate::feed::Feed;
use crate::id_map::IdMaps;
use crate::object::{self, Loaded, Outcome, Refused};
use crate::row::{Columns, Shape, all_labels};
use crate::samples::Samples;
use crate::section::post_attach_mark;
use crate::source::{Source, maps_of, sources_of};
use crate::span::row::all_attributes;
use crate::symbols::Symbols;
use crate::system::System;
use crate::{Args, TOOL, builtin, check};

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

/// The configs that have what is asked for: spans with `--events`, else metrics. Of the others a note says so.
///
/// # Errors
/// When there is none.
pub fn wanted(args: &Args, configs: Vec<(Config, PathBuf)>) -> Result<Vec<(Config, PathBuf)>> {
    let has = |config: &Config| match args.events {
        true => !config.spans.is_empty(),
        false => config.spans.is_empty() || !config.metrics.is_empty(),
    };
    let (wanted, others): (Vec<_>, Vec<_>) = configs.into_iter().partition(|(config, _)| has(config));
    let why = match args.events {
        true => "has no spans: without --events its metrics are printed",
        false => "has spans alone: --events prints them",
    };
    match others.first().filter(|_| wanted.is_empty()) {
        Some((config, _)) => return Err(Failure::usage(format!("{} {why}", config.name))),
        None if args.common.quiet => {}
        None => others.iter().for_each(|(config, _)| note(&format!("{} is left out: it {why}", config.name))),
    }
    Ok(wanted)
}

/// Loads the configs and prints a record for each label set of an interval, or for each span, until asked to end.
pub fn run(args: &Args, configs: Vec<(Config, PathBuf)>) -> Result<()> {
    let common = &args.common;
    stdout::reopen();
    privilege::check()?;
    privilege::check_bpf()?;
    descriptors::reserve(descriptors::PLANNING)?;
    Running::check()?;
    libbpf_log::capture(common.verbose);
    let statistics = common.overhead.then(prog_stats::enable).transpose()?;
    let own = args.own.then(builtin::config);
    let columns = match common.output {
        Some(Output::Csv) => {
            let configs: Vec<_> = configs.iter().map(|(config, _)| config).chain(&own).collect();
            Columns::All(if args.events { all_attributes(&configs) } else { all_labels(&configs) })
        }
        Some(Output::Json) => Columns::Own,
        Some(Output::Table | Output::Wide) => Columns::Table,
        None if std::io::IsTerminal::is_terminal(&std::io::stdout()) => Columns::Table,
        None => Columns::Own,
    };
    let needs = |wanted: fn(&Decoder) -> bool| {
        let labels = configs.iter().flat_map(|(config, _)| config.labels(args.events));
        labels.flat_map(|label| &label.decoders).any(wanted)
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
    let by_ids = configs.iter().any(|(config, _)| config.cgroup_ids.is_some());
    // Before cgroups are walked, so that none is missed.
    let feed = if by_cgroup || by_ids { Feed::start(by_ids)? } else { None };
    let mut system = System::new(symbols);
    if by_cgroup || by_ids {
        // The hierarchy may be open to root alone.
        system.cgroups();
    }
    let (loaded, refused) = load(args, configs, &mut system, feed.is_some())?;
    tell(args, &loaded, &refused)?;
    if by_cgroup && feed.is_none() && !common.quiet {
        note(
            "cgroups that come and go within an interval have no names: their creation cannot be watched here",
        );
    }
    post_attach_mark();
    let configs: Vec<&Config> = loaded.iter().map(|loaded| &loaded.config).chain(&own).collect();
    let spans = args.events.then(|| Spans::of(&loaded, columns.clone())).transpose()?;
    let shape = Shape::new(columns, args.buckets, &configs);
    let maps: Vec<Vec<Map<'_>>> = loaded.iter().map(maps_of).collect::<Result<_>>()?;
    let mut sources = Vec::new();
    for (loaded, maps) in loaded.iter().zip(&maps).filter(|_| !args.events) {
        sources.extend(sources_of(loaded, maps)?);
    }
    let mut builtins = args.own.then(|| Builtins::of(&loaded)).transpose()?;
    let objects = loaded.iter().map(|loaded| &loaded.object).chain(feed.as_ref().map(Feed::object));
    let links = loaded.iter().flat_map(|loaded| &loaded.links);
    let holdings = common.overhead.then(|| Holdings::of(objects.clone())).transpose()?;
    let prog_stats = ProgStats::new(objects, links, statistics)?;
    let known = if by_ids { system.cgroups().all() } else { Vec::new() };
    let mut id_maps = IdMaps::of(&loaded, &known, common.quiet)?;
    drop(known);
    let works = || {
        let first = sources.iter().find_map(Source::may_be_read);
        prog_stats.works() && first != Some(false) && id_maps.work()
    };
    privilege::drop_all(works, common.quiet);
    prog_stats.since_last();
    let stop = Stop::on_signals()?;
    if let Some(spans) = spans {
        return spans.print(common, &stop, &prog_stats, feed.as_ref(), &mut id_maps, &mut system);
    }
    let mut writer = Writer::new(TOOL, common, &stop);
    let mut ticks = Ticks::new(common.interval, common.count, common.duration);
    let mut first = true;
    loop {
        let samples: Vec<&Samples<'_>> = sources.iter().filter_map(Source::samples).collect();
        let fds: Vec<_> =
            samples.iter().map(|samples| samples.ready()).chain(feed.as_ref().map(Feed::ready)).collect();
        let tick = ticks.next_serving(&stop, &fds, || {
            samples.iter().for_each(|samples| samples.consume());
            feed.iter().for_each(|feed| id_maps.follow(feed, system.cgroups()));
        });
        let Some(tick) = tick else { return Ok(()) };
        system.next();
        feed.iter().for_each(|feed| id_maps.follow(feed, system.cgroups()));
        let (mut rows, mut lost, mut errors) = (Vec::new(), 0, HashMap::new());
        for source in &mut sources {
            let interval = source.read(first || args.all, &mut system)?;
            lost += interval.lost;
            *errors.entry(source.config()).or_default() += interval.errors;
            source.report(&interval, common.quiet);
            rows.extend(source.rows(interval, &shape, args.top));
        }
        if let Some(builtins) = &mut builtins {
            rows.extend(builtins.rows(&errors, first || args.all, &shape));
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
fn load(
    args: &Args,
    configs: Vec<(Config, PathBuf)>,
    system: &mut System,
    sees_cgroups: bool,
) -> Result<Configs> {
    let (mut all, mut refused) = (Vec::new(), Vec::new());
    for (config, path) in configs {
        let name = config.name.clone();
        let by_ids = config.cgroup_ids.is_some();
        if by_ids && !sees_cgroups {
            let why = "cgroup_id_map: this kernel does not let programs see how cgroups come and go";
            refused.push((name, Refused::new(Exit::Unsupported, why)));
            continue;
        }
        let cgroups = if by_ids { system.cgroups().all() } else { Vec::new() };
        match object::load(config, &path, args.btf.as_ref(), system.symbols(), &cgroups)? {
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
        let checked: Vec<_> = loaded.iter().map(Loaded::checked).collect();
        check::print(&checked, refused, common.output)?;
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
        if !args.events && !one.config.spans.is_empty() {
            note(&format!("{}: its spans are not printed: --events prints them", one.config.name));
        }
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
