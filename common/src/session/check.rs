//! `--check`: which rung each hook took, which were rejected, and why.

use std::collections::BTreeMap;
use std::io::{self, Write};

use cli::attached;
use cli::exit::{Failure, Result};
use cli::notes::Note;
use cli::stderr::{self, note};
use serde::Serialize;

use super::capabilities::NeededCapability;
use crate::hooks::plan::{Plan, Planned};
use crate::options::Output;

/// The label of the line with the capabilities.
const NEEDS: &str = "capabilities";

#[derive(Serialize)]
struct Row<'a> {
    hook: &'a str,
    rung: Option<String>,
    /// The kinds of its programs.
    kind: Option<String>,
    /// How many programs it has.
    programs: usize,
    optional: bool,
    /// Why it has no rung, where that is a lack, as the note says with which a tool begins.
    skipped: Option<String>,
    /// What the rung cannot see. Users know it by this name.
    #[serde(rename = "bound")]
    limitation: Option<&'a str>,
    /// The better rungs. Users know them by this name.
    #[serde(rename = "passed")]
    rejected: Vec<Rejected<'a>>,
}

#[derive(Serialize)]
struct Rejected<'a> {
    rung: &'a str,
    reason: &'a str,
}

impl<'a> From<&'a Planned> for Row<'a> {
    fn from(hook: &'a Planned) -> Self {
        let rejected = hook.rejected.iter().map(|(rung, refusal)| Rejected { rung, reason: &refusal.reason });
        Self {
            hook: hook.hook,
            rung: hook.rung.clone(),
            kind: Some(hook.kinds()).filter(|kinds| !kinds.is_empty()),
            programs: hook.chosen.len(),
            optional: hook.optional,
            skipped: skipped(hook).map(|(_, reason)| reason.to_owned()),
            limitation: hook.limitation.map(|note| note.long),
            rejected: rejected.collect(),
        }
    }
}

/// Prints a row per hook, and the capabilities needed: JSON if asked for, else text.
pub fn print(plan: &Plan, needs: &[NeededCapability], output: Option<Output>) -> Result<()> {
    let mut out = io::stdout().lock();
    let written = write(&mut out, plan, output).and_then(|()| write_needs(&mut out, plan, needs, output));
    written.and_then(|()| out.flush()).map_err(Failure::stdout)
}

/// Prints on stderr what is attached: each hook's rung, and its programs.
pub fn print_attached(plan: &Plan) {
    for (hook, rung) in plan.hooks.iter().filter_map(|hook| Some((hook, hook.rung.as_ref()?))) {
        let programs: Vec<_> = hook.chosen.iter().map(|program| program.name.as_str()).collect();
        stderr::line(&format!("attached for {} by {rung}", hook.hook), &programs.join(" "));
    }
}

#[derive(Serialize)]
struct Attached<'a> {
    hook: &'a str,
    kind: String,
}

/// Tells who runs this tool, if it has asked, where it has attached: a line for each hook, and one that these were all. A
/// runner that does not read is not waited for.
pub fn tell_attached(plan: &Plan) {
    let Some(mut pipe) = attached::pipe() else { return };
    let lines = plan.hooks.iter().filter(|hook| !hook.chosen.is_empty()).map(|hook| {
        let attached = Attached { hook: hook.hook, kind: hook.kinds() };
        Ok(serde_json::to_string(&attached)? + "\n")
    });
    let told = lines.collect::<serde_json::Result<String>>();
    let _ = told.map(|lines| pipe.write_all(format!("{lines}{}\n", attached::ALL).as_bytes()));
}

/// The width of the first column.
fn width(plan: &Plan) -> usize {
    plan.hooks.iter().map(|hook| hook.hook.len()).fold(NEEDS.len(), usize::max)
}

fn write(out: &mut impl Write, plan: &Plan, output: Option<Output>) -> io::Result<()> {
    let width = width(plan);
    for row in plan.hooks.iter().map(Row::from) {
        if output == Some(Output::Json) {
            writeln!(out, "{}", serde_json::to_string(&row)?)?;
            continue;
        }
        let none = if row.optional { "none (optional)" } else { "none" };
        writeln!(out, "{:width$}  {}", row.hook, row.rung.as_deref().unwrap_or(none))?;
        if let Some(limitation) = row.limitation {
            writeln!(out, "{:width$}    bound: {limitation}", "")?;
        }
        for rejected in row.rejected {
            writeln!(out, "{:width$}    rejected {}: {}", "", rejected.rung, rejected.reason)?;
        }
    }
    Ok(())
}

/// The capabilities needed: a row for each, in text one line and the reasons for some.
fn write_needs(
    out: &mut impl Write,
    plan: &Plan,
    needs: &[NeededCapability],
    output: Option<Output>,
) -> io::Result<()> {
    if output == Some(Output::Json) {
        return needs.iter().try_for_each(|need| writeln!(out, "{}", serde_json::to_string(need)?));
    }
    if needs.is_empty() {
        return Ok(());
    }
    let width = width(plan);
    let names: Vec<_> = needs.iter().map(|need| need.capability.as_str()).collect();
    writeln!(out, "{NEEDS:width$}  {}", names.join(" "))?;
    for (index, need) in needs.iter().enumerate() {
        let missing = if need.missing { " (missing)" } else { "" };
        // Every tool needs the first two.
        if index >= 2 || need.missing {
            writeln!(out, "{:width$}    {}{missing}: {}", "", need.capability, need.reason)?;
        }
    }
    Ok(())
}

/// Prints once what the rungs chosen cannot see, and which optional hooks are missing.
pub fn warn_of_limitations(plan: &Plan) {
    let mut limitations: BTreeMap<u16, &Note> = BTreeMap::new();
    for hook in &plan.hooks {
        if let Some(limitation) = hook.limitation {
            limitations.insert(limitation.number, limitation);
        }
        if let Some((rung, reason)) = skipped(hook) {
            note(&format!("skips optional hook {}: {rung}: {reason}", hook.hook));
        }
    }
    for limitation in limitations.into_values() {
        stderr::numbered_note(limitation);
    }
}

/// Which rung of a hook without one was tried, and why it was rejected; none if the absence of all means nothing.
fn skipped(hook: &Planned) -> Option<(&str, &str)> {
    // The reason of the best rung: the rungs after it are fallbacks, mostly for other kernels.
    let first = hook.rejected.iter().find(|(_, refusal)| refusal.was_tried());
    let lacks = hook.chosen.is_empty() && !hook.absent_is_fine;
    first.filter(|_| lacks).map(|(rung, refusal)| (rung.as_str(), refusal.reason.as_str()))
}

/// The failure of a tool without a hook that it needs. The reason is that of the last rung that was
/// tried, preferably one that was not permitted: what can be remedied comes first.
pub fn failure(missing: &Planned) -> Failure {
    let tried: Vec<_> = missing.rejected.iter().filter(|(_, refusal)| refusal.was_tried()).collect();
    let rungs: Vec<_> = tried.iter().map(|(rung, _)| rung.as_str()).collect();
    let forbidden = tried.iter().rfind(|(_, refusal)| refusal.not_permitted);
    let reason = forbidden.or(tried.last()).map_or("no rung", |(_, refusal)| refusal.reason.as_str());
    let message =
        format!("cannot see {}: tried {}: {reason} (--check shows more)", missing.hook, rungs.join(", "));
    match forbidden {
        Some(_) => Failure::not_permitted(message),
        None => Failure::unsupported(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::plan::describe;
    use crate::hooks::{Program, Refusal};
    use cli::exit::Exit;

    fn planned(chosen: Vec<Program>, refusal: Refusal) -> Planned {
        Planned {
            hook: "reads",
            rung: (!chosen.is_empty()).then(|| describe(&chosen, "")),
            chosen,
            limitation: Some(&cli::notes::SYSCALLS),
            rejected: vec![("fentry:vfs_read".to_string(), refusal)],
            optional: false,
            absent_is_fine: false,
        }
    }

    #[test]
    fn the_text_names_rung_bound_and_reason() {
        let program = Program::from_section("p", "kprobe/vfs_read").unwrap();
        let plan = Plan { hooks: vec![planned(vec![program], Refusal::missing("not in this kernel"))] };
        let mut text = Vec::new();
        write(&mut text, &plan, None).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "reads         kprobe:vfs_read\n                bound: only calls of 64-bit programs\n                \
             rejected fentry:vfs_read: not in this kernel\n"
        );
        let need = |capability: &str, missing| NeededCapability {
            capability: capability.to_string(),
            reason: "it".to_string(),
            missing,
        };
        let mut text = Vec::new();
        let needs = [need("CAP_BPF", false), need("CAP_PERFMON", true), need("CAP_SYS_ADMIN", false)];
        write_needs(&mut text, &plan, &needs, None).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "capabilities  CAP_BPF CAP_PERFMON CAP_SYS_ADMIN\n                CAP_PERFMON (missing): it\n                \
             CAP_SYS_ADMIN: it\n"
        );
    }

    /// The names are documented in `--help` and docs/permissions.md.
    #[test]
    fn json_keeps_the_names_that_users_know() {
        let plan = Plan { hooks: vec![planned(vec![], Refusal::missing("not in this kernel"))] };
        let mut text = Vec::new();
        write(&mut text, &plan, Some(Output::Json)).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "{\"hook\":\"reads\",\"rung\":null,\"kind\":null,\"programs\":0,\"optional\":false,\"skipped\":\"not in this kernel\",\"bound\":\"only calls of 64-bit programs\",\
             \"passed\":[{\"rung\":\"fentry:vfs_read\",\"reason\":\"not in this kernel\"}]}\n"
        );
    }

    #[test]
    fn a_missing_right_is_distinguished_from_a_missing_function() {
        assert_eq!(failure(&planned(vec![], Refusal::missing("x"))).exit, Exit::Unsupported);
        assert_eq!(failure(&planned(vec![], Refusal::not_permitted("x"))).exit, Exit::NotPermitted);
    }
}
