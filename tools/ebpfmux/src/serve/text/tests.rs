//! What `/metrics` says, in both formats.

use super::*;
use crate::metrics::own::counter;
use crate::metrics::{Bounds, Naming};
use crate::record::from_json;

fn text(lines: &[&str], limit: usize, open: bool) -> String {
    formed(lines, limit, open, Naming::default())
}

fn formed(lines: &[&str], limit: usize, open: bool, naming: Naming) -> String {
    let mut metrics = Metrics::new(Bounds { series: limit, label_bytes: 100, quiet: true }, naming);
    lines.iter().for_each(|line| metrics.take(2_500_000_000, &from_json(line.as_bytes()).unwrap()));
    super::text(&metrics, &[counter("ebpfmux_series_dropped", "Left out.", metrics.left_out.series)], open)
}

#[test]
fn counts_grow_gauges_stand_and_labels_are_escaped() {
    let line = r#"{"ts":"x","host":"h","tool":"t-x","interval_s":1.0,"comm":"a\"\\\n","n":3,"zombies":5,"p99_us":1.5,"lost":1}"#;
    let text = text(&[line, &line.replace("\"zombies\":5", "\"zombies\":2")], 100, false);
    for expected in [
        "ebpf_t_x_n_total{host=\"h\",comm=\"a\\\"\\\\\\n\"} 6\n",
        "ebpf_t_x_zombies{host=\"h\",comm=\"a\\\"\\\\\\n\"} 2\n",
        "ebpf_t_x_lost_total{host=\"h\"} 2\n",
        "ebpfmux_records_total{host=\"h\",tool=\"t-x\"} 2\n",
        "ebpfmux_last_record_timestamp_seconds{host=\"h\",tool=\"t-x\"} 2.5\n",
        "# TYPE ebpf_t_x_n_total counter\n",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert!(!text.contains("p99") && !text.contains("interval"), "{text}");
}

#[test]
fn what_programs_occupy_has_no_keys() {
    let line = |comm: &str, level: &str| {
        format!(
            r#"{{"ts":"x","host":"h","tool":"vfsstat","interval_s":1.0,"comm":"{comm}","bpf_bytes":{level},"bpf_keys":{level},"lost":0}}"#
        )
    };
    let text = text(&[&line("a", "4096"), &line("b", "null")], 100, false);
    assert!(text.contains("\nebpf_vfsstat_bpf_bytes{host=\"h\"} 4096\n"), "{text}");
    assert!(text.contains("\nebpf_vfsstat_bpf_keys{host=\"h\"} 4096\n"), "{text}");
}

#[test]
fn whole_numbers_count_in_any_form() {
    let line = |n: &str, pid: &str| {
        format!(
            r#"{{"ts":"x","host":"h","tool":"b","interval_s":1.0,"pid":{pid},"n":{n},"zombies":{n},"count":{n},"mean_us":1.0,"buckets":[[1.088,{n}]]}}"#
        )
    };
    let lines = [line("3", "7"), line("3.0", "7.0"), line("3e0", "70e-1")];
    let text = text(&lines.each_ref().map(String::as_str), 100, false);
    for expected in [
        "ebpf_b_n_total{host=\"h\",pid=\"7\"} 9\n",
        "ebpf_b_zombies{host=\"h\",pid=\"7\"} 3\n",
        "ebpf_b_duration_seconds_count{host=\"h\",pid=\"7\"} 9\n",
        "ebpf_b_duration_seconds_bucket{host=\"h\",pid=\"7\",le=\"+Inf\"} 9\n",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
}

#[test]
fn buckets_are_cumulated() {
    let line = r#"{"ts":"x","host":"h","tool":"b","interval_s":1.0,"disk":"d","count":3,"mean_us":10.0,"buckets":[[1.088,1],[2.048,1],[99000000000.0,1]]}"#;
    let text = text(&[line, line], 100, false);
    for expected in [
        "_bucket{host=\"h\",disk=\"d\",le=\"1.024e-06\"} 0\n",
        "_bucket{host=\"h\",disk=\"d\",le=\"1.28e-06\"} 2\n",
        "_bucket{host=\"h\",disk=\"d\",le=\"2.048e-06\"} 4\n",
        "_bucket{host=\"h\",disk=\"d\",le=\"+Inf\"} 6\n",
        "_sum{host=\"h\",disk=\"d\"} 0.00006\n",
        "_count{host=\"h\",disk=\"d\"} 6\n",
    ] {
        assert!(text.contains(&format!("ebpf_b_duration_seconds{expected}")), "{expected}\n{text}");
    }
    assert!(!text.contains("count_total"), "{text}");
}

#[test]
fn a_joined_records_latencies_are_exported_by_their_own_names() {
    let line = r#"{"ts":"x","host":"h","tool":"ebpfmux","interval_s":1.0,"b.d.count":3,"b.d.mean_us":10.0,"b.d.lost":1}"#;
    let text = text(&[line, line], 100, false);
    for expected in
        ["b_d_duration_seconds_sum{host=\"h\"} 0.00006\n", "b_d_duration_seconds_count{host=\"h\"} 6\n"]
    {
        assert!(text.contains(&format!("ebpf_ebpfmux_{expected}")), "{expected}\n{text}");
    }
    assert!(!text.contains("count_total"), "{text}");
}

/// What ebpf_exporter serves for the same maps, with the host beside its labels.
#[test]
fn metrics_of_configs_have_their_own_names_labels_and_bounds() {
    let bio = r#"{"ts":"x","host":"h","tool":"mapstat","interval_s":1.0,"config":"biolatency","metric":"bio_latency_seconds","type":"histogram","device":"vda","operation":"read","count":3,"sum":0.001824,"mean":0.000608,"p50":1e-6,"p90":2e-6,"p99":2e-6,"p999":2e-6,"buckets":[[1e-06,2],[2e-06,0],[1.6e-05,1],[1.048576,0]],"lost":0}"#;
    let timers = r#"{"ts":"x","host":"h","tool":"mapstat","interval_s":1.0,"config":"timers","metric":"timer_starts_total","type":"counter","function":"a\"b","label_config":"c","value":643704,"lost":2}"#;
    let level = r#"{"ts":"x","host":"h","tool":"mapstat","interval_s":1.0,"config":"jit","metric":"pages","type":"gauge","level":7,"lost":0}"#;
    let idle = r#"{"ts":"x","host":"h","tool":"mapstat","interval_s":1.0,"config":null,"metric":null,"type":null,"value":0,"lost":1}"#;
    let lines = [bio, timers, level, idle, bio, timers, &level.replace("7", "5")];
    let expected = "\
# HELP ebpf_exporter_bio_latency_seconds bio_latency_seconds of the config biolatency.
# TYPE ebpf_exporter_bio_latency_seconds histogram
ebpf_exporter_bio_latency_seconds_bucket{host=\"h\",device=\"vda\",operation=\"read\",le=\"1e-06\"} 4
ebpf_exporter_bio_latency_seconds_bucket{host=\"h\",device=\"vda\",operation=\"read\",le=\"2e-06\"} 4
ebpf_exporter_bio_latency_seconds_bucket{host=\"h\",device=\"vda\",operation=\"read\",le=\"1.6e-05\"} 6
ebpf_exporter_bio_latency_seconds_bucket{host=\"h\",device=\"vda\",operation=\"read\",le=\"1.048576\"} 6
ebpf_exporter_bio_latency_seconds_bucket{host=\"h\",device=\"vda\",operation=\"read\",le=\"+Inf\"} 6
ebpf_exporter_bio_latency_seconds_sum{host=\"h\",device=\"vda\",operation=\"read\"} 0.003648
ebpf_exporter_bio_latency_seconds_count{host=\"h\",device=\"vda\",operation=\"read\"} 6
# HELP ebpf_exporter_pages pages of the config jit.
# TYPE ebpf_exporter_pages gauge
ebpf_exporter_pages{host=\"h\"} 5
# HELP ebpf_exporter_timer_starts_total timer_starts_total of the config timers.
# TYPE ebpf_exporter_timer_starts_total counter
ebpf_exporter_timer_starts_total{host=\"h\",config=\"c\",function=\"a\\\"b\"} 1.287408e+06
";
    let served = text(&lines, 100, false);
    let start = served.find("# HELP ebpf_exporter_").expect("they are served");
    assert!(served[start..].starts_with(expected), "{served}");
    // What is of the tool, and not of the configs, has its own names.
    assert!(served.contains("ebpf_mapstat_lost_total{host=\"h\"} 5\n"), "{served}");
    assert!(!served.contains("ebpf_mapstat_value") && !served.contains("duration"), "{served}");
    let open = text(&[timers, &timers.replace("timer_starts_total", "timers")], 100, true);
    for expected in [
        "# TYPE ebpf_exporter_timer_starts counter\nebpf_exporter_timer_starts_total{",
        "# TYPE ebpf_exporter_timers unknown\nebpf_exporter_timers{",
    ] {
        assert!(open.contains(expected), "{expected}\n{open}");
    }
}

/// Byte for byte what ebpf_exporter serves: no host, its help escaped, labels by name.
#[test]
fn metrics_of_configs_can_be_those_of_ebpf_exporter_alone() {
    let line = |tool: &str, rest: &str| {
        format!(
            r#"{{"ts":"x","host":"{tool}","tool":"{tool}","interval_s":1.0,"config":"c",{rest},"lost":0}}"#
        )
    };
    let first = line(
        "mapstat",
        r#""metric":"b_seconds","type":"histogram","help":"Time \"of\" a\\b\nand c","count":1,"sum":0.5,"buckets":[[0.5,1],[1,0]]"#,
    );
    let later = line("mapstat", r#""metric":"a_total","type":"counter","z":"1","cpu":"0","value":2000000"#);
    let told =
        line("mapstat", r#""metric":"a_total","type":"counter","help":"Late.","z":"1","cpu":"0","value":1"#);
    let level = line("mapstat", r#""metric":"level","type":"gauge","help":"Now.","level":3000000"#);
    let lines = [first.as_str(), &later, &told, &level];
    let form = || Naming { host: false, prefix: "mine_".to_owned(), idle: None };
    let body = "\
# TYPE mine_a_total counter
mine_a_total{cpu=\"0\",z=\"1\"} 2.000001e+06
# HELP mine_b_seconds Time \"of\" a\\\\b\\nand c
# TYPE mine_b_seconds histogram
mine_b_seconds_bucket{le=\"0.5\"} 1
mine_b_seconds_bucket{le=\"1\"} 1
mine_b_seconds_bucket{le=\"+Inf\"} 1
mine_b_seconds_sum 0.5
mine_b_seconds_count 1
# HELP mine_level Now.
# TYPE mine_level gauge
mine_level 3e+06
";
    let served = formed(&lines, 100, false, form());
    let start = served.find("# HELP mine_").expect("they are served");
    assert!(served[start..].starts_with(&format!("# HELP mine_a_total Late.\n{body}")), "{served}");
    assert!(served.contains("ebpfmux_records_total{tool=\"mapstat\"} 4\n"), "{served}");
    let open = formed(&lines, 100, true, form());
    assert!(open.contains("# HELP mine_b_seconds Time \\\"of\\\" a\\\\b\\nand c\n"), "{open}");
    let time = |value: &str| {
        line("mapstat", &format!(r#""metric":"t_seconds","type":"counter","id":"1","value":{value}"#))
    };
    let times = formed(&[&time("0"), &time("0.25"), &time("2"), &time("1e-1")], 100, false, form());
    assert!(times.contains("\nmine_t_seconds{id=\"1\"} 2.35\n"), "{times}");
    // What would be one series of two hosts is that of the first.
    let other = later.replace("\"host\":\"mapstat\"", "\"host\":\"other\"");
    let both = formed(&[&later, &other], 100, false, form());
    assert!(both.contains("mine_a_total{cpu=\"0\",z=\"1\"} 2e+06\n"), "{both}");
}

#[test]
fn series_have_a_limit() {
    let line = |n: u32| format!(r#"{{"ts":"x","host":"h","tool":"t","interval_s":1.0,"pid":{n},"n":1}}"#);
    let lines: Vec<String> = (0..50).map(line).collect();
    let text = text(&lines.iter().map(String::as_str).collect::<Vec<_>>(), 10, false);
    assert!(text.contains("ebpfmux_series_dropped_total 42\n"), "{text}");
}

#[test]
fn odd_names_leave_out_only_themselves() {
    let good = r#"{"ts":"x","host":"h","tool":"t","interval_s":1.0,"disk":"d","n":1}"#;
    let odd = r#"{"ts":"x","host":"h","tool":"t","interval_s":1.0,"disk":"d","le":"1","__name__":"2","":"3","1st":"4","n":2,"zombies":7}"#;
    let other_tool = r#"{"ts":"x","host":"h","tool":"t_x","interval_s":1.0,"n":4}"#;
    let text = text(&[good, odd, &other_tool.replace("t_x", "t-x"), other_tool], 100, false);
    for expected in [
        "ebpf_t_n_total{host=\"h\",disk=\"d\"} 1\n",
        "ebpf_t_n_total{host=\"h\",_1st=\"4\",disk=\"d\"} 2\n",
        // Nothing tells the two programs apart, so the second is left out.
        "ebpf_t_x_n_total{host=\"h\"} 4\n",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    // A gauge of several keys has no value.
    assert!(!text.contains("zombies") && !text.contains("le=") && !text.contains("__name__"), "{text}");
}

#[test]
fn what_is_less_than_nothing_is_not_added() {
    let line = |mean: &str| {
        format!(
            r#"{{"ts":"x","host":"h","tool":"biolat","interval_s":1.0,"disk":"d","op":"read","count":2,"mean_us":{mean},"lost":0}}"#
        )
    };
    let text = text(&[&line("1.0"), &line("-9e9"), &line("1e999"), &line("1.0")], 100, true);
    let labels = "{host=\"h\",disk=\"d\",op=\"read\"}";
    for expected in ["sum{} 0.000004\n", "count{} 4\n"] {
        let expected = format!("ebpf_biolat_duration_seconds_{}", expected.replace("{}", labels));
        assert!(text.contains(&expected), "{expected}\n{text}");
    }
}

/// Whether a host's tool prints buckets is a matter of that host.
#[test]
fn hosts_with_and_without_buckets_are_two_families() {
    let with = r#"{"ts":"x","host":"with","tool":"b","interval_s":1.0,"disk":"d","count":3,"mean_us":10.0,"buckets":[[2.048,3]]}"#;
    let without =
        r#"{"ts":"x","host":"without","tool":"b","interval_s":1.0,"disk":"d","count":5,"mean_us":10.0}"#;
    let partly = r#"{"ts":"x","host":"partly","tool":"b","interval_s":1.0,"disk":"d","count":7,"mean_us":10.0,"buckets":[[2.048,3]]}"#;
    for lines in [[with, without, partly], [without, partly, with]] {
        let both = text(&lines, 100, true);
        for expected in [
            "# TYPE ebpf_b_duration_seconds histogram\n",
            "ebpf_b_duration_seconds_bucket{host=\"with\",disk=\"d\",le=\"2.048e-06\"} 3\n",
            "ebpf_b_duration_seconds_bucket{host=\"with\",disk=\"d\",le=\"+Inf\"} 3\n",
            "# TYPE ebpf_b_duration_unbucketed_seconds summary\n",
            "ebpf_b_duration_unbucketed_seconds_count{host=\"without\",disk=\"d\"} 5\n",
            "ebpf_b_duration_unbucketed_seconds_count{host=\"partly\",disk=\"d\"} 7\n",
        ] {
            assert!(both.contains(expected), "{expected}\n{both}");
        }
        assert_eq!(both.matches("le=\"+Inf\"").count(), 1, "{both}");
    }
    assert!(text(&[without], 100, true).contains("ebpf_b_duration_seconds_count{host=\"without\""));
}

#[test]
fn long_labels_are_left_out() {
    let line =
        |comm: &str| format!(r#"{{"ts":"x","host":"h","tool":"t","interval_s":1.0,"comm":"{comm}","n":1}}"#);
    let text = text(&[&line("short"), &line(&"x".repeat(200))], 100, false);
    assert!(text.contains("short") && !text.contains("xxx"), "{text}");
    assert!(text.contains("ebpfmux_records_total{host=\"h\",tool=\"t\"} 2\n"), "{text}");
}

#[test]
fn openmetrics_has_units_and_an_end() {
    let line = r#"{"ts":"x","host":"h","tool":"b","interval_s":1.0,"read_bytes":3,"count":1,"mean_us":1.0}"#;
    let text = text(&[line], 100, true);
    for expected in [
        "# TYPE ebpf_b_read_bytes counter\n# UNIT ebpf_b_read_bytes bytes\nebpf_b_read_bytes_total{host=\"h\"} 3\n",
        "# TYPE ebpf_b_duration_seconds summary\n# UNIT ebpf_b_duration_seconds seconds\n",
        "\nebpfmux_series_dropped_total 0\n# EOF\n",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert_eq!(
        (bound(1.024e-6), bound(0.000_262_144), bound(68.719_476_736)),
        ("1.024e-06".into(), "0.000262144".into(), "68.719476736".into())
    );
}
