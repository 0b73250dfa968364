//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::{ArgGroup, CommandFactory, Parser, ValueEnum};
use cli::exit::{Failure, Result};
use cli::{generate, inherited};

const EXAMPLES: &str = "\
Examples:
  ebpfmux web1.ndjson web2.ndjson                 merge two recordings by time
  ebpfmux -d 60 --run 'biolat 1' --run 'proclife 1' > run.ndjson
                                                  run two tools for a minute, one stream
  ebpfmux --join --run 'biolat 1' --run 'proclife 1' | jq '.[\"biolat.vda.read.p99_us\"]'
                                                  one wide record per second
  ssh web2 biolat 1 | ebpfmux - --run 'biolat 1'  this host and another
  biolat --buckets 1 | ebpfmux --window 10        the same as biolat 10, with percentiles
  ebpfmux --window 60 --by disk,op web*.ndjson    one minute of all hosts together
  ebpfmux --run 'biolat 1' --record /var/log/biolat --record-keep 48 > /dev/null
                                                  the last two days on disk; ebpfmux /var/log/biolat shows them
  ebpfmux --run 'biolat --buckets 5' --serve 9435 > /dev/null
                                                  for Prometheus: http://127.0.0.1:9435/metrics
  ebpfmux --run 'biolat --buckets 1' --otlp http://127.0.0.1:4318 > /dev/null
                                                  to an OpenTelemetry collector; of Prometheus: http://127.0.0.1:9090/api/v1/otlp/v1/metrics
  ebpfmux --where 'biolat.p99_us > 1000' --select ts,host,disk,op,p99_us run.ndjson
                                                  the slow seconds of disks
  ebpfmux -d 60 --run 'biolat 1' --assert 'biolat.p99_us < 5000' > run.ndjson || exit
                                                  for CI: status 5 if a request was slow
  ebpfmux -o csv biolat.ndjson > biolat.csv       convert; CSV input is recognised by its header

Order: records go out by their `ts`, equal ones in the order of the sources. A record that goes back in time within \
its source by at most --lateness is put in order; up to 256 KiB per source are buffered for that. Any other late record \
is passed on when it comes, and counted.

Live sources (FIFOs, pipes, --run): a record is held until every other live source has delivered a later one or ended, \
but not longer than --wait (or --lateness, if that is more). So a silent source delays the others and does not stop \
them. A source with more than about 192 KiB waiting is held only as long as another was active within that time. \
Files are never waited for. A slow reader of stdout stops the merge without loss.

Signals: on SIGINT and SIGTERM the commands of --run get SIGINT (SIGTERM after 2.5 s, SIGKILL after 5 s), and what \
they still print is merged. Other live sources are read for another 0.5 s at most, files no further. The commands are \
killed if ebpfmux is; processes that they started themselves are not ended. If the reader of stdout then reads nothing \
for 5 s, ebpfmux ends with status 1.

Restarts: a command that fails, or cannot be started again, is started again after 1 s, 3 times in a row, but not after \
status 2, 3 or 4. So is a tool that ends with status 0 although its command line has neither COUNT nor -d, or before \
their time: it was ended by a signal. Other programs are not started again after status 0.

Windows (--window, --join): the window of a record is the one of (k*SECONDS, (k+1)*SECONDS], counted from 1970, that \
holds its `ts`. The combined record has the window's end as its `ts`. A record that comes after its window has gone out \
gets a window of its own.

--window: records of one host, tool and key become one; with --by, of one tool and of the fields that --by names. Counters \
add, `lost` too; of minima and maxima the least and the greatest remain; means are weighted by their counts; percentiles come \
from the buckets that the tools print with --buckets, else they are null where several records are merged; ratios come \
from the summed counts, or are null; gauges (zombies) are the last value, over several hosts or keys the sum of the last \
values. `interval_s` is the measured time. The record of an idle interval is dropped if another interval was active; \
its `lost` still counts. Events are refused.

--join: with --window, of its records and windows. A name is TOOL.KEY.FIELD, where the keys are the values of string \
fields and of known key fields (pid, cpu, ...) that are not null; with several hosts it is HOST.TOOL.KEY.FIELD. A dot \
within a part is %2E, a percent sign %25. If one key has several records in a window, counters add, of minima \
and maxima the least and the greatest remain, of anything else (percentiles, means, ratios, gauges) the last value that is not \
null. The tools' own interval_s is not kept.

CSV: one header. A merge needs the same columns everywhere; for different tools use --join, whose columns are \
those of the first 3 windows: values that are new later are left out, counted and reported. In CSV input, an \
empty field is null, and what JSON reads as a number or boolean is one, except in columns that the tool declares as text \
(comm, argv, ...).

--record: the merged stream as it is before --window, --join, --where and --select, in NDJSON, in files NUMBER.ndjson.zst \
(zstd, with checksums). Files are readable by their owner only. An existing recording is continued; another ebpfmux that \
records into the same folder is refused. At most the last second is lost when ebpfmux is killed, also while the reader of \
stdout stalls. If nothing can be written (disk full, quota, folder removed), all else goes on, and writing is tried again \
every second. The gap is reported when it begins and when it ends, with the number of missing records; the status is 1. A \
folder or file.zst given as FILE replays the same stream, byte for byte. Damaged frames (at most 1 MiB or a minute of \
records), files cut short and missing files are reported, the rest is replayed, and the status is 1.

--serve: /metrics has the totals of all records, before --window, --join, --where and --select: counts as counters \
(ebpf_TOOL_FIELD_total), gauges as they are, latencies as ebpf_TOOL_duration_seconds: histograms with four bounds in \
each power of two if the tool prints --buckets, else sum and count. The scraper chooses the format (Accept): Prometheus's \
text format, OpenMetrics 1.0.0, or protobuf, which also has native histograms of schema 8: quantiles at most 3.3 % \
off (Prometheus with --enable-feature=native-histograms). /healthz answers 503 with the names and states of all \
commands that do not run (restarting, failed, ended), unless they were disabled or are done (COUNT or -d). \
GET /tools lists the commands of --run; POST /tools/NAME/disable ends one, /tools/NAME/enable?seconds=N starts it again, \
for N seconds. A second command of a name is NAME-2, a third NAME-3. With --run, serving goes on when the commands have \
ended. At most 32 clients are served at once; a new one takes the place of the idlest.

Names in /metrics: characters other than letters, digits and _ become _. A label whose name is then empty, reserved \
(le, quantile, __*) or that of another field is left out, and so are the values of a metric whose name another metric has, \
and gauges without a label; ebpfmux_names_dropped_total counts them. If some hosts' tools print buckets and others do not, \
the latencies of the latter are ebpf_TOOL_duration_unbucketed_seconds.

Token: a client shows it in the header `Authorization: Bearer TOKEN`. With --serve-token, everything but /healthz needs it. \
The file must be a regular file of one line, and others must not have access to it (chmod 600). Without --serve-token, \
reading is free on loopback, and POST needs a token that ebpfmux makes: it is in the file ebpfmux-PORT.token, which only \
the user can read, in $XDG_RUNTIME_DIR, $RUNTIME_DIRECTORY, /run/ebpfmux or a new folder in $TMPDIR. It is named on stderr \
and removed at the end. Command lines, which may hold secrets, are shown to clients with the token only.

--otlp: the same totals by OTLP/HTTP (protobuf, gzip), as they are at the last record of every --otlp-interval, with its \
time, and at the end: counts as cumulative monotonic sums (ebpf.TOOL.FIELD), gauges, latencies (ebpf.TOOL.duration, in \
seconds) as exponential histograms of scale 8 if the tool prints --buckets, else as histograms without bounds. Counts and \
sums are those of the records. Each of their buckets goes as a whole into the exponential one that is nearest to all of \
its values, so a quantile is at most 3.3 % off wherever in the bucket it is assumed, and 3.2 % at its middle. Resource: \
service.name ebpf-filters, host.name and service.instance.id the record's host; scope: the tool; keys are attributes. If a \
receiver is down, hangs (10 s) or answers 429, 502, 503 or 504, ebpfmux retries after 1 s, then 2, up to 30, or later if \
its Retry-After says so. Up to --otlp-buffer is kept until then, the newest data. Dropped and refused data is reported once, \
counted, and reported again at the end. The stream never waits for the receiver; at the end it has 5 s. https uses the \
system's certificates, or SSL_CERT_FILE; headers also come from OTEL_EXPORTER_OTLP_HEADERS, proxies from HTTPS_PROXY and \
HTTP_PROXY.

Expressions (--where, --assert) are in the Common Expression Language (CEL): < <= == != >= > && || ! + - * / ?: in, \
'text', TEXT.contains/startsWith/endsWith/matches('...'), size(), double(), string(), has(), \
buckets.exists(b, b[0] > 1000 && b[1] > 0). All numbers are doubles. They are evaluated on the records that go out: with \
--join, on the joined records. Names (also in --select): `FIELD` is a field that every record has. `TOOL.FIELD` is a \
field of that tool's records: for other records the expression is unknown. `TOOL.KEY.FIELD` and `HOST.TOOL.KEY.FIELD`, \
the names in joined records, also select the key and host; with odd characters TOOL[\"dm-0\"].FIELD. In a joined record \
that has several keys of TOOL, TOOL.FIELD means each: one must fit --where, all --assert, and --select takes all. A \
comparison with null, and 0/0, are unknown as well: neither true nor false (x == null tests for it). A record for which \
the expression is unknown does not pass --where and does not break --assert. It is an error (status 2) if a name is not \
in the tool's record, or if no record had it by the end (for --select: not even a record that --where dropped). It is an \
error, too (status 1), if an assertion never had a record to check. The record that breaks an assertion is the last to \
go out.

Compressed files: gzip and zstd are detected by their first bytes, also on stdin if that is a file.

Bad input: a line that is no record is left out, counted, and reported by file and line. The status is 1 if nothing in a \
source is a record. A line in the tools' own form \
is accepted if it begins with {\"ts\":\"TIME\", ends at its first closing brace, and is UTF-8 without control \
characters; other lines are parsed in full, and with --strict all are. A line has at most 16 MiB. A byte order mark is \
skipped. `ts` is between 1678 and 2262; digits after nanoseconds are cut. 3, 3.0 and 3e0 are the same number.

Exit status: 0 done, also after a signal or when the reader of stdout has closed it; 1 a failure, of a command of --run \
too, records missing in a recording, a source without a record; 2 bad usage, a name that is no field, or a file that cannot be opened (the others are merged all the same); 5 an \
--assert that does not hold.";

/// Merges the streams of the tools (NDJSON or CSV) by time.
#[derive(Debug, Parser)]
#[command(name = "ebpfmux", version, after_long_help = EXAMPLES)]
#[command(group = ArgGroup::new("totals").args(["serve", "otlp"]).multiple(true))]
pub struct Args {
    /// Files, FIFOs, or folders of --record; `-` is stdin, and so is no FILE without --run
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Run this command and merge its output (repeatable)
    ///
    /// Words are split as by a shell, but no shell is run. A name without a slash is searched beside ebpfmux, then in
    /// PATH.
    #[arg(long, value_name = "COMMAND")]
    pub run: Vec<String>,

    /// Combine records into windows of this length
    #[arg(long, value_name = "SECONDS", value_parser = length)]
    pub window: Option<Duration>,

    /// With --window, keep records separate by these fields only: `--by disk` merges hosts and operations
    #[arg(long, value_name = "FIELDS", requires = "window")]
    pub by: Option<String>,

    /// With --window, keep at most this many keys in a window, and 8 KiB for each; others are left out and counted
    #[arg(long, value_name = "N", requires = "window", default_value = "100000", value_parser = clap::value_parser!(u32).range(1..).map(|keys| keys as usize))]
    pub window_keys: usize,

    /// One wide record per window of this length (default 1)
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "1", value_parser = length)]
    pub join: Option<Duration>,

    /// With --join, keep at most this many fields in a record, and 1 KiB for each; others are left out and counted
    #[arg(long, value_name = "N", requires = "join", default_value = "100000", value_parser = clap::value_parser!(u32).range(1..).map(|fields| fields as usize))]
    pub join_fields: usize,

    /// Read what the fields of another program's records are from this JSON Schema (repeatable)
    ///
    /// As the tools print it with --schema: `title` names the program, and each property has `x-kind` (key, counter,
    /// gauge, minimum, maximum, mean, percentile, ratio, difference, buckets) and `x-unit`. A field of which nothing is
    /// declared is never added up: --window and --join pass its last value on, metrics leave it out, and a note says so.
    /// The environment variable EBPFMUX_SCHEMA has the same, several files parted by colons.
    #[arg(long, value_name = "FILE", env = "EBPFMUX_SCHEMA", value_delimiter = ':', hide_env_values = true)]
    pub schema: Vec<PathBuf>,

    /// Print the manual page, docs/tools' page or a shell's completions, and exit
    #[arg(long, value_name = "FORM", hide = true)]
    pub generate: Option<generate::Form>,

    /// Pass on only records for which this expression is true
    #[arg(long = "where", value_name = "EXPR")]
    pub keep: Option<String>,

    /// End with status 5 at the first record for which this expression is false (repeatable)
    #[arg(long, value_name = "EXPR")]
    pub assert: Vec<String>,

    /// Pass on only these fields, in this order, separated by commas
    #[arg(long, value_name = "FIELDS")]
    pub select: Option<String>,

    /// Record the merged stream in this folder, compressed; `ebpfmux DIR` replays it
    #[arg(long, value_name = "DIR")]
    pub record: Option<PathBuf>,

    /// With --record, begin a new file at this size on disk
    #[arg(long, value_name = "MIB", default_value = "64", requires = "record", value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub record_size: u64,

    /// With --record, begin a new file after this time
    #[arg(long, value_name = "SECONDS", default_value = "3600", requires = "record", value_parser = length)]
    pub record_age: Duration,

    /// With --record, keep at most this many files; the oldest are removed
    #[arg(long, value_name = "FILES", requires = "record", value_parser = clap::value_parser!(u64).range(1..).map(|files| files as usize))]
    pub record_keep: Option<usize>,

    /// Serve /metrics, /healthz and /tools by HTTP on this port of 127.0.0.1, or ADDRESS:PORT
    #[arg(long, value_name = "ADDR")]
    pub serve: Option<String>,

    /// With --serve, require the token in this file for reading, too; mandatory for addresses other than loopback
    #[arg(long, value_name = "FILE", requires = "serve")]
    pub serve_token: Option<PathBuf>,

    /// With --serve or --otlp, keep at most this many series; others are dropped and counted
    #[arg(long, value_name = "N", requires = "totals", default_value = "10000")]
    pub serve_series: usize,

    /// With --serve or --otlp, leave out series whose labels are longer than this; they are counted
    #[arg(long, value_name = "BYTES", requires = "totals", default_value = "2048", value_parser = clap::value_parser!(u32).range(256..=1 << 20).map(|bytes| bytes as usize))]
    pub serve_label_bytes: usize,

    /// Send the totals that --serve has to this OpenTelemetry receiver: http:// or https://HOST:PORT[/PATH]
    ///
    /// The default path is /v1/metrics, that of a collector. Prometheus has /api/v1/otlp/v1/metrics.
    #[arg(long, value_name = "URL")]
    pub otlp: Option<String>,

    /// With --otlp, also send this header (repeatable); put secrets into OTEL_EXPORTER_OTLP_HEADERS
    #[arg(long, value_name = "'NAME: VALUE'", requires = "otlp")]
    pub otlp_header: Vec<String>,

    /// With --otlp, send the totals at this interval, by the time of the records
    #[arg(long, value_name = "SECONDS", requires = "otlp", default_value = "10", value_parser = length)]
    pub otlp_interval: Duration,

    /// With --otlp, keep at most this for a receiver that does not answer; older data is dropped and counted
    #[arg(long, value_name = "MIB", requires = "otlp", default_value = "16", value_parser = clap::value_parser!(u64).range(1..=1 << 20).map(|mib| mib as usize))]
    pub otlp_buffer: usize,

    /// Put records in order that are late within their source by at most this time
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    pub lateness: Duration,

    /// Wait at most this long for a silent live source
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub wait: Duration,

    /// Stop after this time, as on SIGINT
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds)]
    pub duration: Option<Duration>,

    /// The output format
    #[arg(short, long, value_name = "FORMAT", default_value = "json")]
    pub output: Format,

    /// Parse every record in full, refuse repeated names, and end with status 1 at the first bad line
    #[arg(long)]
    pub strict: bool,

    /// Print more on stderr: empty files, records per source
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,

    /// Print only failures on stderr
    #[arg(short, long)]
    pub quiet: bool,
}

/// The output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object per line
    Json,
    /// One header, then rows
    Csv,
}

impl Args {
    /// Reads the process's command line. `None` if --help, --version or the like has been printed.
    pub fn read() -> Result<Option<Self>> {
        inherited::check_stdout()?;
        let error = match Self::try_parse() {
            Ok(Self { generate: Some(form), .. }) => {
                return generate::print(Self::command(), form).map(|()| None);
            }
            Ok(args) => return args.check().map(Some),
            Err(error) => error,
        };
        if !error.use_stderr() {
            return error.print().map(|()| None).map_err(Failure::stdout);
        }
        let text = error.to_string();
        // clap lists missing arguments on lines of their own.
        let message: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
        Err(Failure::usage(format!("{}; try --help", message.join(" ").trim_start_matches("error: "))))
    }

    fn check(self) -> Result<Self> {
        if self.files.iter().filter(|file| file.as_os_str() == "-").count() > 1 {
            return Err(Failure::usage("stdin (-) is named twice; it can be read once"));
        }
        Ok(self)
    }
}

fn seconds(text: &str) -> std::result::Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds")?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if seconds <= 1e9 => Ok(duration),
        _ => Err("not between 0 and 1000000000 seconds".to_owned()),
    }
}

fn length(text: &str) -> std::result::Result<Duration, String> {
    seconds(text).and_then(|length| match length >= Duration::from_millis(1) {
        true => Ok(length),
        false => Err("a window is at least 0.001 seconds long".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
        let args = Args::try_parse_from(["ebpfmux", "--join", "a", "-"]).unwrap();
        assert_eq!((args.join, args.files.len()), (Some(Duration::from_secs(1)), 2));
    }

    #[test]
    fn seconds_are_finite_and_not_negative() {
        for bad in ["-1", "x", "inf", "NaN", "1e300"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert!(length("0").is_err());
    }
}
