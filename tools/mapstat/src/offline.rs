//! `--check --kernel`: what of the configs another kernel has, by its types and the names of its symbols. Nothing is loaded.

use std::path::{Path, PathBuf};

use cli::exit::{Exit, Failure, Result};
use common::hooks::{Kernel, Kind, Program};
use common::kernel::offline::Offline;
use common::session::libbpf_log;

use crate::Args;
use crate::check::{self, Checked};
use crate::config::{Config, shown};
use crate::maps::{self, Sizes};
use crate::object::{Attached, Outcome, Refused, none_left, open, text};
use crate::section::Section;

/// Whether a kernel has probes of many functions at once: its types have this one where it was built with them
/// (CONFIG_FPROBE).
const MULTI: &str = "bpf_kprobe_multi_link";
/// A variable that every kernel has: in its list of symbols, if that has variables.
const VARIABLE: &str = "__tracepoint_sched_switch";
/// How the functions of system calls begin, by architecture.
const CALLS: [&str; 3] = ["__x64_sys_", "__arm64_sys_", "__se_sys_"];

/// A config that can be used, as far as that can be told.
struct Opened {
    config: Config,
    programs: Vec<Attached>,
    maps: Vec<Sizes>,
    rings: Vec<Sizes>,
}

/// Prints what each config finds in the kernel of this folder.
///
/// # Errors
/// Status 2 for what is no config, object or folder, 3 if a program has no target there.
pub fn check(args: &Args, configs: Vec<(Config, PathBuf)>, folder: &Path) -> Result<()> {
    libbpf_log::capture(args.common.verbose);
    let kernel = Offline::read(folder)?;
    let (mut all, mut refused) = (Vec::new(), Vec::new());
    for (config, path) in configs {
        let name = config.name.clone();
        match opened(&kernel, config, &path) {
            Ok(one) => all.push(one),
            Err(why) => refused.push((name, why)),
        }
    }
    let checked = all.iter().map(|Opened { config, programs, maps, rings }| {
        let metrics = config.metrics.iter().zip(maps.iter().copied()).collect();
        let spans = config.spans.iter().zip(rings.iter().copied()).collect();
        Checked { config, programs, metrics, spans, cgroups: None }
    });
    check::print(&checked.collect::<Vec<_>>(), &refused, args.common.output)?;
    if !refused.is_empty() {
        return Err(none_left(&refused));
    }
    let programs = all.iter().flat_map(|one| one.programs.iter().map(|program| (&one.config.name, program)));
    let missing = programs.filter_map(|(config, program)| match &program.outcome {
        Outcome::Not(why, _) => Some(format!("{config}: program {}: {why}", program.name)),
        _ => None,
    });
    Err(missing.into_iter().next().map_or_else(Failure::none, Failure::unsupported))
}

fn opened(kernel: &Offline, mut config: Config, path: &Path) -> std::result::Result<Opened, Refused> {
    let object = open(path)?;
    if let Some(symbol) = config.kaddrs.iter().find(|symbol| !kernel.has_symbol(symbol)) {
        return Err(Refused::new(Exit::Unsupported, format!("kaddrs: that kernel has no symbol {symbol}")));
    }
    let programs = object.progs().map(|program| {
        let (name, section) = (text(program.name()), text(program.section()));
        let outcome = if program.autoload() { outcome(kernel, &name, &section) } else { Outcome::Off };
        Attached { name, section, outcome }
    });
    let programs = programs.collect();
    let file = config.file.clone();
    let wrong = |at, why: String| Refused::new(Exit::Usage, format!("{}: {why}", shown(&file, at)));
    let mut maps = Vec::new();
    for metric in &mut config.metrics {
        let Some(map) = object.maps().find(|map| map.name() == metric.name.as_str()) else {
            return Err(Refused::no_map(path, &metric.name));
        };
        let sizes = Sizes::declared(&map);
        if !metric.is_samples {
            maps::bind(sizes, metric).map_err(|why| wrong(metric.at, why))?;
        }
        maps.push(sizes);
    }
    let mut rings = Vec::new();
    for span in &config.spans {
        let map = object.maps().find(|map| map.name() == span.ring.as_str());
        let map = map.ok_or_else(|| Refused::no_map(path, &span.ring))?;
        let sizes = Sizes::declared(&map);
        maps::bind_ring(sizes, &span.ring).map_err(|why| wrong(span.at, why))?;
        rings.push(sizes);
    }
    Ok(Opened { config, programs, maps, rings })
}

/// Whether a program of this section has its target in that kernel.
fn outcome(kernel: &Offline, name: &str, section: &str) -> Outcome {
    match Section::parse(section) {
        Err(why) => return Outcome::Not(why, false),
        Ok(Section::Mark) => return Outcome::Attached,
        Ok(Section::Xdp(_)) => return Outcome::Unknown("whether there is such a device"),
        Ok(Section::PerfEvent(..)) => return Outcome::Unknown("whether that machine has such an event"),
        Ok(Section::Other) => {}
    }
    let missing = || Outcome::Not("not in that kernel".to_owned(), false);
    let found = |has: bool| if has { Outcome::Attached } else { missing() };
    let Some((prefix, target)) = section.split_once('/') else {
        return Outcome::Unknown("it has no target in its section");
    };
    // A function of a module may have the module's name before it, a probe an offset behind it.
    let function = target.rsplit(':').next().unwrap_or(target).split('+').next().unwrap_or(target);
    let has = |kind, target: &str| {
        let program = Program { name: name.to_owned(), kind, target: target.to_owned() };
        found(kernel.can_attach(&program).is_ok())
    };
    match prefix.trim_end_matches(".s").trim_end_matches(".w") {
        "tp_btf" => has(Kind::Btf, target),
        "fentry" | "fexit" | "fmod_ret" => has(Kind::Fentry, function),
        "iter" => has(Kind::Iter, target),
        "lsm" => has(Kind::Kprobe, &format!("bpf_lsm_{target}")),
        "kprobe" | "kretprobe" => has(Kind::Kprobe, function),
        "raw_tp" | "raw_tracepoint" => has(Kind::Btf, target),
        "tp" | "tracepoint" => match (has(Kind::Tracepoint, target), target.split_once('/')) {
            (Outcome::Attached, _) => Outcome::Attached,
            // Its types name it, too, but not those of system calls.
            (_, Some((family, event))) if family != "syscalls" => has(Kind::Btf, event),
            (_, Some(_)) if !kernel.has_symbol(VARIABLE) => {
                Outcome::Unknown("its list of symbols is without variables (CONFIG_KALLSYMS_ALL)")
            }
            (missing, _) => missing,
        },
        "ksyscall" | "kretsyscall" => {
            found(CALLS.iter().any(|before| kernel.has_symbol(&format!("{before}{target}"))))
        }
        "kprobe.multi" | "kretprobe.multi" if !kernel.has_name(MULTI) => missing(),
        "kprobe.multi" | "kretprobe.multi" if target.contains(['*', '?']) => {
            Outcome::Unknown("which functions its pattern matches")
        }
        "kprobe.multi" | "kretprobe.multi" => has(Kind::Kprobe, function),
        "uprobe" | "uretprobe" | "uprobe.multi" | "uretprobe.multi" | "usdt" => {
            Outcome::Unknown("whether that machine has the file")
        }
        _ => Outcome::Unknown("what it attaches to"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_has_its_target_in_types_and_symbols() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("vmlinux"),
            b"\0btf_trace_sched_switch\0btf_trace_timer_start\0vfs_read\0bpf_iter_task\0",
        )
        .unwrap();
        let symbols =
            "vfs_read\nbpf_lsm_file_open\nevent_enter__openat\n__x64_sys_mkdir\next4_sync_file\t[ext4]";
        std::fs::write(folder.path().join("symbols"), symbols).unwrap();
        let kernel = Offline::read(folder.path()).unwrap();
        for section in [
            "tp_btf/sched_switch",
            "fentry/vfs_read",
            "fexit.s/vfs_read",
            "kprobe/vfs_read+0x8",
            "kretprobe/ext4_sync_file",
            "raw_tp/timer_start",
            "raw_tracepoint.w/timer_start",
            "tp/timer/timer_start",
            "tp/syscalls/sys_enter_openat",
            "ksyscall/mkdir",
            "lsm/file_open",
            "iter/task",
            "uprobe//proc/self/exe:post_attach_mark",
        ] {
            assert_eq!(outcome(&kernel, "p", section), Outcome::Attached, "{section}");
        }
        for section in [
            "tp_btf/none",
            "fentry/ext4_sync_file",
            "kprobe/none",
            "raw_tp/none",
            "ksyscall/none",
            "kprobe.multi/vfs_read",
            "perf_event/x",
        ] {
            assert!(matches!(outcome(&kernel, "p", section), Outcome::Not(..)), "{section}");
        }
        for section in [
            "tp/syscalls/sys_enter_none",
            "xdp/lo",
            "perf_event/type=1,frequency=9",
            "uprobe//bin/x:y",
            "usdt/x:y:z",
            "tc",
            "socket",
        ] {
            assert!(matches!(outcome(&kernel, "p", section), Outcome::Unknown(_)), "{section}");
        }
    }
}
