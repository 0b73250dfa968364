//! The names of services (services(5)).

use std::collections::HashMap;
use std::fs;

const FILE: &str = "/etc/services";

/// The names of ports.
#[derive(Clone, Debug, Default)]
pub struct Services {
    /// By port and protocol; of any protocol without one.
    names: HashMap<(u16, Option<String>), String>,
}

impl Services {
    /// Those of `/etc/services`, if there is such a file, and of others, of which the last that has a name for a port
    /// decides. A line is `name port/protocol alias…`, or, as Netdata writes it, `port = name`.
    ///
    /// # Errors
    /// A message that names the file that cannot be read and, for a mistake in it, the line.
    pub fn read(files: &[String]) -> Result<Self, String> {
        let mut services = Self::default();
        // As it is: what is wrong in it is not the user's.
        for line in fs::read_to_string(FILE).unwrap_or_default().lines() {
            services.add(line, false);
        }
        for file in files {
            let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
            for (index, line) in text.lines().enumerate() {
                if !services.add(line, true) {
                    let what = "neither name port/protocol nor port = name";
                    return Err(format!("{file}:{}: {what}", index + 1));
                }
            }
        }
        Ok(services)
    }

    /// Adds a line: whether it is one. `replaces` a name that is there.
    fn add(&mut self, line: &str, replaces: bool) -> bool {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            return true;
        }
        let port_of = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
        if let Some((port, name)) = line.split_once('=')
            && let (Some(port), name @ [_, ..]) = (port_of(port), name.trim().as_bytes())
        {
            let name = String::from_utf8_lossy(name).into_owned();
            self.names.retain(|(of, _), _| *of != port);
            self.names.insert((port, None), name);
            return true;
        }
        let mut words = line.split_whitespace();
        let (Some(name), Some((port, protocol))) =
            (words.next(), words.next().and_then(|word| word.split_once('/')))
        else {
            return false;
        };
        let Some(port) = port_of(port) else { return false };
        let key = (port, Some(protocol.to_string()));
        if replaces {
            self.names.remove(&(port, None));
            self.names.insert(key, name.to_string());
        } else {
            self.names.entry(key).or_insert_with(|| name.to_string());
        }
        true
    }

    /// The name of a port over a protocol.
    pub fn name(&self, port: u16, protocol: &str) -> Option<&str> {
        let of = |protocol| self.names.get(&(port, protocol)).map(String::as_str);
        of(Some(protocol.to_string())).or_else(|| of(None))
    }
}

/// The ports of a service, over any protocol; what is wrong, for a person, if there are none.
pub(super) fn ports(service: &str) -> Result<Vec<u16>, String> {
    let text = fs::read_to_string(FILE)
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
    fn a_port_has_the_name_of_the_last_file_that_names_it() {
        let mut services = Services::default();
        assert!(SERVICES.lines().filter(|line| !services.add(line, false)).eq(["odd\t\tx/tcp"]));
        let name = |services: &Services, port, protocol| services.name(port, protocol).map(String::from);
        assert_eq!(name(&services, 53, "udp").as_deref(), Some("domain"));
        assert_eq!(
            [name(&services, 512, "tcp"), name(&services, 512, "udp")],
            ["exec", "biff"].map(|it| Some(it.into()))
        );
        assert_eq!(name(&services, 80, "udp"), None);
        assert!(services.add("80 = My web # that", true) && services.add("mine 512/tcp", true));
        assert_eq!(
            [name(&services, 80, "tcp"), name(&services, 80, "udp")],
            [(); 2].map(|()| Some("My web".into()))
        );
        assert_eq!(
            [name(&services, 512, "tcp"), name(&services, 512, "udp")],
            ["mine", "biff"].map(|it| Some(it.into()))
        );
        for line in ["80 =", "0 = x", "x", "x 80", "x 0/tcp", "70000 = x"] {
            assert!(!services.add(line, true), "{line}");
        }
    }

    #[test]
    fn a_service_has_the_ports_of_all_its_protocols() {
        let ports = |service| ports_in(SERVICES, service);
        assert_eq!((ports("domain"), ports("www"), ports("comsat")), (vec![53], vec![80], vec![512]));
        assert_eq!((ports("two"), ports("odd"), ports("Domain")), (vec![1, 2], vec![], vec![]));
    }
}
