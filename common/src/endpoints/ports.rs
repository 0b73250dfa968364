//! A value of `--port`.

use super::{negated, services};
use crate::bpf::layouts::port_range;

/// A port, a range of ports, or those of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The first and the last of each range.
    ranges: Vec<(u16, u16)>,
    /// Whether they are left out rather than asked for.
    excluded: bool,
}

impl Ports {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (excluded, text) = negated(text);
        let number = |text: &str| text.parse().ok().filter(|port| *port > 0);
        let range = match text.split_once('-') {
            Some((first, last)) => number(first).zip(number(last)).filter(|(first, last)| first <= last),
            None => number(text).map(|port| (port, port)),
        };
        let ranges = match range {
            Some(range) => vec![range],
            None if text.starts_with(|first: char| first.is_ascii_alphabetic()) => {
                services::ports(text)?.into_iter().map(|port| (port, port)).collect()
            }
            None => return Err("not a port of 1 to 65535, a range such as 1-1024, or a service".to_string()),
        };
        Ok(Self { ranges, excluded })
    }

    /// A port that is asked for.
    pub(super) fn of(port: u16) -> Self {
        Self { ranges: vec![(port, port)], excluded: false }
    }

    /// Whether they are left out.
    pub(super) fn excluded(&self) -> bool {
        self.excluded
    }

    /// As the BPF programs compare them.
    pub(super) fn ranges(&self) -> impl Iterator<Item = port_range> + '_ {
        let excluded = u32::from(self.excluded);
        self.ranges.iter().map(move |&(first, last)| port_range { first, last, excluded })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_ranges_are_read() {
        let read = |text: &str| Ports::parse(text).map(|ports| (ports.ranges, ports.excluded));
        assert_eq!(read("443"), Ok((vec![(443, 443)], false)));
        assert_eq!(read("!53"), Ok((vec![(53, 53)], true)));
        assert_eq!(read("1-1024"), Ok((vec![(1, 1_024)], false)));
        assert_eq!(read("!1-65535"), Ok((vec![(1, 65_535)], true)));
        for text in ["0", "65536", "1-0", "9-8", "-5", "5-", "1-2-3", "!", "!!5", "", "no-such-service"] {
            assert!(Ports::parse(text).is_err(), "{text}");
        }
    }
}
