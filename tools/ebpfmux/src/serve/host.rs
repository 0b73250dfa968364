//! Whether a request names this machine's loopback as its host, in whichever legal form.
//!
//! A page of a browser can make a name of its own lead to 127.0.0.1 (DNS rebinding), but not have the request name an
//! address: so a server on loopback answers to these only.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether this, the header `Host` or the authority of a URL, is `localhost` or an address of loopback, with a port or not.
pub fn is_loopback(host: &str) -> bool {
    if let Some((address, port)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let address = address.parse().is_ok_and(|address: Ipv6Addr| address.to_canonical().is_loopback());
        return address && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
    }
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    let name = name.strip_suffix('.').unwrap_or(name);
    is_port(port) && (name.eq_ignore_ascii_case("localhost") || ipv4(name).is_some_and(|ip| ip.is_loopback()))
}

/// The port may be left out after the colon.
fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// An address as inet_aton(3) reads it: one to four numbers, decimal, octal or hexadecimal, the last of which fills what is
/// left. No name in the DNS looks like that.
fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u32> = text.split('.').map(number).collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    let free = 8 * 4u32.checked_sub(first.len() as u32).filter(|free| *free > 0)?;
    if first.iter().any(|part| *part > 255) || u64::from(*last) >= 1 << free {
        return None;
    }
    let first = first.iter().enumerate().map(|(at, part)| part << (24 - 8 * at)).sum::<u32>();
    Some(Ipv4Addr::from(first | last))
}

fn number(text: &str) -> Option<u32> {
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => u32::from_str_radix(text, 8).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_many_names_and_no_others() {
        for own in [
            "localhost",
            "LOCALHOST",
            "localhost:9435",
            "localhost.",
            "localhost:",
            "127.0.0.1",
            "127.0.0.1:80",
            "127.1",
            "127.1:9435",
            "127.0.1",
            "127.255.255.254",
            "0x7f.1",
            "0177.0.0.1",
            "2130706433",
            "0x7f000001:1",
            "[::1]",
            "[::1]:9435",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(is_loopback(own), "{own}");
        }
        for foreign in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.1.nip.io:9435",
            "localhost:x",
            "10.0.0.1",
            "1.127",
            "128.1",
            "127.0.0.0.1",
            "127.1.256.1",
            "127.16777216",
            "4294967296",
            "127..1",
            "127.-1",
            "+127.1",
            "0x",
            "[::1",
            "[::2]",
            "[::1]x",
            "[::1]:x",
            "::1",
            "[]",
            "u@localhost",
            "local host",
            "[::ffff:10.0.0.1]",
            ".",
            "..",
        ] {
            assert!(!is_loopback(foreign), "{foreign}");
        }
    }
}
