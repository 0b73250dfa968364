//! mapstat --events: the spans that programs put into ring buffers.

use jiff::SignedDuration;
use rustix::time::{ClockId, clock_gettime};

use super::*;

pub const SPANS: (&str, &[u8], &str) =
    ("spans", include_bytes!(concat!(env!("OUT_DIR"), "/mapstat_spans.bpf.o")), include_str!("spans.yaml"));
/// What the programs answer: prctl(2) with this number.
const SPAN: i32 = 0x6d61_7076;
const MANY: u64 = 257;

pub fn span(number: u64, start: u64, duration: u64) {
    // SAFETY: the kernel knows no such number, and does nothing.
    unsafe { libc::syscall(libc::SYS_prctl, SPAN, number, start, duration, 0) };
}

/// The kernel's monotonic clock, in nanoseconds, and the wall clock.
pub fn clocks() -> (u64, Timestamp) {
    let now = clock_gettime(ClockId::Monotonic);
    (now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64, Timestamp::now())
}

fn time(record: &Value, field: &str) -> Timestamp {
    record[field].as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{field}: {record}"))
}

#[test]
fn every_field_of_a_span_is_in_its_record() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let configs = Configs::of(&[SPANS]);
    let tool = Tool::start("mapstat", &["-c", &configs.path("spans.yaml"), "--events", "-o", "json"]);
    let (monotonic, wall) = clocks();
    let start = |number: u64| monotonic - 60_000_000_000 + number * 1_000_001;
    let duration = |number: u64| number * 1_001;
    // The first has no trace, the last begins when the machine has long gone.
    (0..MANY).for_each(|number| span(number, start(number), duration(number)));
    span(MANY, u64::MAX / 2, u64::MAX);
    tool.until("the last span", |records| {
        records::with(records, "span", "spans_steps").iter().any(|one| one["step.number"] == "257")
    });
    let ended = tool.interrupt();
    let work = records::with(&ended.records, "service", "tested");
    assert_eq!(work.len() as u64, MANY, "{}", ended.stderr);
    let by_number = |number: u64| {
        let text = number.to_string();
        let mut found = work.iter().filter(|record| record["number"] == text.as_str());
        match (found.next(), found.next()) {
            (Some(one), None) => *one,
            other => panic!("{number}: {other:?}"),
        }
    };
    for number in 1..MANY {
        let record = by_number(number);
        let names: Vec<&str> = record.as_object().expect("fields").keys().map(String::as_str).collect();
        let expected = [
            "ts",
            "host",
            "tool",
            "event",
            "config",
            "service",
            "span",
            "trace_id",
            "span_id",
            "parent_span_id",
            "start",
            "duration_us",
            "number",
            "label_host",
            "lost",
        ];
        assert_eq!(names, expected);
        let text = |field: &str| record[field].as_str().unwrap_or_default();
        assert_eq!([text("event"), text("config"), text("tool")], ["span", "spans", "mapstat"]);
        assert_eq!(text("span"), format!("work{}", number % 10));
        assert_eq!(text("trace_id"), format!("feed000000000000{number:016x}"));
        assert_eq!(text("span_id"), format!("beef{number:012x}"));
        let parent =
            if number % 4 == 0 || number == 1 { Value::Null } else { format!("{:016x}", number - 1).into() };
        assert_eq!(record["parent_span_id"], parent, "{number}");
        assert_eq!(record["duration_us"].as_f64(), Some(duration(number) as f64 / 1e3));
        assert_eq!(text("label_host"), ["running", "asleep", "unknown:2"][(number % 3) as usize]);
        // Between the readings of two clocks little time passes.
        let begun = wall - SignedDuration::from_nanos((monotonic - start(number)) as i64);
        let off = time(record, "start").duration_since(begun).abs();
        assert!(off < SignedDuration::from_secs(1), "{number}: {off}");
        let next = if number + 1 < MANY { time(by_number(number + 1), "start") } else { continue };
        let apart = next.duration_since(time(record, "start"));
        assert!(
            (apart - SignedDuration::from_nanos(1_000_001)).abs() < SignedDuration::from_micros(500),
            "{apart}"
        );
    }
    // What ends later than it is read has the time at which it was.
    let last = by_number(MANY);
    assert!(time(last, "ts") < Timestamp::now() && time(last, "start") > Timestamp::now());
    assert_eq!(last["duration_us"].as_f64(), Some(u64::MAX as f64 / 1e3));
    // Of the others every second one is left out, and each is a trace by itself.
    let steps = records::with(&ended.records, "service", "ebpf_exporter");
    assert_eq!(steps.len() as u64, MANY.div_ceil(2));
    let mut ids: Vec<_> =
        steps.iter().map(|one| one["trace_id"].as_str().expect("an id").to_owned()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), steps.len());
    assert!(
        steps
            .iter()
            .all(|one| one["span"] == "spans_steps" && one["duration_us"] == 0.0 && one["kind"] == "o")
    );
    assert!(steps.iter().all(|one| one["parent_span_id"].is_null()));
    // The first one, which has no trace.
    assert_eq!(records::sum(&ended.records, "lost"), 1);
    assert!(
        ended.stderr.contains("spans_work: a span is left out: label trace_id: `0000"),
        "{}",
        ended.stderr
    );
    let times: Vec<_> = ended.records.iter().map(|record| record["ts"].as_str().expect("a time")).collect();
    assert!(times.is_sorted(), "{times:?}");
}

/// The forms of output, the schema, and what is said where spans or metrics are not asked for.
#[test]
fn spans_have_all_forms_of_output() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let alone = SPANS.2.split("metrics:").next().expect("a config").to_owned();
    let configs = Configs::of(&[SPANS, ("alone", SPANS.1, &alone), KINDS]);
    let path = |name: &str| configs.path(&format!("{name}.yaml"));
    let program = built("mapstat");
    let program = program.to_str().expect("UTF-8");
    let schema = programs::run(program, &["-c", &path("spans"), "--events", "--schema"]);
    let schema: Value = serde_json::from_slice(&schema.stdout).expect("JSON");
    let names: Vec<&String> = schema["properties"].as_object().expect("fields").keys().collect();
    assert!(
        names.ends_with(&[&"label_host".into(), &"step.number".into(), &"kind".into(), &"lost".into()]),
        "{names:?}"
    );
    let checked = programs::run(program, &["-c", &path("alone"), "--check", "-o", "json"]);
    let rows = records::parse(&String::from_utf8_lossy(&checked.stdout));
    let row = rows.iter().find(|row| row["map"] == "spans_work").unwrap_or_else(|| panic!("{rows:?}"));
    assert_eq!(
        (&row["service"], &row["record_bytes"], &row["bytes"]),
        (&"tested".into(), &72.into(), &(1 << 20).into())
    );
    refuses(
        &format!("$BIN/mapstat -c {}", path("alone")),
        2,
        &["alone has spans alone: --events prints them"],
    );
    refuses(&format!("$BIN/mapstat -c {} --events", path("kinds")), 2, &["kinds has no spans"]);
    refuses(&format!("$BIN/mapstat -c {} --events --top 3", path("spans")), 2, &["--top"]);
    let over = AtomicBool::new(false);
    let output = std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in (1..).take_while(|_| !over.load(Ordering::Relaxed)) {
                span(number, clocks().0, 7);
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        });
        let options = ["-c", &path("spans"), "-c", &path("kinds"), "--events", "-o", "csv", "-d", "1"];
        let output = programs::run(program, &options);
        over.store(true, Ordering::Relaxed);
        output
    });
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.contains("kinds is left out: it has no spans"), "{stderr}");
    let mut csv = csv::Reader::from_reader(&output.stdout[..]);
    let header: Vec<_> = csv.headers().expect("a header").iter().map(str::to_owned).collect();
    // Where it has no column for steps of the clock.
    assert!(header.iter().eq(names.into_iter().filter(|name| *name != "clock_step_s")), "{header:?}");
    let rows: Vec<_> = csv.records().map(|row| row.expect("as many columns as the header")).collect();
    let service = header.iter().position(|name| name == "service").expect("a column");
    assert!(rows.iter().any(|row| &row[service] == "tested"), "{rows:?}");
    // Its metrics without that option.
    let tool = configs.start("spans", &["0.1"]);
    (1..=5).for_each(|number| span(number, 0, 0));
    let Ended { records, stderr, .. } = ended(tool);
    assert_eq!(of(&records, "spans_total").iter().filter_map(|one| one["value"].as_u64()).sum::<u64>(), 5);
    assert!(stderr.contains("its spans are not printed"), "{stderr}");
}
