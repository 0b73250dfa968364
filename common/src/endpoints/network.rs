//! A value of `--cidr`.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

use super::negated;
use crate::bpf::layouts::cidr;

/// A network, or a single address, which is a network with all bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    net: IpNet,
    /// Whether it is left out rather than asked for.
    pub(super) excluded: bool,
}

impl Network {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (excluded, text) = negated(text);
        let one = || text.parse::<IpAddr>().map(IpNet::from);
        let net = text
            .parse()
            .or_else(|_| one())
            .map_err(|_| "not a network such as 10.0.0.0/8, !10.1.0.0/16 or 2001:db8::/32".to_string())?;
        Ok(Self { net, excluded })
    }

    /// As the BPF programs compare it: IPv4 addresses mapped, in network byte order.
    pub(super) fn words(&self) -> cidr {
        let (address, prefix) = match self.net {
            IpNet::V4(net) => (net.network().to_ipv6_mapped(), net.prefix_len() + 96),
            IpNet::V6(net) => (net.network(), net.prefix_len()),
        };
        let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
        cidr {
            address: in_order(address),
            mask: in_order(Ipv6Addr::from(mask)),
            excluded: u32::from(self.excluded),
        }
    }
}

fn in_order(address: Ipv6Addr) -> [u32; 4] {
    let octets = address.octets();
    std::array::from_fn(|word| u32::from_ne_bytes(std::array::from_fn(|byte| octets[4 * word + byte])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(words: [u32; 4]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn networks_become_addresses_and_masks() {
        let shown = |text: &str| {
            let words = Network::parse(text).unwrap().words();
            let octets: [u8; 16] = bytes(words.address).try_into().unwrap();
            let mask: u32 = bytes(words.mask).iter().map(|byte| byte.count_ones()).sum();
            (Ipv6Addr::from(octets).to_string(), mask, words.excluded)
        };
        assert_eq!(shown("10.1.2.3/8"), ("::ffff:10.0.0.0".to_string(), 104, 0));
        assert_eq!(shown("!10.1.0.0/16"), ("::ffff:10.1.0.0".to_string(), 112, 1));
        assert_eq!(shown("2001:db8::/33"), ("2001:db8::".to_string(), 33, 0));
        assert_eq!(shown("!::1"), ("::1".to_string(), 128, 1));
        assert_eq!(shown("0.0.0.0/0"), ("::ffff:0.0.0.0".to_string(), 96, 0));
        assert_eq!(shown("::/0"), ("::".to_string(), 0, 0));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["10.0.0.0/33", "host", "", "!", "!!::1"] {
            assert!(Network::parse(text).is_err(), "{text}");
        }
    }
}
