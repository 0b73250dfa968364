//! mapstat: what do your own BPF programs count?

mod builtin;
mod check;
mod events;
mod feed;
mod id_map;
mod maps;
mod object;
mod offline;
mod run;
mod samples;
mod section;
mod source;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use cli::exit::{Failure, Result, report};
use common::hooks::Attach;
use common::{options, output};
use mapstat::config::{Config, object_beside};
use mapstat::row::{self, Series};
use mapstat::span::row::SpanRow;
use mapstat::{config, decode, span, state, symbols, system};

// The module `skel`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/skel.rs"));

/// The tool's name in records and messages.
const TOOL: &str = "mapstat";

const EXAMPLES: &str = "\
Examples:
  mapstat -c runqlat.yaml                its programs are in runqlat.bpf.o beside it
  mapstat -c runqlat.yaml -c drops.yaml 10   two configs, every ten seconds
  mapstat --config.dir /etc/ebpf_exporter --config.names timers,biolatency
  mapstat -c timers.yaml --top 10 | jq -c '[.function, .value]'
  mapstat -c biolatency.yaml --buckets   all buckets of histograms
  mapstat -c timers.yaml --check         what attaches on this kernel, and why not
  mapstat -c timers.yaml --schema        these configs' fields, labels among them
  mapstat -c exec-trace.yaml --events    a record for each span
  ebpfmux --run 'mapstat -c exec-trace.yaml --events' --otlp http://localhost:4318

Output:
  $ mapstat -c runqlat.yaml --top 2 -o table
  time     metric                 value count  mean    p50   p99 lost labels
  03:44:39 run_queue_wait_seconds     -  1661 0.001 1.6e-5 0.033    0 command=qemu-system-x86
  03:44:39 run_queue_wait_seconds     -   115 0.025  0.016 0.131    0 command=rustc
  03:44:39 run_queue_wait_seconds     -   592 0.008  0.008 0.066    0 command=(other)
  Threads of rustc waited 115 times for a processor in this second, 25 ms on average: on
  two processors too much runs. Half of those of qemu waited at most 16 us.

Configs:
  A config is the YAML of ebpf_exporter (version 2) beside an object that clang has
  compiled. A metric has the name of the map that it is read from, whose values are
  u64. Its labels are the parts of the map's key, each with its size in bytes, the
  padding after it, and decoders, of which one takes what the one before has made:
    uint string hex inet_ip dname ifname majorminor ksym kstack
    errno syscall cgroup pci_vendor pci_device pci_class pci_subclass  (after uint)
    static_map (allow_unknown) regexp (what none matches is left out)
  metrics.counters: name, help, labels; perf_event_array: each sample of a perf event
  array or ring buffer counts; type: gauge (not of ebpf_exporter): the map has levels.
  metrics.histograms: the last label is the bucket; bucket_type exp2, exp2zero, linear
  (bucket_min, bucket_max) or fixed (bucket_keys), bucket_multiplier. The sum of all
  values is in the bucket behind the last one.
  On a map with a value for each processor a last label cpu (size 2, uint) tells them
  apart; without it they are added up. That is so for histograms, too.
  tracing.spans: ringbuf (the ring buffer whose records are spans), name, service, labels;
  these are printed with --events. What labels of these names have is the span's own:
    trace_id (16 bytes, hex)  span_id parent_span_id (8 bytes, hex; 0 is none)
    span_monotonic_timestamp_ns (when it began, as of bpf_ktime_get_ns)
    span_duration_ns  span_name (instead of name)
  Others are attributes. Without a trace_id a span is a trace by itself, without a
  span_id it gets one, without a timestamp it begins when it is read.
  kaddrs: symbols of which the variable kaddr_NAME gets the address.
  cgroup_id_map: a map (name) in which programs find the cgroups whose full path one of
  regexps matches, each with the value 1: by its id (type hash), or in the cgroup itself
  (type cgrp_storage, from Linux 6.2 on).
  Sections: those of libbpf, and xdp/DEVICE, perf_event/type=T,config=C,frequency=F,
  and uprobe//proc/self/exe:post_attach_mark, which runs once when all is attached.

Your own in ten minutes:
  1. apt install clang libbpf-dev; take contrib/mapstat/mapstat.bpf.h of this project,
     which has the types and helpers, so that no vmlinux.h is needed.
  2. opens.bpf.c:
       #include \"mapstat.bpf.h\"
       struct key { char command[COMM_LEN]; };
       COUNTS(opens_total, HASH, struct key, 10240);
       SEC(\"tp/syscalls/sys_enter_openat\")
       int on_open(void *ctx)
       {
               struct key key = {};
               bpf_get_current_comm(key.command, sizeof(key.command));
               add_to(&opens_total, &key, 1);
               return 0;
       }
       char LICENSE[] SEC(\"license\") = \"GPL\";
  3. opens.yaml:
       metrics:
         counters:
           - name: opens_total
             help: Files that were opened
             labels:
               - name: command
                 size: 16
                 decoders:
                   - name: string
  4. clang -g -O2 -mcpu=v3 -target bpf -D__TARGET_ARCH_x86 -c opens.bpf.c -o opens.bpf.o
  5. sudo mapstat -c opens.yaml --check; sudo mapstat -c opens.yaml --top 5
  contrib/mapstat has complete ones: runqlat (how long tasks wait for a processor),
  calls (system calls by command, name and error), softnet (packets that processors
  dropped), offcpu (how long tasks wait for anything else), synbacklog (what a SYN finds
  in the queues of its port), timers (which timers the kernel starts).

Bounds:
  value is what came in the interval. In the first interval all label sets are
  printed, later those of which something came; --all prints all.
  A key that goes and comes again counts from 0. What a program counted for a key
  that went before the interval's end is not seen. LRU maps drop keys before they are
  full: give them twice the room. A note says that a map is full.
  --self adds the metrics that ebpf_exporter has of itself: enabled_configs,
  ebpf_program_info, ebpf_program_attached, decoder_errors_total; and with --overhead, or
  where kernel.bpf_stats_enabled is 1, ebpf_program_run_time_seconds and
  ebpf_program_run_count_total.
  Maps are read while programs run: count and sum of an interval may differ by what
  came meanwhile. The next interval makes up for it.
  p50 to p999 are bounds of buckets, which the values do not exceed: with exp2 up to
  twice the value. Objects that were built with older macros of ebpf_exporter count a
  power of two in the next bucket: build them again.
  lost: samples that found no room in a buffer, programs that the kernel skipped, and
  what was counted for keys that the labels do not fit, or for buckets that the config
  does not have. What a program drops at a full map is counted nowhere. Of a perf event
  array the kernel tells what found no room with that processor's next sample.
  Programs attach once, at the start: to no module, device or processor that comes
  later. A program whose target is not in this kernel is left out, with a note; then
  the others may count less than their author meant. --strict makes it an error.
  cgroups: one that came and went between two intervals has its path. Programs find a
  new one in the map of cgroup_id_map when mapstat has been woken, some milliseconds
  after it was made: what a cgroup does before is not counted by such programs.
  --check -o json prints an object per program: config, program, section, attached,
  reason; per metric: config, metric, type, map, max_entries, key_bytes, labels, and
  buckets of a histogram; per kind of spans: config, span, service, map, bytes,
  record_bytes, labels; per cgroup_id_map: config, cgroup_id_map, cgroups; and per
  config that cannot be used: config, refused. With --kernel, which loads nothing,
  attached is null where that kernel's files do not say; whether its structs have the
  fields that programs read, and its verifier takes them, only that kernel can tell.
  All capabilities are dropped when all is attached (before Linux 6.5: all but
  CAP_BPF).
  A config has at most 1 MiB, a histogram 4096 buckets, a key 256 labels.
  --events: ts is the end of a span, start its beginning. Spans are in the order of their
  ends, but for those that reach their buffer more than 5 ms later. lost: records that
  are no spans, and programs that the kernel skipped. What a program drops at a full
  ring buffer is counted nowhere.
  Not supported: sections that ebpf_exporter does not attach either (tc, cgroup,
  struct_ops).";

/// What do your own BPF programs count?
#[derive(Parser)]
#[command(
    name = TOOL, version, after_help = EXAMPLES,
    mut_arg("pid", |arg| arg.hide(true)), mut_arg("cgroup", |arg| arg.hide(true)),
    mut_arg("comm", |arg| arg.hide(true)), mut_arg("user", |arg| arg.hide(true)),
    mut_arg("attach", |arg| arg.hide(true)),
    mut_arg("check", |arg| arg.help("Attach, and print what became of each program and metric. Exit status: 0 all \
        programs, 3 one is missing, 4 not permitted").alias("config.check")),
    mut_arg("schema", |arg| arg.help("Print the JSON Schema of these configs' records and exit")),
)]
struct Args {
    #[command(flatten)]
    common: options::Common,

    /// A config in ebpf_exporter's YAML; its programs are in FILE.bpf.o instead of FILE.yaml; repeatable
    #[arg(short, long = "config", value_name = "FILE.yaml")]
    config: Vec<PathBuf>,

    /// The programs of the one config
    #[arg(long, value_name = "FILE.bpf.o")]
    object: Option<PathBuf>,

    /// The folder of the configs of --config.names
    #[arg(long = "config.dir", value_name = "DIR", requires = "names")]
    dir: Option<PathBuf>,

    /// Configs in --config.dir, by name without .yaml
    #[arg(long = "config.names", value_name = "NAME,..", value_delimiter = ',', requires = "dir")]
    names: Vec<String>,

    /// Fail with status 3 if any program cannot be attached
    #[arg(long, alias = "config.strict")]
    strict: bool,

    /// Types of the kernel, for kernels without BTF
    #[arg(long, value_name = "FILE", alias = "btf.path")]
    btf: Option<PathBuf>,

    /// Only the N busiest label sets of each metric; the others together
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    top: Option<u32>,

    /// Add what ebpf_exporter tells of itself: configs, programs, what these cost (with --overhead), keys without a text
    #[arg(long = "self")]
    own: bool,

    /// One record per span of the configs' `tracing: spans:`, instead of metrics per interval
    #[arg(long, conflicts_with_all = ["interval", "count", "buckets", "top", "own", "all"])]
    events: bool,

    /// Print label sets of which nothing came, too
    #[arg(long)]
    all: bool,

    /// Add all buckets to the records of histograms
    #[arg(long)]
    buckets: bool,
}

impl Args {
    /// The files of the configs.
    fn files(&self) -> Vec<PathBuf> {
        let dir = self.dir.clone().unwrap_or_default();
        let named = self.names.iter().map(|name| dir.join(format!("{name}.yaml")));
        self.config.iter().cloned().chain(named).collect()
    }

    fn check(&self) -> Result<()> {
        let common = &self.common;
        if common.filters() || common.attach != Attach::Auto {
            return Err(Failure::usage(
                "--pid, --cgroup, --comm, --user and --attach do not apply: configs decide what is counted (see --help)",
            ));
        }
        if self.buckets && matches!(common.output, Some(options::Output::Table | options::Output::Wide)) {
            return Err(Failure::usage("--buckets has no table: use -o json"));
        }
        output::check_buckets(common, self.buckets)
    }
}

fn main() -> ExitCode {
    report(TOOL, run())
}

fn run() -> Result<()> {
    let args: Args = options::parse()?;
    args.check()?;
    let files = args.files();
    let configs = files.iter().map(|path| Config::read(path)).collect::<Result<Vec<_>>>()?;
    run::check_names(&configs)?;
    if args.common.schema && args.events {
        return output::print_schema_with::<SpanRow>(TOOL, |properties| {
            span::row::describe(properties, &configs.iter().collect::<Vec<_>>())
        });
    }
    if args.common.schema {
        return output::print_schema_with::<Series>(TOOL, |properties| {
            let own = args.own.then(builtin::config);
            row::describe(properties, &configs.iter().chain(&own).collect::<Vec<_>>())
        });
    }
    if configs.is_empty() {
        return Err(Failure::usage("there is no config: mapstat -c FILE.yaml (see --help)"));
    }
    if args.object.is_some() && configs.len() != 1 {
        return Err(Failure::usage("--object is of one config, and there are several"));
    }
    let objects = files.iter().map(|path| args.object.clone().unwrap_or_else(|| object_beside(path)));
    let configs = configs.into_iter().zip(objects.collect::<Vec<_>>()).collect();
    let configs = if args.common.check { configs } else { run::wanted(&args, configs)? };
    match &args.common.kernel {
        Some(folder) => offline::check(&args, configs, folder),
        None => run::run(&args, configs),
    }
}
