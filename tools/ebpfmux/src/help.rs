//! What `--help` says after the options.

/// Examples, and how everything is meant.
pub const EXAMPLES: &str = "\
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
  ebpfmux --run 'biolat 1' --run 'syncsnoop 1' --record slow --trigger 'biolat.p99_us > 20000' > /dev/null
                                                  only the minute before and after each slow second
  ebpfmux --run 'biolat --buckets 5' --serve 9435 > /dev/null
                                                  for Prometheus: http://127.0.0.1:9435/metrics
  ebpfmux --run 'biolat --buckets 1' --otlp http://127.0.0.1:4318 > /dev/null
                                                  to an OpenTelemetry collector; of Prometheus: http://127.0.0.1:9090/api/v1/otlp/v1/metrics
  ebpfmux --where 'biolat.p99_us > 1000' --select ts,host,disk,op,p99_us run.ndjson
                                                  the slow seconds of disks
  ebpfmux -d 60 --run 'biolat 1' --assert 'biolat.p99_us < 5000' > run.ndjson || exit
                                                  for CI: status 5 if a request was slow
  ebpfmux -o csv biolat.ndjson > biolat.csv       convert; CSV input is recognised by its header
  ebpfmux --config disks.toml > /dev/null         what a file says; kill -HUP has it read again
  ebpfmux --live --run 'biolat --buckets 1' --run 'proclife 1'
                                                  two tools on one screen; press ? for the keys
  ebpfmux --live /var/log/biolat                  a recording: space plays it, g jumps to a time
  ebpfmux /var/log/biolat --from 03:10 --to 03:15  what happened then
  ebpfmux -- make test                            what this command cost, alone; its status is passed on
  ebpfmux --run 'syncsnoop 1' --assert 'syncsnoop.count < 40' --summary junit --summary-file fsync.xml -- ./ingest
                                                  for CI: status 5 if it synced too often, and a report
  ebpfmux --check                                 which tools work here, by what, and what is missing
  ebpfmux diff before/ after/                     what changed between two recordings: see ebpfmux diff --help
  ebpfmux report /var/log/biolat > report.html    a page for a browser: see ebpfmux report --help

Subcommands: diff and report, as the first word, have options and a manual of their own. A file of such a name is given as \
./diff.

File (--config): TOML. Every long option is a key (window = 60, by = [\"disk\", \"op\"], quiet = true); those of --serve, --record \
and --otlp may stand in tables: [serve] listen, token, series, label-bytes; [record] folder, size, age, keep; [otlp] url, \
header, interval, buffer. `files` are the FILEs. Each [[run]] has `tool`, `interval`, `count` and the tool's long options, or \
`command`; and, if wanted, `name` and `lifetime`, seconds after which it is disabled (outside of [[run]]: for all). On SIGHUP \
the file is read again: commands are started, stopped or restarted where their lines differ, all else runs on, and no record \
is lost; for other keys a note says that they wait for the next start. A file that is wrong changes nothing.

Command (-- COMMAND): it gets a cgroup of its own below that of ebpfmux, for which the tools count alone; they are attached \
before it starts and stopped after its end. stdin, stdout, the terminal and Ctrl-C are its own; SIGTERM and SIGHUP are passed \
on. Exit status: the command's, 128 and the signal's number if it was killed, 127 if it was not found, 126 if it cannot be \
run, 5 if it ended with 0 and an --assert does not hold; 2, 3, 4 or 1 if a tool cannot be attached: then it is not run. \
Processes that it leaves behind are counted until its end. What the kernel does later in its name (writing back what it \
wrote, as biolat counts it) is not counted.

Screen (--live): a tab for each tool, rows sorted by a column, their last intervals as a small picture, and for records with \
buckets (--buckets) a heat map. Keys: q quit, ? help, Tab another tool, < and > sort by another column, r the other way round, \
Up and Down select, Enter all fields, / filter, h heat map, z its single buckets, space pause or play, Left and Right an \
interval back or on, Home and End the oldest and the newest, g jump to a time, + and - speed, x all digits, m what was said \
on stderr. Files and recordings stand at their first interval until they are played. What is kept is bounded (32 tools, \
32 MiB of numbers, 7200 intervals); the oldest is forgotten, and read again where it is in a file. NO_COLOR and TZ are heeded. \
The merge is a process of its own, with the same options; at the end it is stopped as by SIGINT.

Order: records go out by their `ts`, equal ones in the order of the sources. A record that goes back in time within \
its source by at most --lateness is put in order; up to 256 KiB per source are buffered for that. Any other late record \
is passed on when it comes, and counted.

Live sources (FIFOs, pipes, --run): a record is held until every other live source has delivered a later one or ended, \
but not longer than --wait (or --lateness, if that is more). So a silent source delays the others and does not stop \
them. A source with more than about 192 KiB waiting is held only as long as another was active within that time. \
Files are never waited for. A slow reader of stdout stops the merge without loss.

Signals: on SIGINT, SIGTERM and (without --config) SIGHUP the commands of --run get SIGINT (SIGTERM after 2.5 s, SIGKILL after 5 s), and what \
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
ended. At most 32 clients are served at once; a new one takes the place of the idlest, once that has stood still for 50 ms.

Services: --serve fd://N listens on the N-th socket, from 0, that systemd has opened for it (a .socket unit, LISTEN_FDS). \
Where NOTIFY_SOCKET is set (Type=notify), systemd is told when all commands have been started and /metrics is served, and \
that ebpfmux ends. Commands of --run get neither.

Metrics of mapstat: a record that has `metric` and `type` (counter, gauge, histogram) describes its metric itself. The name \
is --namespace, _, and the metric's own; labels are its other text fields; bounds, numbers and help texts are those that \
ebpf_exporter has for the same config. Histograms need mapstat --buckets.

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
buckets.exists(b, b[0] > 1000 && b[1] > 0). All numbers are doubles. timestamp(\"2026-11-30T03:10:00Z\") is a point of time, \
duration(\"5m\") a length (h m s ms us ns); where a field meets one, it is read as one, those in _us, _ms, _ns and _s as \
lengths: ts > timestamp(\"...\"), timestamp(ts) - timestamp(\"...\") < duration(\"5m\"), p99_us > duration(\"5ms\"), \
timestamp(ts).getHours(\"Europe/Berlin\") < 6. They are evaluated on the records that go out: with \
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
