//! Names of addresses in /etc/hosts.

use std::collections::HashMap;
use std::net::IpAddr;

/// The first name of each address in the text of such a file (hosts(5)).
pub fn names(text: &str) -> HashMap<IpAddr, String> {
    let mut names = HashMap::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        if let (Some(Ok(address)), Some(name)) = (words.next().map(str::parse), words.next()) {
            names.entry(address).or_insert_with(|| name.to_string());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_first_of_its_names() {
        let names =
            names("127.0.0.1 localhost other\n# 10.0.0.1 no\n127.0.0.1 later\n::1\tip6 # x\nodd x\n::2\n");
        let name = |address: &str| names.get(&address.parse().unwrap()).map(String::as_str);
        assert_eq!(
            ["127.0.0.1", "::1", "10.0.0.1", "::2"].map(name),
            [Some("localhost"), Some("ip6"), None, None]
        );
    }
}
