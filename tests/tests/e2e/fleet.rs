//! Three hosts, each a network and a name of its own, run tools and an `ebpfmux --serve`; one
//! Prometheus scrapes them all and has the right numbers of each.This is the setup of
//! docs/fleet.md.
#![allow(clippy::expect_used, reason = "tests")]

use std::fs::File;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tests::block_trace::Collector;
use tests::cgroup::Cgroup;
use tests::disk::Disk;
use tests::programs::{built, succeed};
use tests::prometheus::Prometheus;
use tests::streams::Streams;
use tests::wait::{For, until};
use tests::workload::Workload;
use tests::{can_run, kernel, lock};

/// Forks and reads of each host.
const WORK: [[u64; 2]; 3] = [[101, 53], [211, 307], [307, 17]];
const SECRET: &str = "s3cret";

/// A bridge with hosts, removed when dropped.
struct Network {
    bridge: String,
    hosts: Vec<Host>,
}

/// A network namespace with an address, a cgroup for its work, and the `ebpfmux` that runs there.
struct Host {
    namespace: String,
    address: String,
    cgroup: Cgroup,
    mux: Option<Child>,
}

fn ip(line: &str) {
    succeed("ip", &line.split(' ').collect::<Vec<_>>());
}

impl Network {
    fn new(streams: &Streams) -> Self {
        // Interface names have at most 15 characters.
        let id = std::process::id();
        let mut network = Self { bridge: format!("fl{id}"), hosts: Vec::new() };
        let bridge = network.bridge.clone();
        ip(&format!("link add {bridge} type bridge"));
        ip(&format!("addr add 198.18.77.254/24 dev {bridge}"));
        ip(&format!("link set {bridge} up"));
        for number in 1..=WORK.len() {
            let (namespace, outside) = (format!("fl{id}-{number}"), format!("fl{id}v{number}"));
            ip(&format!("netns add {namespace}"));
            let address = format!("198.18.77.{number}");
            let host = Host { namespace, address, cgroup: Cgroup::new(), mux: None };
            network.hosts.push(host);
            let host = &mut network.hosts[number - 1];
            let (name, address) = (&host.namespace, &host.address);
            ip(&format!("link add {outside} type veth peer name eth0 netns {name}"));
            ip(&format!("link set {outside} master {bridge} up"));
            ip(&format!("-n {name} addr add {address}/24 dev eth0"));
            ip(&format!("-n {name} link set eth0 up"));
            host.start(number, streams);
        }
        network
    }
}

impl Host {
    /// Starts `ebpfmux` as on a host of this name. Its tools are limited to the host's cgroup,
    /// because all hosts share one kernel.
    fn start(&mut self, number: usize, streams: &Streams) {
        let cgroup = self.cgroup.path();
        let line = format!(
            "echo web{number} > /proc/sys/kernel/hostname; exec \"$0\" --serve {}:9435 --serve-token token \
             --run 'proclife --cgroup {cgroup} 0.5' --run 'biolat --buckets --cgroup {cgroup} 0.5' > /dev/null",
            self.address
        );
        let namespace = format!("--net=/run/netns/{}", self.namespace);
        let mux = built("ebpfmux");
        let mut command = Command::new("nsenter");
        command.args([&namespace, "unshare", "--uts", "sh", "-c", &line]).arg(mux);
        let stderr = File::create(streams.path(&format!("stderr{number}"))).expect("a file");
        let command = command.current_dir(streams.path(".")).stdin(Stdio::null()).stderr(stderr);
        // Each of these programs executes the next.
        self.mux = Some(command.spawn().expect("nsenter: see scripts/setup"));
    }

    fn end(&mut self) {
        let Some(mut mux) = self.mux.take() else { return };
        let _ = kill_process(Pid::from_child(&mux), Signal::TERM);
        let status = mux.wait().expect("it ends");
        assert!(status.success() || std::thread::panicking(), "{status}");
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for host in &mut self.hosts {
            host.end();
            let _ = Command::new("ip").args(["netns", "del", &host.namespace]).status();
        }
        let _ = Command::new("ip").args(["link", "del", &self.bridge]).status();
    }
}

#[test]
fn one_prometheus_has_the_numbers_of_each_host() {
    if !can_run() {
        return;
    }
    let _machine = lock::machine();
    let (streams, disk) = (Streams::default(), Disk::over_file(8));
    streams.write("token", SECRET).good("chmod 600 token");
    let mut network = Network::new(&streams);
    let targets: Vec<String> = network.hosts.iter().map(|host| format!("{}:9435", host.address)).collect();
    let prometheus = Prometheus::start(&streams.path("."), &targets, Some(SECRET), &[]);
    let becomes = |query: &str, value: f64| {
        until(For::Answer, query, || prometheus.query(query).filter(|now| *now >= value));
        assert_eq!(prometheus.query(query), Some(value), "{query}");
    };
    // A tool's counts on some hosts, minus its losses there.
    let counts = |tool: &str, query: &str, hosts: &str, value: f64, unobserved: f64| {
        let lost = format!("sum(ebpf_{tool}_lost_total{hosts})");
        let ask = || prometheus.query(query).zip(prometheus.query(&lost));
        let (now, lost) =
            until(For::Answer, query, || ask().filter(|(now, lost)| now + lost + unobserved >= value));
        assert!(now <= value, "{query}: {now} of {value}");
        assert!(lost == 0.0 || kernel::may_leave_out(tool), "{query}: {lost} lost on {}", kernel::name());
    };
    // All tools have printed an interval, so they are attached.
    becomes("count(ebpfmux_records_total > 1)", 2.0 * WORK.len() as f64);

    // Requests that no BPF program can observe; in a guest there are none.
    let mut unobserved = Vec::new();
    for (host, [forks, reads]) in network.hosts.iter().zip(WORK) {
        let cgroup = host.cgroup.path();
        let (forks, reads) = (forks.to_string(), reads.to_string());
        Workload::run(&["processes", "--cgroup", cgroup, "--forks", &forks]);
        let path = disk.path();
        let collector = kernel::of_guest().is_none().then(|| Collector::start(&disk.name));
        Workload::run(&["io", "--cgroup", cgroup, "--file", &path, "--reads", &reads, "--bytes", "4096"]);
        let requests = collector.map_or_else(Vec::new, Collector::end);
        unobserved.push(requests.iter().filter(|request| request.unobserved).count() as f64);
    }
    let reads = format!("ebpf_biolat_duration_seconds_count{{disk=\"{}\",op=\"read\"}}", disk.name);
    for (number, [forks, read]) in (1usize..).zip(WORK) {
        let host = format!("{{host=\"web{number}\"}}");
        counts("proclife", &format!("ebpf_proclife_forks_total{host}"), &host, forks as f64, 0.0);
        let reads = format!("{reads} and on(host) ebpfmux_records_total{host}");
        counts("biolat", &reads, &host, read as f64, unobserved[number - 1]);
    }
    let total = |at: usize| WORK.iter().map(|work| work[at] as f64).sum();
    counts("proclife", "sum(ebpf_proclife_forks_total)", "", total(0), 0.0);
    counts("biolat", &format!("sum({reads})"), "", total(1), unobserved.iter().sum());
    // A percentile over the fleet, from the hosts' histograms.
    let buckets = format!("ebpf_biolat_duration_seconds_bucket{{disk=\"{}\",op=\"read\"}}", disk.name);
    let median = prometheus.query(&format!("histogram_quantile(0.5, sum by (le) ({buckets}))"));
    assert!(median.is_some_and(|median| (1e-6..10.0).contains(&median)), "{median:?}");

    // A host that is down can be distinguished from an idle one.
    network.hosts[2].end();
    until(For::Answer, "the third host to be gone", || {
        prometheus.query("count(up == 0)").filter(|gone| *gone == 1.0)
    });
    becomes("count(up == 1)", 2.0);
    counts("proclife", "ebpf_proclife_forks_total{host=\"web1\"}", "{host=\"web1\"}", WORK[0][0] as f64, 0.0);
    drop(network);
    for number in 1..=WORK.len() {
        let stderr = std::fs::read_to_string(streams.path(&format!("stderr{number}"))).expect("UTF-8");
        // On a machine under load a record may be late, which is printed.
        let lines = stderr.lines().filter(|line| !line.contains(" late record"));
        assert_eq!(lines.count(), 1, "{stderr}");
        assert!(stderr.contains(&format!("serving on http://198.18.77.{number}:9435")), "{stderr}");
    }
}
