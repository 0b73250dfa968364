//! Which sockets to tell of.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use cli::exit::{Failure, Result};
use common::owner::glob;

use crate::socket::{PROTOS, STATES, socket_row};

/// Where `ip netns add` puts network namespaces.
const NAMED: &str = "/run/netns";

/// The options by which sockets are chosen, beside their ends and owners.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Which {
    /// Only sockets of this protocol: tcp, udp, mptcp, udplite, icmp, raw, unix, netlink, packet, vsock or other;
    /// repeatable, or a list
    #[arg(long, value_name = "PROTO", value_delimiter = ',', value_parser = PROTOS, hide_possible_values = true)]
    pub proto: Vec<String>,

    /// Only sockets in this state: a state of tcp(7) such as established, close_wait or listen; unconnected; or, with
    /// INTERVAL, closed; repeatable, or a list
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = STATES, hide_possible_values = true)]
    pub state: Vec<String>,

    /// Only sockets that wait for connections: as --state listen
    #[arg(short, long, conflicts_with = "state")]
    pub listen: bool,

    /// Only sockets of this network namespace: its inode number, a name of `ip netns`, or a file such as
    /// /proc/PID/ns/net
    #[arg(long, value_name = "NETNS", value_parser = namespace)]
    pub netns: Option<u32>,

    /// Only sockets whose remote_name matches, * for any text; with ! in front, none of these; repeatable, or a list
    #[arg(long, value_name = "NAME", value_delimiter = ',', requires = "resolve")]
    pub host: Vec<String>,
}

impl Which {
    /// Refuses what can never be.
    ///
    /// # Errors
    /// A usage error for `--state closed` without INTERVAL.
    pub fn check(&self, follows: bool) -> Result<()> {
        if !follows && self.state.iter().any(|state| state == "closed") {
            return Err(Failure::usage(
                "--state closed: only with INTERVAL, which tells of sockets that end",
            ));
        }
        Ok(())
    }

    /// Whether a socket passes by what never changes in its life.
    pub fn keeps(&self, row: &socket_row) -> bool {
        (self.proto.is_empty() || self.proto.iter().any(|proto| proto == row.proto()))
            && self.netns.is_none_or(|netns| netns == row.netns)
    }

    /// Whether it passes as it is now.
    pub fn shows(&self, row: &socket_row) -> bool {
        (!self.listen || row.listens())
            && (self.state.is_empty() || self.state.iter().any(|state| state == row.state()))
    }

    /// Whether a name of its other end passes.
    pub fn shows_host(&self, name: Option<&str>) -> bool {
        passes(&self.host, name)
    }
}

/// Whether a name passes a list. What is excluded is so wherever it stands in the list; a list of exclusions passes all
/// others, and what has no name.
pub fn passes(patterns: &[String], name: Option<&str>) -> bool {
    let matches = |pattern: &str| name.is_some_and(|name| glob::matches(pattern, name));
    let (mut wanted, mut pass) = (false, false);
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(excluded) if matches(excluded) => return false,
            Some(_) => {}
            None => (wanted, pass) = (true, pass || matches(pattern)),
        }
    }
    !wanted || pass
}

/// The inode number of a network namespace.
fn namespace(text: &str) -> std::result::Result<u32, String> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    let path = if text.contains('/') { Path::new(text).to_path_buf() } else { Path::new(NAMED).join(text) };
    if text.is_empty() {
        return Err("not a namespace".to_string());
    }
    let found = std::fs::metadata(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    u32::try_from(found.ino()).map_err(|_| format!("{}: not a namespace", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::made::tcp;

    fn list(patterns: &[&str]) -> Vec<String> {
        patterns.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_pass_lists_with_exclusions() {
        let pass = |patterns: &[&str], name| passes(&list(patterns), name);
        assert!(pass(&[], None) && pass(&["!b"], None) && !pass(&["a*"], None));
        assert!(pass(&["a*"], Some("ab")) && !pass(&["a*"], Some("b")));
        assert!(!pass(&["a*", "!ab"], Some("ab")) && !pass(&["!ab", "a*"], Some("ab")));
        assert!(pass(&["a*", "!ab"], Some("ac")) && pass(&["!a*", "!c"], Some("b")));
    }

    #[test]
    fn a_socket_passes_by_what_it_is_and_how_it_is() {
        let which = Which { proto: list(&["udp", "tcp"]), state: list(&["listen"]), ..Which::default() };
        let listener = tcp(1, 5, 10, 80, 0);
        assert!(which.keeps(&listener) && which.shows(&listener));
        assert!(!which.shows(&listener.ended()) && !which.shows(&tcp(1, 5, 1, 80, 1)));
        assert!(!which.keeps(&socket_row { family: 1, ..listener }));
        let which = Which { netns: Some(7), listen: true, ..Which::default() };
        assert!(!which.keeps(&listener) && which.keeps(&socket_row { netns: 7, ..listener }));
        assert!(which.shows(&listener) && !which.shows(&listener.ended()));
    }

    #[test]
    fn a_namespace_has_a_number_a_name_or_a_file() {
        assert_eq!(namespace("4026531840"), Ok(4_026_531_840));
        assert!(namespace("/proc/self/ns/net").unwrap() > 0);
        assert!(namespace("no-such-namespace").unwrap_err().starts_with("/run/netns/no-such-namespace: "));
        assert!(namespace("").is_err());
    }
}
