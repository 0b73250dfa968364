//! `--port`, `--cidr` and `--family`: which sockets, by their two ends. What the user named is passed to the BPF programs
//! (`bpf/include/endpoints.h`).

mod network;
mod ports;
mod services;

use std::net::{IpAddr, Ipv6Addr};

use cli::exit::{Failure, Result};
use cli::usage;

use crate::bpf::layouts::{self, endpoint_filter};
use crate::bpf::plain::{Plain, same_bytes};
use network::Network;
use ports::Ports;
pub use services::Services;

/// `MAX_PORT_RANGES` and `MAX_CIDRS` of `bpf/include/endpoints.h`.
const MAX_PORT_RANGES: usize = 32;
const MAX_CIDRS: usize = 16;

/// Which sockets to look at, by their ends.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct EndpointFilter {
    /// Only sockets with this port, local or remote: a number, a range (1-1024) or a service of /etc/services; with ! in
    /// front, none with it; repeatable, or a list: 80,443 or 1-1024,!53
    #[arg(long, value_name = "PORT", value_delimiter = ',', value_parser = Ports::parse)]
    pub port: Vec<Ports>,

    /// Only sockets whose remote address is in this network, or is this address; with ! in front, none of these;
    /// repeatable, or a list
    #[arg(long, value_name = "NETWORK", value_delimiter = ',', value_parser = Network::parse)]
    pub cidr: Vec<Network>,

    /// Only IPv4 or IPv6: 4 or 6
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(u8).range(4..=6))]
    pub family: Option<u8>,
}

/// An address as the BPF programs tell it, in the form of IPv6, which may be a mapped IPv4 address: its words in network byte
/// order.
pub fn address(words: [u32; 4]) -> IpAddr {
    let mut octets = [0; 16];
    octets.chunks_exact_mut(4).zip(words).for_each(|(four, word)| four.copy_from_slice(&word.to_ne_bytes()));
    Ipv6Addr::from(octets).to_canonical()
}

/// A value of an option, and whether it has a `!` in front.
fn negated(text: &str) -> (bool, &str) {
    text.strip_prefix('!').map_or((false, text), |rest| (true, rest))
}

impl EndpointFilter {
    /// The same, of these ports if it asks for none itself: those that it leaves out are left out of these.
    pub fn of_ports(&self, ports: &[u16]) -> Self {
        let mut filter = self.clone();
        if self.port.iter().all(Ports::excluded) {
            filter.port.extend(ports.iter().map(|port| Ports::of(*port)));
        }
        filter
    }

    /// Whether only some sockets are observed.
    pub fn is_set(&self) -> bool {
        !self.port.is_empty() || !self.cidr.is_empty() || self.family.is_some()
    }

    /// The value of the constant `endpoint_filter` of a tool's object, as the type of the tool's skeleton. What is
    /// excluded is so wherever it stands in a list; a list of exclusions only passes all others.
    ///
    /// # Errors
    /// A usage error for more values than there is room for.
    pub fn constant<T: Plain>(&self) -> Result<T> {
        Ok(*same_bytes(&self.filter()?))
    }

    fn filter(&self) -> Result<endpoint_filter> {
        let ranges: Vec<layouts::port_range> = self.port.iter().flat_map(Ports::ranges).collect();
        if ranges.len() > MAX_PORT_RANGES {
            let most = MAX_PORT_RANGES;
            return Err(Failure::usage(format!("--port can be given {most} ports and ranges at most")));
        }
        usage::at_most(MAX_CIDRS, &self.cidr, "--cidr")?;
        if self.family == Some(5) {
            return Err(Failure::usage("--family 5: must be 4 or 6"));
        }
        let mut filter = endpoint_filter {
            family: u32::from(self.family.unwrap_or(0)),
            ports: ranges.len() as u32,
            other_ports: u32::from(ranges.iter().all(|range| range.excluded != 0)),
            cidrs: self.cidr.len() as u32,
            other_addresses: u32::from(self.cidr.iter().all(|network| network.excluded)),
            ..endpoint_filter::default()
        };
        filter.port.iter_mut().zip(ranges).for_each(|(to, range)| *to = range);
        filter.cidr.iter_mut().zip(&self.cidr).for_each(|(to, network)| *to = network.words());
        Ok(filter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(port: &[&str], cidr: &[&str]) -> EndpointFilter {
        EndpointFilter {
            port: port.iter().map(|text| Ports::parse(text).unwrap()).collect(),
            cidr: cidr.iter().map(|text| Network::parse(text).unwrap()).collect(),
            family: None,
        }
    }

    #[test]
    fn others_pass_if_there_are_only_exclusions() {
        let of = |port: &[&str], cidr: &[&str]| {
            let filter = endpoints(port, cidr).filter().unwrap();
            (filter.ports, filter.other_ports, filter.cidrs, filter.other_addresses)
        };
        assert_eq!(of(&["1-1024", "!53"], &["10.0.0.0/8", "!10.1.0.0/16"]), (2, 0, 2, 0));
        assert_eq!(of(&["!53", "!22"], &["!::1"]), (2, 1, 1, 1));
        assert_eq!(of(&[], &[]), (0, 1, 0, 1));
    }

    #[test]
    fn ports_of_a_tool_are_those_that_nobody_named() {
        let of = |port: &[&str]| {
            let filter = endpoints(port, &[]).of_ports(&[53, 5353]).filter().unwrap();
            let ranges = filter.port[..filter.ports as usize].iter();
            (ranges.map(|range| (range.first, range.excluded)).collect::<Vec<_>>(), filter.other_ports)
        };
        assert_eq!(of(&[]), (vec![(53, 0), (5353, 0)], 0));
        assert_eq!(of(&["!5353"]), (vec![(5353, 1), (53, 0), (5353, 0)], 0));
        assert_eq!(of(&["5300"]), (vec![(5300, 0)], 0));
    }

    #[test]
    fn what_is_too_much_is_refused() {
        assert!(endpoints(&["1"; MAX_PORT_RANGES], &["::1"; MAX_CIDRS]).filter().is_ok());
        assert!(endpoints(&["1"; MAX_PORT_RANGES + 1], &[]).filter().is_err());
        assert!(endpoints(&[], &["::1"; MAX_CIDRS + 1]).filter().is_err());
        assert!(EndpointFilter { family: Some(5), ..endpoints(&[], &[]) }.filter().is_err());
    }
}
