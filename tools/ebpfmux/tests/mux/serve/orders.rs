//! `ebpfmux --serve`: what it counts, and how tools are enabled and disabled, by whom.

use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use test_support::streams::Streams;
use test_support::wait::{For, until, until_still};

use super::Served;
use crate::support::{bash, mux_in};

/// A fake tool: prints an interval of a disk every fifth of a second, with a name that needs
/// escaping, until it is stopped.
pub const TOOL: &str = r#"trap 'exit 0' INT TERM
while :; do
    now
    echo '{"ts":"'$ts'","host":"web","tool":"disks","interval_s":0.2,"disk":"a\"b\\c","count":4,"mean_us":250.0,"p99_us":1.0,"bytes":4096,"zombies":3,"buckets":[[102.4,1],[212.992,2],[491.52,1]],"lost":1}'
    sleep 0.2
done
"#;

/// Serves in the folder of these streams.
pub(super) fn serve(streams: &Streams, arguments: &[&str]) -> Served {
    Served::of(streams.path(""), mux_in(streams, arguments))
}

pub fn streams() -> Streams {
    let streams = Streams::default();
    streams.write("disks", bash(TOOL)).shell("chmod +x disks");
    streams
}

pub const BYTES: &str = r#"ebpf_disks_bytes_total{host="web",disk="a\"b\\c"}"#;

/// What is said of the first tool.
fn first_tool(served: &Served) -> Value {
    served.tools("")[0].clone()
}

#[test]
fn counters_only_grow_and_promtool_finds_nothing_to_say() {
    let streams = streams();
    let served = serve(&streams, &["--run", "./disks", "--serve", "0"]);
    let first = until(For::Answer, "the first intervals", || {
        Some(served.value(BYTES)).filter(|bytes| *bytes >= 3.0 * 4096.0)
    });
    // The tool is stopped and started again; its counters begin at 0.
    assert_eq!(served.order("/tools/disks/disable"), 202);
    until(For::End, "disks", || Some(()).filter(|()| first_tool(&served)["running"] == json!(false)));
    // Its last output may still be in transit, and rendered metrics are cached for a tenth of a
    // second. A disabled tool counts nothing more.
    let before =
        until_still("the bytes of a tool that has ended", Duration::from_millis(500), || served.value(BYTES));
    assert!(before >= first, "{before}");
    assert_eq!(served.order("/tools/disks/enable"), 202);
    until(For::Answer, "the tool to count again", || Some(()).filter(|()| served.value(BYTES) > before));
    let text = served.body("/metrics", "");
    streams.write("metrics", &text);
    assert_eq!(streams.good("promtool check metrics < metrics"), "", "{text}");
    let records = text
        .lines()
        .find_map(|line| line.strip_prefix("ebpfmux_records_total{host=\"web\",tool=\"disks\"} "));
    let records: u64 = records.and_then(|count| count.parse().ok()).expect("a count");
    let labels = r#"{host="web",disk="a\"b\\c""#;
    for expected in [
        format!("{BYTES} {}", records * 4096),
        format!("ebpf_disks_zombies{labels}}} 3"),
        format!("ebpf_disks_lost_total{{host=\"web\"}} {records}"),
        format!("ebpf_disks_duration_seconds_count{labels}}} {}", records * 4),
        format!("ebpf_disks_duration_seconds_bucket{labels},le=\"0.000262144\"}} {}", records * 3),
        format!("ebpf_disks_duration_seconds_bucket{labels},le=\"+Inf\"}} {}", records * 4),
    ] {
        assert!(text.lines().any(|line| line == expected), "{expected}\n{text}");
    }
}

#[test]
fn tools_are_listed_enabled_for_a_time_and_disabled() {
    let streams = streams();
    let served =
        serve(&streams, &["--run", "./disks 5", "--run", "sh -c 'exit 2'", "--serve", "127.0.0.1:0"]);
    let tool = until(For::Answer, "the tools", || Some(first_tool(&served)).filter(|tool| !tool.is_null()));
    assert_eq!(
        tool,
        json!({"name": "disks", "state": "running", "running": true, "enabled": true, "seconds_left": null, "failed": false, "restarts": 0})
    );
    assert_eq!(served.value("ebpf_tool_up{tool=\"disks\"}"), 1.0);
    assert_eq!(served.order("/tools/disks/enable?seconds=1000"), 202);
    until(For::Answer, "a limit in the metrics", || {
        let left = served.value("ebpf_tool_seconds_left{tool=\"disks\"}");
        Some(()).filter(|()| left > 900.0 && left <= 1000.0)
    });
    assert_eq!(served.order("/tools/disks/enable?seconds=0.7"), 202);
    until(For::Answer, "a limit", || {
        Some(()).filter(|()| {
            first_tool(&served)["seconds_left"].is_f64() || first_tool(&served)["running"] == json!(false)
        })
    });
    until(For::Answer, "the time to be over", || {
        Some(()).filter(|()| first_tool(&served)["running"] == json!(false))
    });
    assert_eq!(first_tool(&served)["enabled"], json!(false));
    // The other command failed for good.
    until(For::Answer, "the failure to be reported", || Some(()).filter(|()| served.health() == 503));
    assert_eq!(served.body("/healthz", ""), "sh failed\n");
    assert!(served.body("/healthz", &served.token()).contains("exit 2"));
    let token = served.token();
    for (method, path, headers, status) in [
        ("POST", "/tools/none/enable", token.as_str(), 404),
        ("POST", "/tools/disks/enable?seconds=x", &token, 400),
        ("POST", "/tools/disks/enable?seconds=-1", &token, 400),
        ("POST", "/tools/disks/enable", "", 401),
        ("POST", "/tools/disks/remove", "", 404),
        ("GET", "/tools/disks/enable", "", 405),
        ("DELETE", "/metrics", "", 405),
        ("GET", "/", "", 404),
        ("HEAD", "/metrics", "", 200),
        // Requests that a page in a browser on this machine could make.
        ("POST", "/tools/disks/enable", "Origin: http://evil.example\r\n", 403),
        ("GET", "/metrics", "Host: evil.example\r\n", 403),
    ] {
        assert_eq!(served.ask(method, path, headers).0, status, "{method} {path} {headers}");
    }
}

#[test]
fn others_need_a_token_and_take_no_room() {
    let streams = streams();
    streams.write("token", "s3cret\n").write("none", "\n").write("open", "s3cret\n");
    streams.good("chmod 600 token none && chmod 644 open");
    for (arguments, names) in [
        ("--serve 0.0.0.0:0", "--serve-token"),
        ("--serve nowhere", "not PORT"),
        ("--serve 0 --serve-token none", "is empty"),
        ("--serve 0 --serve-token missing", "No such file"),
        ("--serve 0 --serve-token open", "chmod 600 open"),
        ("--serve-series 3", "--serve <ADDR>"),
        ("--serve 203.0.113.7:1 --serve-token token", "another address"),
    ] {
        let output = streams.shell(&format!("ebpfmux {arguments}"));
        assert_eq!((output.status, output.err.lines().count()), (Some(2), 1), "{arguments}: {}", output.err);
        assert!(output.err.contains(names), "{arguments}: {}", output.err);
    }
    let served = serve(&streams, &["--run", "./disks", "--serve", "0", "--serve-token", "token"]);
    let taken = streams.shell(&format!("ebpfmux --serve {}", served.address));
    assert_eq!(taken.status, Some(2), "{}", taken.err);
    assert!(taken.err.contains("Address already in use") && taken.err.contains("another address or port"));
    assert_eq!(served.ask("GET", "/metrics", "").0, 401);
    assert_eq!(served.ask("POST", "/tools/disks/disable", "Authorization: Bearer s3cre\r\n").0, 401);
    assert_eq!(served.health(), 200);
    assert_eq!(served.ask("GET", "/metrics", "Authorization: Bearer s3cret\r\n").0, 200);
    let long = format!("X: {}\r\n", "x".repeat(100_000));
    assert!([0, 400, 431].contains(&served.ask("GET", "/healthz", &long).0));
    let many = "X: x\r\n".repeat(200);
    assert!([0, 400, 431].contains(&served.ask("GET", "/healthz", &many).0));
    // Silent clients are disconnected after two seconds and never block the merge.
    let _silent: Vec<TcpStream> =
        (0..50).map(|_| TcpStream::connect(&served.address).expect("a connection")).collect();
    until(For::Answer, "room", || Some(()).filter(|()| served.health() == 200));
}
