//! What became of the queries of an interval: for each server and transport, and owner.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use common::bpf::plain::{Plain, bytes_of};
use common::measure::owner_names::OwnerNames;
use common::measure::per_key::{KeyDelta, busiest};
use common::owner::{Options, Owner};
use record::histogram::Hist;

use crate::message::Message;
use crate::numbers::{NXDOMAIN, REFUSED, SERVFAIL};
use crate::query::{Outcome, Query};
use crate::skel::types;

// SAFETY: generated from the C struct: integers, and arrays of them.
unsafe impl Plain for types::owner {}
// SAFETY: as above.
unsafe impl Plain for types::names {}

/// A server's address, and whether it was asked by TCP.
pub type Server = (IpAddr, bool);

/// What is counted.
#[derive(Clone, Default)]
pub struct Counts {
    pub queries: u64,
    pub retries: u64,
    pub answers: u64,
    pub timeouts: u64,
    pub nxdomain: u64,
    pub servfail: u64,
    pub refused: u64,
    pub other_errors: u64,
    pub truncated: u64,
    /// From a query to its first answer.
    pub duration: Hist,
}

impl Counts {
    /// Counts what became of a query.
    fn add_outcome(&mut self, query: &Query, outcome: &Outcome<'_>) {
        match outcome {
            Outcome::Sent => {
                self.queries += 1;
                self.retries += u64::from(query.is_retry);
            }
            Outcome::Answered(answer, ns) => {
                self.add_answer(answer);
                self.duration.add_ns(ns.saturating_sub(query.ns));
            }
            Outcome::AnsweredAgain(answer, _) => self.add_answer(answer),
            Outcome::TimedOut(_) => self.timeouts += 1,
        }
    }

    fn add_answer(&mut self, answer: &Message) {
        self.answers += 1;
        self.truncated += u64::from(answer.truncated);
        match answer.rcode {
            0 => {}
            NXDOMAIN => self.nxdomain += 1,
            SERVFAIL => self.servfail += 1,
            REFUSED => self.refused += 1,
            _ => self.other_errors += 1,
        }
    }

    fn add(&mut self, more: &Self) {
        self.queries += more.queries;
        self.retries += more.retries;
        self.answers += more.answers;
        self.timeouts += more.timeouts;
        self.nxdomain += more.nxdomain;
        self.servfail += more.servfail;
        self.refused += more.refused;
        self.other_errors += more.other_errors;
        self.truncated += more.truncated;
        self.duration.add(&more.duration);
    }
}

/// What tells owners apart: the bytes of their `struct owner`.
type OwnerId = [u64; 3];

/// The totals of an interval.
pub struct Totals {
    most: usize,
    counts: HashMap<(OwnerId, Server), (types::named_owner, Counts)>,
    /// What found no room.
    pub lost: u64,
}

impl Totals {
    /// Of at most so many servers, transports and owners.
    pub fn new(most: usize) -> Self {
        Self { most, counts: HashMap::new(), lost: 0 }
    }

    /// Counts what became of a query.
    pub fn add(&mut self, query: &Query, outcome: &Outcome<'_>) {
        let who = query.asker.who;
        let id = [who.owner.id[0], who.owner.id[1], who.owner.key];
        let full = self.counts.len() >= self.most;
        match self.counts.entry((id, (query.path.server.addr, query.path.tcp))) {
            Entry::Occupied(entry) => entry.into_mut().1.add_outcome(query, outcome),
            Entry::Vacant(_) if full => self.lost += 1,
            Entry::Vacant(entry) => entry.insert((who, Counts::default())).1.add_outcome(query, outcome),
        }
    }

    /// What was counted since the last call: under each server, by its number in the second list, the busiest owner
    /// first; with --top the others last.
    pub fn take(
        &mut self,
        names: &mut OwnerNames<'_>,
        options: &Options,
    ) -> (Vec<KeyDelta<Counts>>, Vec<Server>) {
        names.mark();
        let mut naming = names.begin();
        let mut named: Vec<(Owner, Server, Counts)> = self
            .counts
            .drain()
            .filter_map(|((_, server), (who, counts))| {
                Some((naming.owner(bytes_of(&who.owner), bytes_of(&who.names))?, server, counts))
            })
            .collect();
        naming.end(named.iter_mut().map(|(owner, ..)| owner));
        // Several owners of the BPF programs may have one name.
        let mut sums: BTreeMap<Server, HashMap<Owner, Counts>> = BTreeMap::new();
        for (owner, server, counts) in named {
            let owner = owner.or_unknown(options.by);
            sums.entry(server).or_default().entry(owner).or_default().add(&counts);
        }
        let servers: Vec<Server> = sums.keys().copied().collect();
        let deltas = sums.into_values().enumerate().flat_map(|(key, owners)| {
            owners.into_iter().map(move |(owner, measured)| KeyDelta { owner, key, measured })
        });
        let deltas = busiest(deltas.collect(), options, |counts| counts.queries, Counts::add);
        (deltas, servers)
    }
}
