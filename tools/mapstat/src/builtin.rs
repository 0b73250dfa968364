//! `--self`: the metrics that ebpf_exporter has of itself: its configs and their programs.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use cli::exit::{Failure, Result};
use common::session::prog_stats::info;
use libbpf_rs::Object;

use crate::config::{Config, Form, Metric};
use crate::decode::Label;
use crate::object::{Loaded, Outcome};
use crate::row::{Series, Shape};
use crate::state::{Labels, Values};

/// What stands in the records' field `config`.
const NAME: &str = "mapstat";

/// The metrics, in the order of their constants.
const METRICS: [(&str, &str, Form, &[&str]); 6] = [
    ("enabled_configs", "The set of enabled configs", Form::Gauge, &["name"]),
    ("ebpf_program_info", "Info about ebpf programs", Form::Gauge, &["config", "id", "program", "tag"]),
    ("ebpf_program_attached", "Whether a program is attached", Form::Gauge, &["id"]),
    (
        "ebpf_program_run_time_seconds",
        "How long has the program been executing, where the kernel counts it",
        Form::Counter,
        &["id"],
    ),
    (
        "ebpf_program_run_count_total",
        "How many times has the program been executed, where the kernel counts it",
        Form::Counter,
        &["id"],
    ),
    ("decoder_errors_total", "Keys that could not be decoded", Form::Counter, &["config"]),
];
const CONFIGS: usize = 0;
const INFO: usize = 1;
const ATTACHED: usize = 2;
const RUN_TIME: usize = 3;
const RUN_COUNT: usize = 4;
const ERRORS: usize = 5;

/// What is known of a loaded program.
struct Program {
    config: String,
    name: String,
    attached: bool,
    fd: OwnedFd,
    /// Its time and runs at the last look.
    before: (u64, u64),
}

/// The metrics of this process.
pub struct Builtins {
    config: Config,
    configs: Vec<String>,
    programs: Vec<Program>,
    explained: bool,
}

/// The metrics, as if a config had them.
pub fn config() -> Config {
    let metric = |(name, help, form, labels): &(&str, &str, Form, &[&str])| {
        let label = |name: &&str| Label {
            name: (*name).to_owned(),
            size: 0,
            padding: 0,
            decoders: Vec::new(),
            is_processor: false,
        };
        Metric {
            name: (*name).to_owned(),
            help: (*help).to_owned(),
            form: form.clone(),
            labels: labels.iter().map(label).collect(),
            is_samples: false,
            at: None,
        }
    };
    let metrics = METRICS.iter().map(metric).collect();
    Config {
        name: NAME.to_owned(),
        metrics,
        spans: Vec::new(),
        kaddrs: Vec::new(),
        cgroup_ids: None,
        notes: Vec::new(),
        file: NAME.to_owned(),
    }
}

impl Builtins {
    /// Of these configs at work.
    ///
    /// # Errors
    /// When there are no more descriptors.
    pub fn of(loaded: &[Loaded]) -> Result<Self> {
        let mut programs = Vec::new();
        for one in loaded {
            for (program, known) in Object::progs_mut(&one.object).zip(&one.programs) {
                if !program.autoload() {
                    continue;
                }
                let fd = program.as_fd().try_clone_to_owned();
                let fd = fd.map_err(|error| Failure::failed(format!("cannot keep a descriptor: {error}")))?;
                let (config, name) = (one.config.name.clone(), known.name.clone());
                let attached = known.outcome == Outcome::Attached;
                programs.push(Program { config, name, attached, fd, before: (0, 0) });
            }
        }
        let configs = loaded.iter().map(|one| one.config.name.clone()).collect();
        Ok(Self { config: config(), configs, programs, explained: false })
    }

    /// The records of an interval, in which so many keys of each config could not be decoded. With `idle` those, too, of
    /// which nothing came.
    pub fn rows(&mut self, errors: &HashMap<&str, u64>, idle: bool, shape: &Shape) -> Vec<Series> {
        let mut all: Vec<(usize, Vec<String>, Values)> = Vec::new();
        let level = |level: bool| Values::Level(u128::from(level));
        for name in &self.configs {
            all.push((CONFIGS, vec![name.clone()], level(true)));
            let count = errors.get(name.as_str()).copied().unwrap_or(0);
            if idle || count > 0 {
                all.push((ERRORS, vec![name.clone()], Values::Counted(count.into())));
            }
        }
        for program in &mut self.programs {
            let Some(info) = info(program.fd.as_fd()) else { continue };
            let id = info.id.to_string();
            let tag: String = info.tag.iter().map(|byte| format!("{byte:02x}")).collect();
            let labels = vec![program.config.clone(), id.clone(), program.name.clone(), tag];
            all.push((INFO, labels, level(true)));
            all.push((ATTACHED, vec![id.clone()], level(program.attached)));
            let now = (info.run_time_ns, info.run_cnt);
            let (ns, runs) = (now.0.wrapping_sub(program.before.0), now.1.wrapping_sub(program.before.1));
            program.before = now;
            if runs > 0 {
                all.push((RUN_TIME, vec![id.clone()], Values::Seconds(ns as f64 / 1e9)));
                all.push((RUN_COUNT, vec![id], Values::Counted(runs.into())));
            }
        }
        all.sort_by_key(|(metric, ..)| *metric);
        let explain = !std::mem::replace(&mut self.explained, true);
        let mut last = None;
        let rows = all.into_iter().map(|(at, labels, values)| {
            let is_first = explain && last.replace(at) != Some(at);
            let labels: Labels = Rc::from(labels);
            shape.series(&self.config.name, &self.config.metrics[at], &labels, &values, is_first)
        });
        rows.collect()
    }
}
