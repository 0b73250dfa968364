//! The names of services (services(5)).

const FILE: &str = "/etc/services";

/// The ports of a service, over any protocol; what is wrong, for a person, if there are none.
pub(super) fn ports(service: &str) -> Result<Vec<u16>, String> {
    let text = std::fs::read_to_string(FILE)
        .map_err(|error| format!("not a port of 1 to 65535, and no service: {FILE}: {error}"))?;
    let ports = ports_in(&text, service);
    if ports.is_empty() {
        Err(format!("not a port of 1 to 65535, and no service in {FILE}"))
    } else {
        Ok(ports)
    }
}

/// Lines of `name port/protocol alias…`, with comments after `#`.
fn ports_in(text: &str, service: &str) -> Vec<u16> {
    let port = |line: &str| {
        let mut words = line.split('#').next()?.split_whitespace();
        let (name, port) = (words.next()?, words.next()?);
        let named = name == service || words.any(|alias| alias == service);
        port.split('/').next()?.parse().ok().filter(|port| named && *port > 0)
    };
    let mut ports: Vec<u16> = text.lines().filter_map(port).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICES: &str = "# Network services\n\
        domain\t\t53/tcp\t\t\t\t# Domain Name Server\n\
        domain\t\t53/udp\n\
        http\t\t80/tcp\t\twww\t\t# WorldWideWeb HTTP\n\
        exec\t\t512/tcp\n\
        biff\t\t512/udp\t\tcomsat exec-too\n\
        odd\t\tx/tcp\n\
        two 1/tcp\ntwo 2/udp\n";

    #[test]
    fn a_service_has_the_ports_of_all_its_protocols() {
        let ports = |service| ports_in(SERVICES, service);
        assert_eq!((ports("domain"), ports("www"), ports("comsat")), (vec![53], vec![80], vec![512]));
        assert_eq!((ports("two"), ports("odd"), ports("Domain")), (vec![1, 2], vec![], vec![]));
    }
}
