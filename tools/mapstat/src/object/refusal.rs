//! Why an object is not loaded, or a program not attached, in words.

use cli::exit::{Exit, Failure, Result};
use cli::shortage::Shortage;
use common::hooks::Program;
use common::kernel::diagnosis::{Diagnosis, Step, diagnose};
use common::kernel::restrictions::Restrictions;
use common::session::libbpf_log;

use super::{Attached, Outcome, Refused};
use crate::section::Section;

/// Why a program was not attached.
pub(super) fn not_attached(
    program: &Attached,
    section: &Section,
    error: &libbpf_rs::Error,
) -> Result<Outcome> {
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
pub(super) fn refusal(programs: &[Attached], error: &libbpf_rs::Error) -> Result<Refused> {
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
