//! Names of addresses (`--resolve`), from /etc/hosts or the PTR records of DNS. They are looked up beside the looks, which
//! never wait for them.

mod dns;
mod hosts;

use std::collections::HashMap;
use std::fs;
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Lookups at once.
const WORKERS: usize = 8;
/// How many addresses are looked up in the life of a process.
const MOST: usize = 1 << 16;
/// The stack of a thread that looks up.
const STACK: usize = 256 << 10;

/// Names that are known or being looked up.
pub struct Resolver {
    /// `None`: not known yet; `Some(None)`: there is none.
    names: HashMap<IpAddr, Option<Option<String>>>,
    ask: Sender<IpAddr>,
    answers: Receiver<(IpAddr, Option<String>)>,
    waiting: usize,
}

impl Resolver {
    /// With threads that look names up.
    pub fn start() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let (hosts, servers) = (hosts::names(&read("/etc/hosts")), dns::servers(&read("/etc/resolv.conf")));
        Self::with(move |address| hosts.get(&address).cloned().or_else(|| dns::name(address, &servers)))
    }

    fn with(lookup: impl Fn(IpAddr) -> Option<String> + Send + Sync + 'static) -> Self {
        let lookup = Arc::new(lookup);
        let (ask, asked) = channel::<IpAddr>();
        let (answer, answers) = channel();
        let asked = Arc::new(Mutex::new(asked));
        for _ in 0..WORKERS {
            let (asked, answer, lookup) = (Arc::clone(&asked), answer.clone(), Arc::clone(&lookup));
            // Without a thread there are fewer names, and no name is no failure.
            let worker = thread::Builder::new().stack_size(STACK).spawn(move || {
                loop {
                    let next = asked.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(address) = next else { return };
                    if answer.send((address, lookup(address))).is_err() {
                        return;
                    }
                }
            });
            drop(worker);
        }
        Self { names: HashMap::new(), ask, answers, waiting: 0 }
    }

    /// Asks for the name of an address, once.
    pub fn ask(&mut self, address: IpAddr) {
        if self.names.len() < MOST && !self.names.contains_key(&address) && self.ask.send(address).is_ok() {
            self.names.insert(address, None);
            self.waiting += 1;
        }
    }

    /// Takes the answers that are there, and waits for others, at most this long in all.
    pub fn answers(&mut self, at_most: Duration) {
        let until = Instant::now() + at_most;
        while self.waiting > 0 {
            let left = until.saturating_duration_since(Instant::now());
            let Ok((address, name)) = self.answers.recv_timeout(left) else { return };
            self.names.insert(address, Some(name));
            self.waiting -= 1;
        }
    }

    /// The name, if it is known.
    pub fn name(&self, address: IpAddr) -> Option<&str> {
        self.names.get(&address)?.as_ref()?.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_later_and_are_asked_for_once() {
        fn slow(address: IpAddr) -> Option<String> {
            if address.is_loopback() {
                return Some("here".to_string());
            }
            thread::sleep(Duration::from_secs(3_600));
            None
        }
        let mut resolver = Resolver::with(slow);
        let [here, there] = ["127.0.0.1", "192.0.2.1"].map(|text| text.parse().unwrap());
        [there, here, here].into_iter().for_each(|address| resolver.ask(address));
        while resolver.name(here).is_none() {
            resolver.answers(Duration::from_millis(10));
        }
        assert_eq!((resolver.name(here), resolver.name(there), resolver.waiting), (Some("here"), None, 1));
    }
}
