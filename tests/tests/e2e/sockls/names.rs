//! Names of other ends (`--resolve`), by a server of DNS and by /etc/hosts.

use std::fs;

use serde_json::Value;
use tests::comparison::Comparison;
use tests::programs::{built, succeed};
use tests::records::{parse, sum, with};
use tests::wait::{For, until};
use tests::workload::Workload;
use tests::{can_run, lock};

use super::{LISTENERS, PAIRS, UDP, WORK, held};

/// Where the server is, in the network namespace of the sockets.
const SERVER: &str = "127.0.0.9";

/// Runs sockls to its end in the network namespace of a process, where these are the names of hosts and the server is asked.
fn resolved(pid: &str, hosts: &str, options: &[&str]) -> Vec<Value> {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| fs::write(directory.path().join(name), text).expect("a file");
    file("hosts", hosts);
    file("resolv.conf", &format!("nameserver {SERVER}\n"));
    let mount = format!("mount --bind {} /etc", directory.path().display());
    let sockls = built("sockls").display().to_string();
    let line = format!("set -e; {mount}; exec {sockls} -q -o json --resolve -p {pid} {}", options.join(" "));
    let network = format!("--net=/proc/{pid}/ns/net");
    // An answer may be too late for a single look, which does not wait for long.
    let unknown = |record: &Value| record["remote_addr"].is_string() && record["remote_name"].is_null();
    until(For::Answer, "the names", || {
        let records = parse(&succeed("nsenter", &[&network, "unshare", "--mount", "bash", "-c", &line]));
        (!records.iter().any(unknown)).then_some(records)
    })
}

/// The sockets that have another end have these names, and as many as are known have one.
fn are_named(records: &[Value], is_name: impl Fn(&str) -> bool) {
    let named: Vec<_> = records.iter().filter(|record| record["remote_name"].is_string()).collect();
    assert_eq!(named.len() as u64, 2 * PAIRS);
    for record in named {
        let right = record["remote_name"].as_str().is_some_and(&is_name);
        assert!(right && record["remote_addr"].is_string(), "{record}");
    }
}

#[test]
fn names_of_other_ends_are_looked_up() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    const HOSTS: &str = "127.0.0.1 here.test other\n::1 here.test\n";
    for (more, ends) in [(&["--apart"][..], "1.0.0.127.in-addr.arpa"), (&["--apart", "--six"], ".ip6.arpa")] {
        let (workload, _, _) = held(&[&WORK[..], more].concat());
        let pid = workload.pid();
        let mut server =
            Workload::start(&["dns", "--serve", SERVER, "--netns", &format!("/proc/{pid}/ns/net")]);
        server.until_says("ready");
        // By the server, unless the file has one.
        are_named(&resolved(&pid, "", &[]), |name| name.starts_with("ptr-1.") && name.ends_with(ends));
        are_named(&resolved(&pid, HOSTS, &[]), |name| name == "here.test");
        let all = UDP + LISTENERS + 2 * PAIRS;
        let cases: [(&[&str], u64); 4] = [
            (&["--host", "'here.*'"], 2 * PAIRS),
            (&["--host", "'!here.*'"], all - 2 * PAIRS),
            (&["--host", "there.test"], 0),
            (&["--sum", "remote_name"], all),
        ];
        for (options, expected) in cases {
            let records = resolved(&pid, HOSTS, options);
            Comparison::of("sockls", options).field("sockets", sum(&records, "sockets"), expected).equal();
            if options[0] == "--sum" {
                assert_eq!(
                    sum(with(&records, "remote_name", "here.test"), "sockets"),
                    2 * PAIRS,
                    "{records:?}"
                );
            }
        }
        server.go_on();
        server.finish();
        workload.finish();
    }
}
