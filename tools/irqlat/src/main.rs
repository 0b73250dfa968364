//! irqlat: which interrupts take time?

mod ipis;
mod lines;
mod row;
mod vectors;

use std::process::ExitCode;

use clap::Parser;
use cli::exit::{Failure, Result, report};
use common::bpf::mmap::{MappedCounters, words};
use common::hooks::{Hook, Rung};
use common::kernel::running::kernel_names;
use common::measure::per_key::Totals;
use common::{options, output, session};
use libbpf_rs::num_possible_cpus;
use libbpf_rs::skel::Skel;
use skel::types::{counter as Counter, counters};

// The module `skel`, generated from the BPF C.
include!(concat!(env!("OUT_DIR"), "/skel.rs"));

/// The tool's name in records and messages.
const TOOL: &str = "irqlat";

/// A field of tasks, of real-time kernels only (CONFIG_PREEMPT_RT in `linux/sched.h`): there tasks serve soft
/// interrupts.
const REAL_TIME: &str = "softirq_disable_cnt";

/// Tracepoints that all kernels have, and those of the vectors that this kernel has.
const HOOKS: &[Hook] = &[
    Hook::new("hard", &[Rung::new(&["hard_entry", "hard_exit"])]),
    Hook::new("soft", &[Rung::new(&["soft_raise", "soft_entry", "soft_exit"])]),
    vector("local_timer", &[Rung::new(&["local_timer_entry", "local_timer_exit"])]),
    vector("reschedule", &[Rung::new(&["reschedule_entry", "reschedule_exit"])]),
    vector("call_function", &[Rung::new(&["call_function_entry", "call_function_exit"])]),
    vector(
        "call_function_single",
        &[Rung::new(&["call_function_single_entry", "call_function_single_exit"])],
    ),
    vector("irq_work", &[Rung::new(&["irq_work_entry", "irq_work_exit"])]),
    vector("x86_platform_ipi", &[Rung::new(&["x86_platform_ipi_entry", "x86_platform_ipi_exit"])]),
    vector("spurious_apic", &[Rung::new(&["spurious_apic_entry", "spurious_apic_exit"])]),
    vector("error_apic", &[Rung::new(&["error_apic_entry", "error_apic_exit"])]),
    vector("thermal_apic", &[Rung::new(&["thermal_apic_entry", "thermal_apic_exit"])]),
    vector("threshold_apic", &[Rung::new(&["threshold_apic_entry", "threshold_apic_exit"])]),
    vector("deferred_error_apic", &[Rung::new(&["deferred_error_apic_entry", "deferred_error_apic_exit"])]),
    Hook::new("switches of tasks", &[Rung::new(&["task_switch"])]).only_with(REAL_TIME),
];

/// An event that a kernel was built without does not occur there.
const fn vector(name: &'static str, rungs: &'static [Rung]) -> Hook {
    Hook::new(name, rungs).if_present()
}

const EXAMPLES: &str = "\
Examples:
  irqlat                         each interrupt that occurred, every second
  irqlat --per-cpu 10 1          and which processor took it, over ten seconds
  irqlat --buckets 10 1          distributions drawn
  irqlat 1 | jq -r 'select(.kind == \"soft\") | [.name, .total_us, .wait_p99_us] | @tsv'
  irqlat -o csv 60 > irq.csv     a record a minute, for a spreadsheet

What is measured:
  hard    each handler of a line of /proc/interrupts, by its name and the line's
          number
  soft    each run of what /proc/softirqs counts, after an interrupt or in
          ksoftirqd
  vector  interrupts that processors send themselves and each other. In
          /proc/interrupts, on x86: local_timer LOC, reschedule RES, call_function
          and call_function_single together CAL, irq_work IWI, thermal_apic TRM,
          threshold_apic THR, deferred_error_apic DFR, spurious_apic SPU,
          error_apic ERR. TLB shootdowns are function calls, and in CAL. On arm64
          and riscv as there, e.g. IPI0 Rescheduling interrupts
  Times are exclusive: a handler's own, without the interrupts in between.
  So total_us adds up, and per processor never to more than the elapsed time.
  wait_*: from a soft interrupt's raise, the first if several, to its entry.
  unhandled: calls of a handler whose device had not interrupted, as on a line that
  devices share, where all handlers are called. They are in total_us, not in count.
  For each handler, count + unhandled are the interrupts of its line; handlers of
  the same name on a line share a record.

The record with the most time comes first.

Bounds:
  Where processors have interrupt lines for their own timers, as on arm64, these are
  hard.
  Percentiles are at most 3.2 % off; the rest is exact.
  Handlers running at the start are not counted. Time is from a handler's entry
  to its exit: the kernel's way there and back counts as that of what was
  interrupted, and so do interrupts without a tracepoint, such as NMI, MCE and HYP.
  Of threaded handlers only the part that runs at once is seen, and not the handlers
  that the thread of another one calls. On a real-time kernel most are threaded, and
  do not know at once whether their device has interrupted: none is unhandled.
  wait_count can be less than count: a soft interrupt that is raised again just
  before its handler begins is served twice, of which one has a known wait. The
  first wait on a processor that was taken offline may be too long.
  An interrupt while one of these programs runs on that processor is not seen by it,
  on any kernel; lost counts it.
  On a real-time kernel tasks serve soft interrupts: times are those during which
  the task ran. 16 tasks of a processor can be within soft interrupts at once; lost
  counts what others serve meanwhile.
  A handler on a processor is tracked from its first interrupt on: 8192 at most, and
  (handlers at the start) x (processors) + 64; lost counts those beyond. Names are
  cut after 63 bytes.
  --pid, --cgroup, --comm and --user are refused: an interrupt belongs to no process.";

/// Which interrupts take time? How long handlers of interrupt lines, soft interrupts and interrupts between processors run,
/// and how long soft interrupts wait.
#[derive(Parser)]
#[command(
    name = TOOL, version, after_help = EXAMPLES,
    mut_arg("pid", |arg| arg.hide(true)), mut_arg("cgroup", |arg| arg.hide(true)),
    mut_arg("comm", |arg| arg.hide(true)), mut_arg("user", |arg| arg.hide(true))
)]
struct Args {
    #[command(flatten)]
    common: options::Common,

    /// One record per processor
    #[arg(long)]
    per_cpu: bool,

    /// Add the histograms: fields buckets and wait_buckets, or drawn below a table's lines
    #[arg(long)]
    buckets: bool,
}

fn main() -> ExitCode {
    report(TOOL, run())
}

fn run() -> Result<()> {
    let args: Args = options::parse()?;
    if args.common.schema {
        return output::print_schema::<row::Interrupts>(TOOL);
    }
    if args.common.filters() {
        return Err(Failure::usage(
            "--pid, --cgroup, --comm and --user: an interrupt belongs to no process, whichever it interrupts (see --help)",
        ));
    }
    output::check_buckets(&args.common, args.buckets)?;
    let cpus =
        num_possible_cpus().map_err(|error| Failure::failed(format!("cannot count processors: {error}")))?;
    // The BPF programs mask a processor's number, so there is one bank for each value.
    let banks = cpus.next_power_of_two() as u32;
    let tool = session::Tool {
        configure: &|open| configure(open, cpus, banks),
        ..session::Tool::new(skel::IrqlatSkelBuilder::default, HOOKS)
    };
    let session = session::start(&tool, &args.common)?;
    let mut totals: Totals<'_, skel::types::stats> =
        Totals::of(session.skel.object(), &session.skel.maps.stats, 1)?;
    let lines = [&session.skel.maps.lines_0, &session.skel.maps.lines_1];
    let ipis = ipis::Ipis::of_kernel();
    let mut counters: MappedCounters<{ COUNTERS }> = MappedCounters::map(&session.skel.maps.counters)?;
    session.intervals(TOOL, &args.common, |_| {
        let mut deltas = row::Deltas::new();
        let mut taken = totals.take();
        lines::take(lines[taken.half], &ipis, args.per_cpu, &mut deltas)?;
        vectors::add(&mut taken, banks, args.per_cpu, &mut deltas);
        let lost = counters.since_last()[Counter::LOST.0 as usize];
        Ok((row::Interrupts::of(deltas, args.per_cpu, args.buckets), lost))
    })
}

/// How many counters there are in a bank.
const COUNTERS: usize = words::<counters>();

/// Sets the constants and sizes that depend on the machine.
fn configure(open: &mut skel::OpenIrqlatSkel<'_>, cpus: usize, banks: u32) -> libbpf_rs::Result<()> {
    let real_time = kernel_names(REAL_TIME);
    open.maps.processors.set_max_entries(cpus as u32)?;
    if real_time {
        open.maps.serving_tasks.set_max_entries(cpus as u32)?;
    }
    open.maps.lines_0.set_max_entries(lines::entries(cpus))?;
    open.maps.lines_1.set_max_entries(lines::entries(cpus))?;
    open.maps.stats.set_max_entries(vectors::entries(banks))?;
    if let Some(constants) = open.maps.rodata_data.as_deref_mut() {
        constants.bank_mask = banks - 1;
        constants.real_time = real_time;
    }
    Ok(())
}
