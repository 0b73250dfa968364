//! A config's BPF object: opened, loaded, and attached as its sections ask for. What cannot be attached is told, and does not
//! keep the rest from it.

use std::path::{Path, PathBuf};

use cli::exit::{Exit, Failure, Result};
use cli::shortage::Shortage;
use common::bpf::globals::set_variable;
use common::hooks::Program;
use common::kernel::diagnosis::{Diagnosis, Step, diagnose};
use common::kernel::restrictions::Restrictions;
use common::session::{descriptors, libbpf_log};
use libbpf_rs::{Link, MapCore, Object, ObjectBuilder, OpenObject};

use crate::config::Config;
use crate::maps::{self, Kind};
use crate::section::Section;
use crate::symbols::Symbols;
use crate::target::Targets;

/// Descriptors of a program, and of its link and event on each processor.
const EACH: usize = 3;

/// A config at work.
pub struct Loaded {
    /// The config.
    pub config: Config,
    /// For each of its metrics what its map is; none for those of samples.
    pub kinds: Vec<Option<Kind>>,
    /// The programs, as attached or not.
    pub programs: Vec<Attached>,
    /// What holds them.
    pub links: Vec<Link>,
    /// The maps.
    pub object: Object,
}

/// What became of a program.
pub struct Attached {
    /// Its name.
    pub name: String,
    /// Its section.
    pub section: String,
    /// Whether it is attached, and if not, why.
    pub outcome: Outcome,
}

/// Whether a program is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is.
    Attached,
    /// It is off by its section (`?`).
    Off,
    /// It is not, and why; whether a right is missing.
    Not(String, bool),
}

impl Loaded {
    /// The first program that is not attached, and why.
    pub fn first_failure(&self) -> Option<(&str, &str, bool)> {
        self.programs.iter().find_map(|program| match &program.outcome {
            Outcome::Not(why, permission) => Some((program.name.as_str(), why.as_str(), *permission)),
            _ => None,
        })
    }

    /// Whether any program is attached.
    pub fn works(&self) -> bool {
        self.programs.iter().any(|program| program.outcome == Outcome::Attached)
    }
}

/// Why a config cannot be used at all.
pub struct Refused {
    /// The exit status, if no config is left.
    pub exit: Exit,
    /// The reason, on one line.
    pub why: String,
}

impl Refused {
    fn new(exit: Exit, why: impl Into<String>) -> Self {
        Self { exit, why: why.into() }
    }
}

/// Loads and attaches a config's object.
///
/// # Errors
/// When it cannot be used at all: there is no such file or map, or the kernel does not load it. What has run out ends the
/// tool.
pub fn load(
    mut config: Config,
    path: &Path,
    btf: Option<&PathBuf>,
    targets: &Targets,
    symbols: &mut Symbols,
) -> Result<std::result::Result<Loaded, Refused>> {
    libbpf_log::clear();
    let mut object = match open(path, btf) {
        Ok(object) => object,
        Err(refused) => return Ok(Err(refused)),
    };
    if let Err(refused) = set_addresses(&mut object, &config, symbols) {
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
            Ok(_) if !targets.exist(&section) => {
                Outcome::Not("its target is not in this kernel".to_owned(), false)
            }
            Ok(_) => Outcome::Attached,
        };
        program.set_autoload(outcome == Outcome::Attached);
        sections.push(parsed.unwrap_or(Section::Other));
        programs.push(Attached { name, section, outcome });
    }
    let object = match object.load() {
        Ok(object) => object,
        Err(error) => return refusal(&programs, &error).map(Err),
    };
    let mut kinds = Vec::new();
    for metric in &mut config.metrics {
        let Some(map) = object.maps().find(|map| map.name() == metric.name.as_str()) else {
            return Ok(Err(Refused::new(
                Exit::Usage,
                format!("{} has no map {}", path.display(), metric.name),
            )));
        };
        if metric.is_samples {
            kinds.push(None);
            continue;
        }
        match maps::bind(&map, metric) {
            Ok(kind) => kinds.push(Some(kind)),
            Err(why) => return Ok(Err(Refused::new(Exit::Usage, why))),
        }
    }
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
    Ok(Ok(Loaded { config, kinds, programs, links, object }))
}

fn open(path: &Path, btf: Option<&PathBuf>) -> std::result::Result<OpenObject, Refused> {
    if let Err(error) = std::fs::File::open(path) {
        let exit = if Shortage::of(&error).is_some() { Exit::Failed } else { Exit::Usage };
        return Err(Refused::new(exit, format!("cannot read its object {}: {error}", path.display())));
    }
    let mut builder = ObjectBuilder::default();
    let opened = match btf {
        None => builder.open_file(path),
        Some(btf) => builder.btf_custom_path(btf).and_then(|builder| builder.open_file(path)),
    };
    opened.map_err(|error| {
        let said = libbpf_log::captured();
        let last = said.lines().last().map(|line| line.trim_start_matches("libbpf: ")).unwrap_or_default();
        Refused::new(Exit::Usage, format!("{} is no BPF object: {error:#}: {last}", path.display()))
    })
}

/// Gives the programs the addresses of kernel symbols that they ask for.
fn set_addresses(
    object: &mut OpenObject,
    config: &Config,
    symbols: &mut Symbols,
) -> std::result::Result<(), Refused> {
    for symbol in &config.kaddrs {
        if symbols.are_hidden() {
            let why = "kaddrs: the kernel hides addresses (/proc/kallsyms): needs CAP_SYSLOG, or sysctl kernel.kptr_restrict=0";
            return Err(Refused::new(Exit::NotPermitted, why));
        }
        let Some(address) = symbols.address(symbol) else {
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

fn text(name: &std::ffi::OsStr) -> String {
    name.to_string_lossy().into_owned()
}

/// Why a program was not attached.
fn not_attached(program: &Attached, section: &Section, error: &libbpf_rs::Error) -> Result<Outcome> {
    let error = format!("{error:#}");
    if let Some(shortage) = Shortage::in_text(&error).filter(|_| error.contains("os error 24")) {
        return Err(shortage.failure("cannot attach the BPF programs", error));
    }
    let kind = Program::from_section(&program.name, &program.section).map(|program| program.kind);
    let denied = error.contains("os error 1)") || error.contains("os error 13)");
    if let Some(found) =
        diagnose(Step::Attach(kind), denied, &libbpf_log::captured(), &Restrictions::gather())
    {
        return Ok(Outcome::Not(found.reason, found.exit == Exit::NotPermitted));
    }
    let why = match section {
        Section::PerfEvent(..) if error.contains("os error 2)") => {
            "no such event here (no hardware counters?)".to_owned()
        }
        Section::Xdp(device) if error.contains("os error 19)") => {
            format!("there is no network device {device}")
        }
        _ => explained(&libbpf_log::captured(), &error),
    };
    Ok(Outcome::Not(why, denied))
}

/// Why the kernel did not load an object.
fn refusal(programs: &[Attached], error: &libbpf_rs::Error) -> Result<Refused> {
    let (error, denied) = (format!("{error:#}"), error.kind() == libbpf_rs::ErrorKind::PermissionDenied);
    if let Some(shortage) = Shortage::in_text(&error) {
        return Err(shortage.failure("cannot load the BPF programs", error));
    }
    let log = libbpf_log::captured();
    let name = libbpf_log::not_loaded(&log).next();
    let program = programs.iter().find(|program| Some(program.name.as_str()) == name);
    let kind = program.and_then(|one| Program::from_section(&one.name, &one.section)).map(|one| one.kind);
    let of_program =
        program.map_or_else(String::new, |one| format!("program {} ({}): ", one.name, one.section));
    Ok(match diagnose(Step::Load(kind), denied, &log, &Restrictions::gather()) {
        Some(Diagnosis { exit, reason, .. }) => Refused::new(exit, format!("{of_program}{reason}")),
        None => Refused::new(
            Exit::Unsupported,
            format!("{of_program}this kernel does not load it: {} (-v shows all)", explained(&log, &error)),
        ),
    })
}

/// The line of libbpf's log that says most of why something failed.
fn explained(log: &str, error: &str) -> String {
    const TELLING: [&str; 7] = [
        "failed to resolve CO-RE relocation",
        "failed to find kernel BTF type ID of",
        "failed to create",
        "failed to determine tracepoint",
        "failed to find",
        "failed to resolve",
        "failed to create ",
    ];
    let told = TELLING.iter().find_map(|words| log.lines().find(|line| line.contains(words)));
    // The verifier's last word, before what it counted.
    let verifier = || {
        log.lines()
            .take_while(|line| !line.starts_with("processed "))
            .filter(|line| !line.trim().is_empty())
            .last()
    };
    let has_verifier = log.contains("BEGIN PROG LOAD LOG");
    let line = told
        .or_else(|| has_verifier.then(verifier).flatten())
        .or_else(|| log.lines().rfind(|line| !line.trim().is_empty()));
    let line = line.map(|line| line.trim().trim_start_matches("libbpf: ")).unwrap_or(error);
    cli::text::visible(line).into_owned()
}

/// The failure of a tool of which no config is left.
pub fn none_left(refused: &[(String, Refused)]) -> Failure {
    let [(name, first), rest @ ..] = refused else { return Failure::failed("there is no config") };
    let more = if rest.is_empty() { String::new() } else { format!(" (and {} more)", rest.len()) };
    // What can be remedied comes first.
    let exit = refused
        .iter()
        .find(|(_, one)| one.exit == Exit::NotPermitted)
        .map_or(first.exit, |_| Exit::NotPermitted);
    Failure::new(exit, format!("{name}: {}{more}", first.why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_says_most_is_found() {
        let core = "libbpf: prog 'a': BPF program load failed: EINVAL\n0: R1=ctx()\n; x\n<invalid CO-RE relocation>\n\
                    failed to resolve CO-RE relocation <byte_off> [5] struct x.y (0:1 @ offset 8)\nprocessed 5 insns\n";
        assert!(explained(core, "e").starts_with("failed to resolve CO-RE"));
        let verifier = "libbpf: prog 'a': -- BEGIN PROG LOAD LOG --\n0: (85) call x\nR1 invalid mem access 'inv'\nprocessed 1 insns\n-- END PROG LOAD LOG --\n";
        assert_eq!(explained(verifier, "e"), "R1 invalid mem access 'inv'");
        assert_eq!(explained("libbpf: a\nlibbpf: prog 'x': no\n", "e"), "prog 'x': no");
        assert_eq!(explained("", "e"), "e");
    }
}
