//! A resolver of this machine: what is asked of it and what it asks in turn are queries of their own.

use std::collections::BTreeMap;

use serde_json::Value;
use tests::cgroup::Cgroup;
use tests::records::{sum, sum_if_any, with};
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, lock};

use super::{compare, kinds, until_over, wait_for_the_server};

/// The resolver, and the server that it asks: `tests/src/bin/workload/dns/resolver.rs`.
const RESOLVER: &str = "127.0.0.53";
const UPSTREAM: &str = "127.0.0.9";

#[test]
fn a_resolver_asks_for_what_it_does_not_know() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let cgroup = Cgroup::new();
    let mut all = Vec::new();
    for kind in kinds() {
        all.push(vec!["--attach", kind, "0.5"]);
        all.push(vec!["--attach", kind, "--events"]);
    }
    let servers = format!("{RESOLVER},{UPSTREAM}");
    let with_common: Vec<_> =
        all.iter().map(|options| [&["-v", "--cidr", &servers], &options[..]].concat()).collect();
    let tools = Tool::start_all("dnslat", &with_common);
    let known = Workload::run(&["dns", "--resolver", "--parts", "resolver", "--cgroup", cgroup.path()]);
    let asked = |server: &str, field: &str| sum_if_any(with(&known, "server_addr", server), field);
    // That the names that were known were not asked for again is the resolver's business: its cache.
    assert_eq!([RESOLVER, UPSTREAM].map(|server| asked(server, "queries")), [82 + 7 + 3 + 5 + 11, 67]);
    let timeouts = sum_if_any(&known, "timeouts");
    for (options, tool) in all.iter().zip(tools) {
        until_over(&tool, timeouts);
        let ended = tool.interrupt();
        let options: Vec<&str> = options.iter().copied().filter(|option| *option != "0.5").collect();
        compare(&options, &ended, &known, &["server_addr", "transport"]);
        wait_for_the_server(with(&ended.records, "server_addr", UPSTREAM));
        if options.contains(&"--events") && sum(&ended.records, "lost") == 0 {
            who_asks(&ended.records, &known[0]["pid"]);
        }
    }
}

/// Each of them asks its own server, and the one whose question is passed on waits for the longer time.
fn who_asks(events: &[Value], asker: &Value) {
    let mut passed_on = BTreeMap::new();
    for event in with(events, "server_addr", UPSTREAM) {
        assert_eq!(event["comm"], "dnsmasq", "{event}");
        passed_on.insert(event["name"].to_string(), event["duration_us"].as_f64());
    }
    for event in with(events, "server_addr", RESOLVER) {
        assert_eq!((&event["pid"], &event["comm"]), (asker, &"workload".into()), "{event}");
        // The first of a name: the next is answered from memory.
        if let (Some(Some(us)), Some(of_all)) =
            (passed_on.remove(&event["name"].to_string()), event["duration_us"].as_f64())
        {
            assert!(of_all > us, "{event}: it was passed on, which took {us} us");
        }
    }
}
