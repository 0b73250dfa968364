//! The recipes of docs/ebpfmux.md: each must print what the page shows.

use std::fmt::Write;

use test_support::streams::{Streams, record};

use crate::support::victoria::victoria;

const README: &str = include_str!("../../../../docs/ebpfmux.md");

/// A minute of a host: its disk is read, slowly in two seconds, idle in one; processes start, one
/// zombie remains.
fn minute(host: &str, slow: [u64; 2]) -> String {
    let mut lines = String::new();
    for second in 1..=60u64 {
        let at = second as f64 + if host == "web1" { 0.000_118 } else { 0.000_734 } - 1.0;
        let count = 100 + second * 7 % 13;
        let (p99, tail) =
            if slow.contains(&second) { (24_444.906, 23_068.672 + 2_097.152) } else { (244.45, 251.904) };
        let values = if second == 30 {
            r#""disk":null,"op":null,"count":0,"mean_us":null,"p50_us":null,"p99_us":null,"bytes":0,"errors":0,"buckets":[]"#.to_owned()
        } else {
            format!(
                r#""disk":"vda","op":"read","count":{count},"mean_us":82.125,"p50_us":78.6,"p99_us":{p99},"bytes":{},"errors":0,"buckets":[[79.872,{}],[{tail},2]]"#,
                count * 4096,
                count - 2
            )
        };
        lines += &record(at, host, "biolat", &values);
        let forks = 5 + second * 11 % 17;
        lines += &record(
            at,
            host,
            "proclife",
            &format!(r#""forks":{forks},"exits":{forks},"zombies":{}"#, second / 40),
        );
    }
    lines
}

#[test]
fn the_recipes_print_what_the_readme_says() {
    let streams = Streams::default();
    streams.write("web1.ndjson", minute("web1", [17, 41])).write("web2.ndjson", minute("web2", [41, 58]));
    let section =
        README.split("## Recipes").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("recipes");
    let blocks: Vec<&str> = section.split("```").skip(1).step_by(2).collect();
    assert_eq!(blocks.len(), 11, "eleven recipes");
    let victoria = victoria(&streams);
    let port = format!("localhost:{}", victoria.port);
    let mut wrong = String::new();
    for block in blocks {
        let (command, shown) = block
            .trim_start()
            .strip_prefix("$ ")
            .and_then(|block| block.split_once('\n'))
            .expect("a command");
        let output = streams.shell(&format!("exec 2>&1; {}", command.replace("localhost:8428", &port)));
        if output.out != shown {
            write!(wrong, "$ {command}\n{}\n", output.out).expect("memory");
        }
    }
    assert!(wrong.is_empty(), "not as docs/ebpfmux.md shows:\n{wrong}");
}
