//! What kind of address an address is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All kinds.
pub const SPACES: [&str; 8] =
    ["unspecified", "loopback", "private", "shared", "link_local", "multicast", "broadcast", "public"];

/// The kind of an address (RFC 6890).
pub fn space(address: IpAddr) -> &'static str {
    match address {
        _ if address.is_unspecified() => "unspecified",
        _ if address.is_loopback() => "loopback",
        _ if address.is_multicast() => "multicast",
        IpAddr::V4(address) => of_v4(address),
        IpAddr::V6(address) => of_v6(address),
    }
}

fn of_v4(address: Ipv4Addr) -> &'static str {
    match address.octets() {
        _ if address.is_private() => "private",
        _ if address.is_link_local() => "link_local",
        _ if address.is_broadcast() => "broadcast",
        // Between a provider and its customers (RFC 6598).
        [100, 64..=127, ..] => "shared",
        _ => "public",
    }
}

fn of_v6(address: Ipv6Addr) -> &'static str {
    match address {
        _ if address.is_unique_local() => "private",
        _ if address.is_unicast_link_local() => "link_local",
        _ => "public",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        let cases = [
            ("0.0.0.0", "unspecified"),
            ("::", "unspecified"),
            ("127.9.0.1", "loopback"),
            ("::1", "loopback"),
            ("10.1.2.3", "private"),
            ("172.31.0.1", "private"),
            ("172.32.0.1", "public"),
            ("192.168.0.1", "private"),
            ("fd00::1", "private"),
            ("100.64.0.1", "shared"),
            ("100.128.0.1", "public"),
            ("169.254.1.1", "link_local"),
            ("fe80::1", "link_local"),
            ("224.0.0.251", "multicast"),
            ("ff02::fb", "multicast"),
            ("255.255.255.255", "broadcast"),
            ("2001:db8::1", "public"),
            ("9.9.9.9", "public"),
        ];
        for (address, expected) in cases {
            assert_eq!(space(address.parse().unwrap()), expected, "{address}");
            assert!(SPACES.contains(&expected));
        }
    }
}
