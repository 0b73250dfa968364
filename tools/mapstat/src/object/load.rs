//! Loads and attaches.

use std::fs::File;
use std::path::{Path, PathBuf};

use cli::exit::{Exit, Result};
use cli::shortage::Shortage;
use common::bpf::globals::set_variable;
use common::session::{descriptors, libbpf_log, stranger};
use libbpf_rs::{MapCore, ObjectBuilder, OpenObject};

use super::refusal::{not_attached, refusal};
use super::{Attached, Loaded, Outcome, Refused};
use crate::config::{Config, shown};
use crate::id_map::IdMap;
use crate::maps::{self, Sizes};
use crate::section::Section;
use crate::symbols::Symbols;

/// Descriptors of a program, and of its link and event on each processor.
const EACH: usize = 3;

/// Loads and attaches a config's object.
///
/// # Errors
/// When it cannot be used at all: there is no such file or map, or the kernel does not load it. What has run out ends the
/// tool.
pub fn load(
    mut config: Config,
    path: &Path,
    btf: Option<&PathBuf>,
    symbols: &mut Symbols,
    cgroups: &[(u64, String)],
) -> Result<std::result::Result<Loaded, Refused>> {
    libbpf_log::clear();
    let opened = readable(path)
        .and_then(|()| stranger::open(path, btf.map(PathBuf::as_path)).map_err(no_object(path)));
    let mut opened = match opened {
        Ok(opened) => opened,
        Err(refused) => return Ok(Err(refused)),
    };
    let (object, targets) = opened.parts();
    if let Err(refused) = set_addresses(object, &config, symbols) {
        return Ok(Err(refused));
    }
    let count = object.progs().count();
    descriptors::reserve(descriptors::PLANNING + object.maps().count() + count * EACH)?;
    let (mut sections, mut programs) = (Vec::new(), Vec::new());
    for mut program in object.progs_mut() {
        let (name, section) = (text(program.name()), text(program.section()));
        let parsed = Section::parse(&section);
        if let Ok(section) = &parsed {
            section.prepare(&mut program);
        }
        let outcome = match &parsed {
            _ if !program.autoload() => Outcome::Off,
            Err(why) => Outcome::Not(why.clone(), false),
            Ok(_) if !targets.exist(&section) || targets.resolve(&mut program).is_err() => {
                Outcome::Not("its target is not in this kernel".to_owned(), false)
            }
            Ok(_) => Outcome::Attached,
        };
        program.set_autoload(outcome == Outcome::Attached);
        sections.push(parsed.unwrap_or(Section::Other));
        programs.push(Attached { name, section, outcome });
    }
    let object = match opened.load() {
        Ok(object) => object,
        Err(error) => return refusal(&programs, &error).map(Err),
    };
    let mut kinds = Vec::new();
    let file = config.file.clone();
    let wrong = |at, why: String| Refused::new(Exit::Usage, format!("{}: {why}", shown(&file, at)));
    for metric in &mut config.metrics {
        let Some(map) = object.maps().find(|map| map.name() == metric.name.as_str()) else {
            return Ok(Err(Refused::no_map(path, &metric.name)));
        };
        if metric.is_samples {
            kinds.push(None);
            continue;
        }
        match maps::bind(Sizes::of(&map), metric) {
            Ok(kind) => kinds.push(Some(kind)),
            Err(why) => return Ok(Err(wrong(metric.at, why))),
        }
    }
    for span in &config.spans {
        let Some(map) = object.maps().find(|map| map.name() == span.ring.as_str()) else {
            return Ok(Err(Refused::no_map(path, &span.ring)));
        };
        if let Err(why) = maps::bind_ring(Sizes::of(&map), &span.ring) {
            return Ok(Err(wrong(span.at, why)));
        }
    }
    // Before programs ask.
    let known = config.cgroup_ids.as_ref().map(|ids| IdMap::with(&object, &config.name, ids, cgroups, true));
    let known = match known.transpose() {
        Ok(known) => known.map(|known| known.len()),
        Err(why) => return Ok(Err(Refused::new(Exit::Usage, why))),
    };
    let mut links = Vec::new();
    for (program, (attached, section)) in object.progs_mut().zip(programs.iter_mut().zip(&sections)) {
        if attached.outcome != Outcome::Attached {
            continue;
        }
        libbpf_log::clear();
        match section.attach(&program) {
            Ok(more) => links.extend(more),
            Err(error) => attached.outcome = not_attached(attached, section, &error)?,
        }
    }
    Ok(Ok(Loaded { config, kinds, programs, cgroups: known, links, object }))
}

/// Opens an object that is not to be loaded.
///
/// # Errors
/// Why it is none.
pub fn open(path: &Path) -> std::result::Result<OpenObject, Refused> {
    readable(path)?;
    ObjectBuilder::default().open_file(path).map_err(no_object(path))
}

fn readable(path: &Path) -> std::result::Result<(), Refused> {
    File::open(path).map(drop).map_err(|error| {
        let exit = if Shortage::of(&error).is_some() { Exit::Failed } else { Exit::Usage };
        Refused::new(exit, format!("cannot read its object {}: {error}", path.display()))
    })
}

/// Why libbpf does not open it.
fn no_object(path: &Path) -> impl Fn(libbpf_rs::Error) -> Refused {
    move |error| {
        let said = libbpf_log::captured();
        let last = said.lines().last().map(|line| line.trim_start_matches("libbpf: ")).unwrap_or_default();
        Refused::new(Exit::Usage, format!("{} is no BPF object: {error:#}: {last}", path.display()))
    }
}

/// Gives the programs the addresses of kernel symbols that they ask for.
fn set_addresses(
    object: &mut OpenObject,
    config: &Config,
    symbols: &mut Symbols,
) -> std::result::Result<(), Refused> {
    if config.kaddrs.is_empty() {
        return Ok(());
    }
    if symbols.are_hidden() {
        let why = "kaddrs: the kernel hides addresses (/proc/kallsyms): needs CAP_SYSLOG, or sysctl kernel.kptr_restrict=0";
        return Err(Refused::new(Exit::NotPermitted, why));
    }
    for (symbol, address) in symbols.addresses(&config.kaddrs) {
        let Some(address) = address else {
            return Err(Refused::new(
                Exit::Unsupported,
                format!("kaddrs: this kernel has no symbol {symbol}"),
            ));
        };
        set_variable(object, &format!("kaddr_{symbol}"), &address.to_ne_bytes())
            .map_err(|failure| Refused::new(Exit::Usage, failure.message))?;
    }
    Ok(())
}

/// A name of an object.
pub fn text(name: &std::ffi::OsStr) -> String {
    name.to_string_lossy().into_owned()
}
