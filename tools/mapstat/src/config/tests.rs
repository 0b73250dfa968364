//! Configs that are right, and those that are not.

use super::*;

fn parsed(text: &str) -> std::result::Result<Config, Mistake> {
    Config::parse("c".to_owned(), text)
}

const TIMERS: &str = "metrics:\n  counters:\n    - name: timer_starts_total\n      help: Timers fired in the kernel\n      \
                      labels:\n        - name: function\n          size: 8\n          decoders:\n            - name: ksym\n";

#[test]
fn a_config_of_ebpf_exporter_is_read() {
    let config = parsed(TIMERS).unwrap();
    let [metric] = &config.metrics[..] else { panic!("one metric") };
    assert_eq!((metric.name.as_str(), metric.form.name()), ("timer_starts_total", "counter"));
    assert!(matches!(metric.labels[..], [Label { size: 8, padding: 0, .. }]));
    let both = parsed(
        "name: other\nunknown: {a: [1]}\nmetrics:\n  counters:\n    - {name: a, help: h, perf_event_array: yes, flush_interval: 10s}\n    \
         - {name: g, type: gauge}\n  histograms:\n    - name: b\n      bucket_type: exp2\n      bucket_max: 0x1A\n      \
         labels: [{name: bucket, size: 4, decoders: [{name: uint}]}]\nkaddrs: [x]\n",
    )
    .unwrap();
    let forms: Vec<_> = both.metrics.iter().map(|metric| (metric.form.name(), metric.is_samples)).collect();
    assert_eq!(forms, [("counter", true), ("gauge", false), ("histogram", false)]);
    assert_eq!((both.name.as_str(), &both.kaddrs[..], both.notes.len()), ("c", &["x".to_owned()][..], 1));
}

#[test]
fn anchors_merge_keys_and_later_duplicates_are_as_in_yaml_1_1() {
    let config = parsed(
        "metrics:\n  counters:\n    - &first\n      name: a\n      labels: &labels\n        - {name: n, size: 8, decoders: [{name: uint}]}\n    \
         - <<: *first\n      name: b\n    - {name: z, name: c, labels: *labels}\n",
    )
    .unwrap();
    let names: Vec<_> =
        config.metrics.iter().map(|metric| (metric.name.as_str(), metric.labels.len())).collect();
    assert_eq!(names, [("a", 1), ("b", 1), ("c", 1)]);
}

/// Where the mistake is, and what is said.
#[test]
fn a_mistake_has_a_line_and_a_column() {
    let label =
        |text: &str| format!("metrics:\n  counters:\n    - name: a\n      labels:\n        - {text}\n");
    for (text, at, says) in [
        ("", None, "none of"),
        ("metrics:\n", None, "none of"),
        ("tracing:\n  spans:\n", None, "none of"),
        ("tracing:\n  spans:\n    - name: a\n", Some((3, 7)), "ringbuf"),
        ("tracing:\n  spans:\n    - ringbuf: ''\n", Some((3, 16)), "`ringbuf`"),
        ("tracing: {spans: [{ringbuf: a, labels: [{name: x}]}]}\n", Some((1, 48)), "`size`"),
        ("metrics: [1]\n", Some((1, 10)), "expected"),
        ("metrics:\n  counters:\n    - help: x\n", Some((3, 7)), "name"),
        ("metrics:\n  counters:\n    - name: \"\"\n", Some((3, 13)), "name"),
        ("a: {\n", Some((1, 4)), "unclosed"),
        ("a: b: c\n", Some((1, 5)), ""),
        ("programs:\n  - name: x\n", Some((2, 3)), "ebpf_exporter 1"),
        ("cgroup_id_map: {name: x}\nmetrics: {counters: []}\n", Some((1, 23)), "`regexps`"),
        ("cgroup_id_map: {regexps: [x]}\nmetrics: {counters: []}\n", Some((1, 17)), "name"),
        ("cgroup_id_map: {name: x, regexps: ['a(']}\nmetrics: {counters: []}\n", Some((1, 36)), "`a(`"),
        (
            "cgroup_id_map: {name: x, type: lru, regexps: [a]}\nmetrics: {counters: []}\n",
            Some((1, 32)),
            "`lru`",
        ),
        (&label("{name: l, decoders: [{name: uint}]}"), Some((5, 18)), "`size`"),
        (&label("{name: l, size: 8}"), Some((5, 18)), "`decoders`"),
        (&label("{name: l, size: -1, decoders: [{name: uint}]}"), Some((5, 27)), "u32"),
        (&label("{name: l, size: 8, decoders: [{name: frob}]}"), Some((5, 48)), "`frob`"),
        (&label("{name: l, size: 8, decoders: [{name: regexp}]}"), Some((5, 48)), "`regexps`"),
        (&label("{name: l, size: 8, decoders: [{name: regexp, regexps: ['a**']}]}"), Some((5, 66)), "repeat"),
        (&label("{name: l, size: 99999999, decoders: [{name: hex}]}"), Some((5, 18)), "65536"),
        (&label("{name: a b, size: 8, decoders: [{name: hex}]}"), Some((5, 18)), "name"),
        ("metrics:\n  counters: [{name: a, type: sum}]\n", Some((2, 30)), "`sum`"),
        ("metrics:\n  histograms: [{name: a, bucket_type: exp2, bucket_max: 3}]\n", Some((2, 23)), "label"),
    ] {
        let mistake = parsed(text).map(|_| ()).unwrap_err();
        assert!(mistake.what.contains(says) && !mistake.what.contains('\n'), "{text}: {mistake:?}");
        assert_eq!(mistake.at, at, "{text}: {mistake:?}");
    }
    let twice = label("{name: l, size: 8, decoders: [{name: hex}]}")
        + "        - {name: l, size: 8, decoders: [{name: hex}]}\n";
    assert!(parsed(&twice).unwrap_err().what.contains("twice"));
}

#[test]
fn a_bomb_is_refused_in_little_time_and_memory() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let above = format!("*a{}, ", level - 1).repeat(10);
        bomb += &format!("a{level}: &a{level} [{above}]\n");
    }
    for text in [
        bomb + TIMERS,
        "[".repeat(100_000),
        format!("a: {}\n{TIMERS}", "[".repeat(50) + &"]".repeat(50)),
        "- ".repeat(50_000),
    ] {
        assert!(parsed(&text).is_err(), "{}", &text[..40]);
    }
    assert!(parsed(&"#".repeat(yaml::BYTES_AT_MOST + 1)).is_err());
}

#[test]
fn a_map_of_cgroups_has_a_type_and_expressions() {
    let of = |kind: &str| {
        let text =
            format!("cgroup_id_map: {{name: m{kind}, regexps: ['^/a', b]}}\nmetrics: {{counters: []}}\n");
        parsed(&text).unwrap().cgroup_ids.unwrap()
    };
    assert_eq!([of(""), of(", type: hash")].map(|ids| ids.kind), [IdMapKind::Hash; 2]);
    let storage = of(", type: cgrp_storage");
    assert_eq!((storage.kind, storage.name.as_str(), storage.regexps.len()), (IdMapKind::Storage, "m", 2));
}

#[test]
fn labels_do_not_hide_fields() {
    assert_eq!(
        (field("device"), field("count"), field("ts")),
        ("device".into(), "label_count".into(), "label_ts".into())
    );
}
