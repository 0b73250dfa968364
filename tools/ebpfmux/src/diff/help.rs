//! What `ebpfmux diff --help` says after the options.

/// Examples, and how noise is told from change.
pub const HELP: &str = "\
Examples:
  ebpfmux diff before/ after/                     two recordings (--record), what has changed
  ebpfmux diff monday.ndjson tuesday.ndjson --by disk,op --where 'op == \"read\"'
                                                  only reads, by disk
  ebpfmux diff rec/ rec/ --from 02:00 --to 02:30 --from 03:00 --to 03:30
                                                  two spans of one recording
  ebpfmux diff main.ndjson branch.ndjson --fail-above +20% -o md >> summary.md
                                                  for CI: status 5 if anything became more or slower by over 20 %

Figures: for each tool and key the amounts per second of counters, the means of gauges and latencies, ratios of sums, and \
percentiles of the merged buckets of all intervals (the tools print them with --buckets; without them percentiles are left \
out). Least and greatest values are not compared: they depend on how long was recorded. Hosts are taken together unless \
--by names host: amounts and gauges add up. What a key did not do in a recording counts as 0 there. Records of events have \
no interval and are left out. A tool that only one of the two has is named in a note.

Noise: the intervals of each side (merged to at most 128) are drawn anew 1000 times by the stationary bootstrap (Politis and \
Romano 1994): in blocks, as long as the intervals depend on each other (Politis and White 2004, corrected 2009), always from \
the same seed, so the same files give the same answer. In short recordings that is less than there is; what is missing is \
made up for by the correlation of neighbours (Marriott and Pope 1954). The interval of a \
change is the widest of three: of the logarithm of the ratio with Student's t and Welch's degrees of freedom, Fieller's (1954), \
both at 99 % for all figures together (Bonferroni), and the span of all drawn pairs. A figure has changed if its interval \
leaves out no change by more than its bounds.

Verdicts: changed: by more than noise, the bounds of its buckets and --least. small: by more than noise, but not certainly by \
more than the others. noise: what the intervals vary by explains it. too few: a side has it in fewer than 8 intervals. \
Thirty or more tell much more than ten: each interval that depends on those before it counts for less.

Bounds: percentiles are known to a bucket, at most 6.3 % wide; of mapstat's histograms as wide as its config says. What \
differs from one run to the next and does not vary within a run (a cold cache, another machine) is not noise to this \
comparison: it is a difference between the runs, and told. Where that matters, take turns: several short runs of each, \
recorded into one folder each, which --record goes on with. Events that were lost are \
in no figure: both numbers are told beside each tool.

Exit status: 0 compared; 1 a failure, or a part of a recording could not be read; 2 bad usage, or a file that cannot be \
opened; 5 a change above --fail-above.";
