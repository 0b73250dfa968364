//! A container whose queries pass several devices, to a server beyond a router.

use std::os::unix::fs::MetadataExt;
use std::process::Command;

use serde_json::Value;
use tests::cgroup::Cgroup;
use tests::comparison::Comparison;
use tests::programs::{run, succeed};
use tests::records::{sum, sum_if_any};
use tests::tool::Tool;
use tests::workload::Workload;
use tests::{can_run, lock};

use super::{A_MESSAGE, kinds};

/// Network namespaces of a container, of a router and of a server, removed when dropped.
struct Network([String; 3]);

/// Of the server, which nothing else has.
const SERVER: &str = "198.18.81.2";

impl Network {
    /// Makes and connects them.
    fn new() -> Self {
        let networks = Self(["c", "r", "s"].map(|kind| format!("dl{}-{kind}", std::process::id())));
        let ip = |line: String| drop(succeed("ip", &line.split(' ').collect::<Vec<_>>()));
        let [container, router, server] = &networks.0;
        networks.0.iter().for_each(|name| ip(format!("netns add {name}")));
        ip(format!("-n {container} link add eth0 type veth peer name inside netns {router}"));
        ip(format!("-n {server} link add eth0 type veth peer name outside netns {router}"));
        // Where the kernel has bridges, the container's address is that of one, above its device.
        let bridge = format!("-n {container} link add br0 type bridge");
        let has_bridge = run("ip", &bridge.split(' ').collect::<Vec<_>>()).status.success();
        if has_bridge {
            ip(format!("-n {container} link set eth0 master br0"));
        }
        let own = if has_bridge { "br0" } else { "eth0" };
        for (name, device, address) in [
            (container, own, "198.18.80.2"),
            (router, "inside", "198.18.80.1"),
            (router, "outside", "198.18.81.1"),
            (server, "eth0", SERVER),
        ] {
            ip(format!("-n {name} addr add {address}/24 dev {device}"));
            ip(format!("-n {name} link set {device} up"));
        }
        ip(format!("-n {container} link set eth0 up"));
        ip(format!("-n {container} route add default via 198.18.80.1"));
        ip(format!("-n {server} route add default via 198.18.81.1"));
        let forward = "echo 1 >/proc/sys/net/ipv4/ip_forward";
        succeed("ip", &["netns", "exec", router, "bash", "-c", forward]);
        networks
    }

    fn file(&self, place: usize) -> String {
        format!("/run/netns/{}", self.0[place])
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in &self.0 {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}

#[test]
fn a_containers_query_counts_once() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let (network, cgroup) = (Network::new(), Cgroup::new());
    let [container, server] = [network.file(0), network.file(2)];
    let mut answers = Workload::start(&["dns", "--serve", SERVER, "--netns", &server]);
    answers.until_says("ready");
    // Without a filter: what the router passes on, and what the server reads, is seen, too.
    let all: Vec<_> =
        kinds().into_iter().map(|kind| vec!["--attach", kind, "--cidr", SERVER, "--events"]).collect();
    let tools = Tool::start_all("dnslat", &all);
    let ask = ["dns", "--parts", "ok", "--server", SERVER, "--netns", &container, "--cgroup", cgroup.path()];
    let known = Workload::run(&ask);
    let queries = sum_if_any(&known, "queries");
    let netns = std::fs::metadata(&container).expect("a namespace").ino();
    for (options, tool) in all.iter().zip(tools) {
        tool.until("answers", |records| records.len() as u64 + sum(records, "lost") >= queries);
        let ended = tool.interrupt_despite_losses();
        let records = &ended.records;
        let of = |is: &dyn Fn(&Value) -> bool| records.iter().filter(|record| is(record)).count() as u64;
        Comparison::of("dnslat", options)
            .field("queries", records.len() as u64, queries)
            .field("answers", of(&|record| record["rcode"] == "NOERROR"), queries)
            .field("in the container", of(&|record| record["netns"] == netns), queries)
            .lost(ended.lost())
            .each_of(A_MESSAGE)
            .equal_within_lost();
        // Its first query may be sent by whoever learns the address of the router.
        let by_the_asker = of(&|record| record["pid"] == known[0]["pid"]);
        assert!(by_the_asker + 1 >= records.len() as u64, "{by_the_asker} of {}", records.len());
    }
    answers.go_on();
    answers.finish();
}
