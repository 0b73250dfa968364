//! `--port`, `--cidr` and `--family`: what the user named, passed to the BPF programs.

use std::net::{IpAddr, Ipv6Addr};

use cli::exit::{Failure, Result};
use ipnet::IpNet;

use crate::skel::types::{asked, cidr};

/// `MAX_PORTS` and `MAX_CIDRS` of `bpf/tcplife/tuple.h`.
const MAX_PORTS: usize = 32;
const MAX_CIDRS: usize = 16;

/// Which connections to look at, by their ends.
#[derive(Clone, Debug, clap::Args)]
pub struct EndpointFilter {
    /// Only connections with this port, local or remote; repeatable, or a list: 80,443
    #[arg(long, value_name = "PORT", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Vec<u16>,

    /// Only connections whose remote address is in this network, or is this address; repeatable, or a list
    #[arg(long, value_name = "NETWORK", value_delimiter = ',', value_parser = network)]
    pub cidr: Vec<IpNet>,

    /// Only connections over IPv4 or IPv6: 4 or 6
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(u8).range(4..=6))]
    pub family: Option<u8>,
}

/// A network, or a single address, which is a network with all bits.
fn network(text: &str) -> std::result::Result<IpNet, String> {
    let one = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse()
        .or_else(|_| one())
        .map_err(|_| "not a network such as 10.0.0.0/8 or 2001:db8::/32".to_string())
}

impl EndpointFilter {
    /// The value of the constant `asked`.
    ///
    /// # Errors
    /// A usage error for more values than there is room for.
    pub fn asked(&self) -> Result<asked> {
        let too_many =
            |option, most| Err(Failure::usage(format!("{option} can be given {most} times at most")));
        if self.port.len() > MAX_PORTS {
            return too_many("--port", MAX_PORTS);
        }
        if self.cidr.len() > MAX_CIDRS {
            return too_many("--cidr", MAX_CIDRS);
        }
        if self.family == Some(5) {
            return Err(Failure::usage("--family 5: must be 4 or 6"));
        }
        let mut asked = asked {
            family: u32::from(self.family.unwrap_or(0)),
            ports: self.port.len() as u32,
            cidrs: self.cidr.len() as u32,
            ..asked::default()
        };
        asked.port.iter_mut().zip(&self.port).for_each(|(to, port)| *to = u32::from(*port));
        asked.cidr.iter_mut().zip(&self.cidr).for_each(|(to, network)| *to = words(network));
        Ok(asked)
    }
}

/// A network as the BPF programs compare it: IPv4 addresses mapped, in network byte order.
fn words(network: &IpNet) -> cidr {
    let (address, prefix) = match network {
        IpNet::V4(network) => (network.network().to_ipv6_mapped(), network.prefix_len() + 96),
        IpNet::V6(network) => (network.network(), network.prefix_len()),
    };
    let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
    cidr { address: in_order(address), mask: in_order(Ipv6Addr::from(mask)) }
}

fn in_order(address: Ipv6Addr) -> [u32; 4] {
    let octets = address.octets();
    std::array::from_fn(|word| u32::from_ne_bytes(std::array::from_fn(|byte| octets[4 * word + byte])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(port: &[u16], cidr: &[&str]) -> EndpointFilter {
        let cidr = cidr.iter().map(|text| network(text).unwrap()).collect();
        EndpointFilter { port: port.to_vec(), cidr, family: None }
    }

    fn bytes(words: [u32; 4]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn networks_become_addresses_and_masks() {
        let asked = endpoints(&[80, 443], &["10.1.2.3/8", "2001:db8::/33", "::1", "0.0.0.0/0", "::/0"])
            .asked()
            .unwrap();
        assert_eq!((asked.ports, asked.port[..3].to_vec(), asked.cidrs), (2, vec![80, 443, 0], 5));
        let shown = |at: usize| {
            let bytes = bytes(asked.cidr[at].address);
            let octets: [u8; 16] = bytes.try_into().unwrap();
            let mask = bytes_of_mask(&asked.cidr[at]);
            (Ipv6Addr::from(octets).to_string(), mask)
        };
        assert_eq!(shown(0), ("::ffff:10.0.0.0".to_string(), 104));
        assert_eq!(shown(1), ("2001:db8::".to_string(), 33));
        assert_eq!(shown(2), ("::1".to_string(), 128));
        assert_eq!(shown(3), ("::ffff:0.0.0.0".to_string(), 96));
        assert_eq!(shown(4), ("::".to_string(), 0));
    }

    fn bytes_of_mask(cidr: &cidr) -> u32 {
        bytes(cidr.mask).iter().map(|byte| byte.count_ones()).sum()
    }

    #[test]
    fn what_is_no_network_or_too_much_is_refused() {
        assert!(network("10.0.0.0/33").is_err() && network("host").is_err());
        assert!(endpoints(&[1; MAX_PORTS + 1], &[]).asked().is_err());
        assert!(endpoints(&[], &["::1"; MAX_CIDRS + 1]).asked().is_err());
        assert!(EndpointFilter { family: Some(5), ..endpoints(&[], &[]) }.asked().is_err());
    }
}
