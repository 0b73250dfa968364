//! mapstat on what no config or object is: a line that says where and what, no more, and never a panic.

use std::fmt::Write as _;
use std::os::unix::fs::FileExt;

use super::*;

const HUGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/mapstat_huge.bpf.o"));

/// A counter with these labels.
fn labels(text: &str) -> String {
    format!("metrics:\n  counters:\n    - name: kinds_array\n      labels:\n{text}")
}

/// Each name nine times the one before: some 10^18 values if all were written out.
fn bomb() -> String {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..20 {
        let alias = vec![format!("*a{}", level - 1); 9].join(", ");
        let _ = writeln!(text, "a{level}: &a{level} [{alias}]");
    }
    text + "metrics: {counters: *a19}\n"
}

#[test]
fn a_config_that_is_none_is_refused_in_one_line() {
    let configs = Configs::of(&[]);
    let deep = format!("a: {}1{}\n", "[".repeat(5000), "]".repeat(5000));
    let many = format!("metrics: {{counters: [{}]}}\n", "{name: a, labels: []},".repeat(60_000));
    let wrong_map = "        - {name: l, size: 8, decoders: [{name: static_map, static_map: [1]}]}\n";
    // The content, where it is wrong (line and column, if any says so), and a word of what is said.
    for (text, at, says) in [
        (bomb().as_bytes(), ":", "budget"),
        (deep.as_bytes(), ":1:", "recursion"),
        (many.as_bytes(), ": ", "larger than"),
        (&[b'#'; (1 << 20) + 1], ": ", "larger than"),
        (b"metrics:\n  counters: \xff\xfe\n", ":2:13: ", "UTF-8"),
        (b"\0\0\0\0", ":1:1: ", ""),
        (b"metrics: 5\n", ":1:10: ", ""),
        (b"metrics:\n  counters: {name: a}\n", ":2:13: ", ""),
        (b"metrics:\n  counters:\n    - name: [a]\n", ":3:13: ", ""),
        (b"metrics:\n  counters:\n    - name: a\n      labels: 5\n", ":4:15: ", ""),
        (labels("        - {name: l, size: eight, decoders: [{name: uint}]}\n").as_bytes(), ":5:27: ", "u32"),
        (labels("        - {name: l, size: -8, decoders: [{name: uint}]}\n").as_bytes(), ":5:27: ", "u32"),
        (labels("        - {name: l, size: 4294967296, decoders: [{name: uint}]}\n").as_bytes(), ":5:27: ", "u32"),
        (labels(wrong_map).as_bytes(), ":5:", ""),
        (
            b"metrics: {histograms: [{name: a, bucket_type: exp2, bucket_max: 9999, labels: [{name: b, size: 4, decoders: [{name: uint}]}]}]}\n",
            ":1:",
            "bucket",
        ),
        (
            b"metrics: {histograms: [{name: a, bucket_type: fixed, bucket_keys: [x], labels: [{name: b, size: 4, decoders: [{name: uint}]}]}]}\n",
            ":1:68: ",
            "",
        ),
        (b"metrics: &a\n  counters: *a\n", ":", ""),
        (b"metrics: *none\n", ":1:10: ", "anchor"),
        (b"tracing: {spans: [{ringbuf: a, labels: 7}]}\n", ":1:40: ", ""),
        (b"cgroup_id_map: {name: x, regexps: ['(((((((((('] }\nmetrics: {counters: []}\n", ":1:36: ", "`(((("),
    ] {
        fs::write(configs.path("hostile.yaml"), text).expect("it is written");
        let at = format!("hostile.yaml{at}");
        refuses(&format!("$BIN/mapstat -c {}", configs.path("hostile.yaml")), 2, &[&at, says]);
    }
    // Neither a file nor what has an end.
    refuses(&format!("$BIN/mapstat -c {}", configs.path("")), 2, &["cannot read"]);
    refuses("$BIN/mapstat -c /dev/zero", 2, &["/dev/zero"]);
}

#[test]
fn an_object_that_is_none_is_refused_in_one_line() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let huge = "metrics: {counters: [{name: huge, labels: [{name: a, size: 4, decoders: [{name: uint}]}]}]}";
    let configs = Configs::of(&[KINDS, ("huge", HUGE, huge)]);
    let whole = KINDS.1;
    let mut swapped = whole.to_vec();
    // e_ident[EI_DATA]: the other order of bytes; e_machine: another architecture's.
    swapped[5] = 2;
    let mut foreign = whole.to_vec();
    foreign[18..20].copy_from_slice(&62u16.to_le_bytes());
    let program = fs::read("/proc/self/exe").expect("it is read");
    let cuts = (1..16).map(|part| whole[..whole.len() * part / 16].to_vec());
    let all =
        [Vec::new(), b"\x7fELF".to_vec(), vec![0; 1 << 16], swapped, foreign, program[..1 << 16].to_vec()];
    let line = format!("$BIN/mapstat -c {}", configs.path("kinds.yaml"));
    for bytes in all.into_iter().chain(cuts) {
        fs::write(configs.path("kinds.bpf.o"), &bytes).expect("it is written");
        refuses(&line, 2, &["kinds.bpf.o is no BPF object"]);
    }
    // A file that is all holes.
    fs::File::create(configs.path("kinds.bpf.o"))
        .and_then(|file| file.write_at(&[0], 1 << 32))
        .expect("a file");
    refuses(&line, 2, &["kinds.bpf.o is no BPF object"]);
    // More than any kernel gives.
    refuses(&format!("$BIN/mapstat -c {}", configs.path("huge.yaml")), 3, &["huge", "map"]);
}
