//! `--sum`: sockets that have some fields in common, in one record.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use clap::ValueEnum;

use crate::row::{Keys, Socket, Sum};

/// What sockets can be summed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Field {
    /// The process.
    Pid,
    /// Its name.
    Comm,
    /// The user.
    User,
    /// The cgroup.
    Cgroup,
    /// The network namespace.
    Netns,
    /// The protocol.
    Proto,
    /// The version of IP.
    Family,
    /// The state.
    State,
    /// The direction.
    Direction,
    /// This end's address.
    LocalAddr,
    /// This end's port.
    LocalPort,
    /// The other end's address.
    RemoteAddr,
    /// The other end's port.
    RemotePort,
    /// The service.
    Service,
    /// The other end's name.
    RemoteName,
    /// What kind of address the other end has.
    RemoteSpace,
}

/// Those of these keys that are fields of a sum.
fn only(keys: Keys, fields: &[Field]) -> Keys {
    let has = |field| fields.contains(&field);
    Keys {
        pid: keys.pid.filter(|_| has(Field::Pid)),
        comm: keys.comm.filter(|_| has(Field::Comm)),
        user: keys.user.filter(|_| has(Field::User)),
        cgroup: keys.cgroup.filter(|_| has(Field::Cgroup)),
        netns: keys.netns.filter(|_| has(Field::Netns)),
        proto: keys.proto.filter(|_| has(Field::Proto)),
        family: keys.family.filter(|_| has(Field::Family)),
        state: keys.state.filter(|_| has(Field::State)),
        direction: keys.direction.filter(|_| has(Field::Direction)),
        local_addr: keys.local_addr.filter(|_| has(Field::LocalAddr)),
        local_port: keys.local_port.filter(|_| has(Field::LocalPort)),
        remote_addr: keys.remote_addr.filter(|_| has(Field::RemoteAddr)),
        remote_port: keys.remote_port.filter(|_| has(Field::RemotePort)),
        service: keys.service.filter(|_| has(Field::Service)),
        remote_name: keys.remote_name.filter(|_| has(Field::RemoteName)),
        remote_space: keys.remote_space.filter(|_| has(Field::RemoteSpace)),
        ..Keys::default()
    }
}

/// Sums of sockets.
pub struct Sums<'a> {
    fields: &'a [Field],
    sums: BTreeMap<Keys, Socket>,
}

impl<'a> Sums<'a> {
    /// By these fields.
    pub fn by(fields: &'a [Field]) -> Self {
        Self { fields, sums: BTreeMap::new() }
    }

    /// Adds a socket.
    pub fn add(&mut self, socket: Socket) {
        let one = reduced(socket, self.fields);
        match self.sums.get_mut(&one.keys) {
            Some(sum) => join(sum, &one),
            None => {
                self.sums.insert(one.keys.clone(), one);
            }
        }
    }

    /// The sums: those that moved most first, then those of most sockets; at least one.
    pub fn records(self, resolves: bool) -> Vec<Sum> {
        let mut sums: Vec<_> = self.sums.into_values().map(Sum).collect();
        if sums.is_empty() {
            sums.push(Sum(reduced(Socket::none(resolves), self.fields)));
        }
        let moved = |Sum(sum): &Sum| sum.tx_bytes.unwrap_or(0) + sum.rx_bytes.unwrap_or(0);
        sums.sort_by_key(|sum| Reverse((moved(sum), sum.0.sockets)));
        sums
    }
}

/// Without what is of one socket alone.
fn reduced(socket: Socket, fields: &[Field]) -> Socket {
    Socket {
        keys: only(socket.keys, fields),
        holders: None,
        rttvar_us: None,
        cwnd: None,
        mss: None,
        pacing_bytes: None,
        backlog_max: None,
        ..socket
    }
}

fn join(sum: &mut Socket, one: &Socket) {
    // What only one of the two has is that.
    fn add(sum: &mut Option<u64>, one: Option<u64>) {
        *sum = either(*sum, one, |sum, one| sum + one);
    }
    sum.sockets += one.sockets;
    sum.rx_queue_bytes += one.rx_queue_bytes;
    sum.tx_queue_bytes += one.tx_queue_bytes;
    add(&mut sum.tx_bytes, one.tx_bytes);
    add(&mut sum.rx_bytes, one.rx_bytes);
    add(&mut sum.retransmits, one.retransmits);
    add(&mut sum.lost_segments, one.lost_segments);
    add(&mut sum.backlog, one.backlog);
    sum.age_s = either(sum.age_s, one.age_s, f64::max);
    sum.srtt_us = either(sum.srtt_us, one.srtt_us, u32::max);
    sum.rcv_rtt_us = either(sum.rcv_rtt_us, one.rcv_rtt_us, u32::max);
    sum.min_rtt_us = either(sum.min_rtt_us, one.min_rtt_us, u32::min);
}

fn either<T>(sum: Option<T>, one: Option<T>, both: fn(T, T) -> T) -> Option<T> {
    match (sum, one) {
        (Some(sum), Some(one)) => Some(both(sum, one)),
        (sum, one) => sum.or(one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(comm: &str, bytes: Option<u64>, srtt_us: Option<u32>) -> Socket {
        let none = Socket::none(false);
        let keys = Keys { comm: Some(Some(comm.to_string())), pid: Some(Some(7)), ..none.keys };
        Socket {
            keys,
            sockets: 1,
            tx_bytes: bytes,
            rx_bytes: bytes,
            retransmits: bytes,
            srtt_us,
            min_rtt_us: srtt_us,
            rx_queue_bytes: 2,
            ..none
        }
    }

    #[test]
    fn what_has_the_same_keys_is_one_record() {
        let mut sums = Sums::by(&[Field::Comm]);
        let all = [("a", None, None), ("b", Some(3), Some(9)), ("b", Some(4), Some(7)), ("a", None, None)];
        all.into_iter().for_each(|(comm, bytes, srtt)| sums.add(socket(comm, bytes, srtt)));
        let records = sums.records(false);
        let told: Vec<_> = records
            .iter()
            .map(|Sum(sum)| {
                (sum.keys.comm.clone().flatten(), sum.sockets, sum.tx_bytes, sum.srtt_us, sum.min_rtt_us)
            })
            .collect();
        let name = |name: &str| Some(name.to_string());
        assert_eq!(told, [(name("b"), 2, Some(7), Some(9), Some(7)), (name("a"), 2, None, None, None)]);
        let Sum(first) = &records[0];
        assert_eq!((first.keys.pid, first.holders, first.mss, first.rx_queue_bytes), (None, None, None, 4));
    }

    #[test]
    fn there_is_a_record_of_nothing() {
        let records = Sums::by(&[Field::Proto]).records(false);
        let [Sum(none)] = &records[..] else { panic!("one record") };
        assert_eq!((none.sockets, none.keys.proto, none.keys.pid), (0, Some(None), None));
    }
}
