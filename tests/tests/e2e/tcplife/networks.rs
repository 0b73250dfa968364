//! Network namespaces for connections.

use std::process::Command;

use tests::programs::succeed;

/// Two network namespaces that are connected, removed when dropped.
pub struct Networks([String; 2]);

impl Networks {
    /// The addresses of their ends, the same in each test: they are nowhere else.
    pub const ADDRESSES: [&str; 2] = ["198.18.79.1", "198.18.79.2"];

    /// Makes and connects them.
    pub fn new() -> Self {
        let networks = Self([1, 2].map(|number| format!("tl{}-{number}", std::process::id())));
        let ip = |line: String| drop(succeed("ip", &line.split(' ').collect::<Vec<_>>()));
        let [one, two] = &networks.0;
        [one, two].into_iter().for_each(|name| ip(format!("netns add {name}")));
        ip(format!("-n {one} link add eth0 type veth peer name eth0 netns {two}"));
        for (name, address) in networks.0.iter().zip(Self::ADDRESSES) {
            ip(format!("-n {name} addr add {address}/24 dev eth0"));
            ip(format!("-n {name} link set eth0 up"));
        }
        networks
    }

    /// The files that name them.
    pub fn files(&self) -> [String; 2] {
        self.0.each_ref().map(|name| format!("/run/netns/{name}"))
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        for name in &self.0 {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}
