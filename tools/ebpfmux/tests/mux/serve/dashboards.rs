//! The dashboards and rules of contrib/, asked of a real Prometheus that scrapes every tool.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use test_support::prometheus::Prometheus;
use test_support::streams::Streams;
use test_support::wait::{For, until_or};

use super::orders::serve;
use crate::support::bash;

/// Who did it: not told without --by.
const OWNERS: [&str; 7] = ["pid", "tid", "comm", "ppid", "parent", "cgroup", "app"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The queries of all dashboards, with their titles, and whether they need classic histograms.
fn queries() -> Vec<(String, String, bool)> {
    let mut queries = Vec::new();
    for file in fs::read_dir(root().join("contrib/grafana")).expect("a folder") {
        let text = fs::read_to_string(file.expect("an entry").path()).expect("a dashboard");
        let dashboard: Value = serde_json::from_str(&text).expect("JSON");
        let names = dashboard["templating"]["list"].as_array().expect("variables");
        assert!(names.iter().any(|name| name["name"] == "host"), "{}", dashboard["title"]);
        for panel in dashboard["panels"].as_array().expect("panels") {
            for target in panel["targets"].as_array().expect("targets") {
                let query = target["expr"].as_str().expect("a query").replace("$host", ".*");
                let query = query.replace("$__rate_interval", "5s").replace("[5m:30s]", "[5s:1s]");
                let title = format!("{}: {}", dashboard["title"], panel["title"]);
                queries.push((title, query, panel["type"] == "heatmap"));
            }
        }
    }
    queries
}

/// A record with a value for each field of a tool's schema; `TS` is its time.
fn record(tool: &str, schema: &Value) -> String {
    let mut record = Map::new();
    for (name, field) in schema["properties"].as_object().expect("fields") {
        let value = match field["x-kind"].as_str() {
            Some("time") => json!("TS"),
            Some("interval") => json!(0.2),
            Some("key") if name == "host" => json!("web"),
            Some("key") if name == "tool" => json!(tool),
            Some("key") if OWNERS.contains(&name.as_str()) => continue,
            Some("key") => field["enum"].get(0).cloned().unwrap_or_else(|| json!("some")),
            Some("minimum" | "mean" | "percentile" | "maximum") => json!(1.5),
            Some("buckets") => json!([[1.536, 5]]),
            Some("counter") => json!(5),
            Some("gauge" | "value") => json!(3),
            _ => continue,
        };
        record.insert(name.clone(), value);
    }
    Value::Object(record).to_string()
}

/// Programs with the names of all tools that a dashboard asks for, which print such records.
fn tools(streams: &Streams) -> Vec<String> {
    let asked: String = queries().into_iter().map(|(_, query, _)| query).collect();
    let mut tools = Vec::new();
    for file in fs::read_dir(root().join("common/record/schemas")).expect("a folder") {
        let path = file.expect("an entry").path();
        let tool = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_string();
        if !asked.contains(&format!("ebpf_{tool}_")) {
            continue;
        }
        let schema = serde_json::from_str(&fs::read_to_string(&path).expect("a schema")).expect("JSON");
        let line = record(&tool, &schema);
        let script = format!(
            "trap 'exit 0' INT TERM\n\
             printf '{{\"hook\":\"requests\",\"kind\":\"fentry\"}}\\n' >\"/proc/self/fd/${{EBPF_ATTACHED%%:*}}\"\nwhile :; do\n\
             now\necho '{}'\nsleep 0.2\ndone\n",
            line.replace("TS", "'$ts'")
        );
        streams.write(&tool, bash(&script)).good(&format!("chmod +x {tool}"));
        tools.push(tool);
    }
    tools
}

#[test]
fn each_query_of_the_dashboards_has_an_answer() {
    let streams = Streams::default();
    let tools = tools(&streams);
    assert!(tools.len() >= 14, "{tools:?}");
    let runs: Vec<String> = tools.iter().map(|tool| format!("./{tool}")).collect();
    let arguments: Vec<&str> = runs.iter().flat_map(|run| ["--run", run]).chain(["--serve", "0"]).collect();
    let served = serve(&streams, &arguments);
    let (directory, targets) = (streams.path("."), std::slice::from_ref(&served.address));
    let classic = Prometheus::start(&directory, targets, None, &[]);
    let native = Prometheus::start(&directory, targets, None, &["--enable-feature=native-histograms"]);
    for (title, query, needs_classic) in queries() {
        for (prometheus, is_native) in [(&classic, false), (&native, true)] {
            if !(is_native && needs_classic) {
                until_or(For::Answer, &title, || prometheus.query(&query), || query.clone());
            }
        }
    }
}

/// The rules and alerts, over made-up series whose answers are known, by Prometheus' own checker.
#[test]
fn rules_and_alerts_fire_when_they_should() {
    let streams = Streams::default();
    let folder = root().join("contrib/prometheus");
    streams.good(&format!("cd '{}' && promtool test rules tests.yml", folder.display()));
}
