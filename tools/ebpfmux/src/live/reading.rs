//! Records from the merge into what is known: all that come of a live stream, of a recording as far as is shown.

use std::ffi::OsString;

use cli::exit::Result;

use super::input::feed::Feed;
use super::input::line;
use super::input::messages::Messages;
use super::player::Aim;
use super::state::Store;
use super::view::View;
use crate::record::Fields;
use crate::record::timestamp::{Clock, FIXED_LEN, Nanos};

/// How many lines are taken between two looks at the keys.
const LINES: usize = 20_000;
/// How often the pipe is read between two looks at them.
const READS: usize = 4;
/// How many intervals before a time that is jumped to are read as well, for sparklines and the heat map.
const BEFORE: f64 = 240.0;

/// What a line in the tools' form begins with.
const BEGIN: &[u8] = b"{\"ts\":\"";

/// The stream, and what is known of it.
pub struct Reading {
    /// The merge.
    pub feed: Feed,
    words: Vec<OsString>,
    stdin: bool,
    /// What is known.
    pub store: Store,
    clock: Clock,
    /// Records before this are not taken.
    from: Nanos,
}

impl Reading {
    /// Starts to read.
    ///
    /// # Errors
    /// If the merge cannot be started.
    pub fn start(words: Vec<OsString>, stdin: bool) -> Result<Self> {
        let feed = Feed::start(&words, stdin)?;
        Ok(Self { feed, words, stdin, store: Store::default(), clock: Clock::default(), from: Nanos::MIN })
    }

    /// Starts again from the beginning, with what is needed to show this time.
    ///
    /// # Errors
    /// If the merge cannot be started.
    pub fn again(&mut self, time: Nanos, view: &View) -> Result<()> {
        let feed = Feed::start(&self.words, self.stdin)?;
        // What it said has been heard.
        std::mem::replace(&mut self.feed, feed).end(&mut Messages::default());
        self.from = self.needed(time, view);
        self.store.clear();
        Ok(())
    }

    /// Whether records are left out on the way to a time.
    pub fn skips(&self) -> bool {
        self.from > Nanos::MIN
    }

    /// On the way to this time leaves out what is not needed to show it.
    pub fn skip_to(&mut self, time: Nanos, view: &View) {
        let needed = self.needed(time, view);
        if self.store.newest.is_some_and(|newest| newest < needed) {
            self.from = needed;
            // What is known must not have a gap.
            self.store.clear();
        }
    }

    /// From when on records are needed to show this time.
    fn needed(&self, time: Nanos, view: &View) -> Nanos {
        let length = view.frame(&self.store).map_or(1.0, |frame| frame.length.max(0.01));
        time.saturating_sub((length * BEFORE * 1e9) as Nanos)
    }

    /// Takes all that has come, or as much as there is time for; returns whether there was something.
    pub fn take_all(&mut self) -> bool {
        let mut taken = false;
        for _ in 0..READS {
            if !self.feed.read() {
                break;
            }
            taken |= self.take_while(|_, _| true);
        }
        taken
    }

    /// Takes what there is until the aim is reached; returns whether it is.
    pub fn take_until(&mut self, aim: Aim, view: &View) -> bool {
        let reached = |store: &Store, over: bool| match aim {
            Aim::Here => true,
            Aim::End => over,
            Aim::Time(time) => over || store.newest.is_some_and(|newest| newest > time),
            Aim::After(time) => {
                over || {
                    // It is complete when another one has begun.
                    let after = |time| view.shown(store)?.times.after(time);
                    after(time).is_some_and(|frame| after(frame.at).is_some())
                }
            }
        };
        if !reached(&self.store, self.feed.is_over()) {
            self.take_while(|store, _| !reached(store, false));
            if !reached(&self.store, self.feed.is_over()) && self.feed.read() {
                self.take_while(|store, _| !reached(store, false));
            }
        }
        reached(&self.store, self.feed.is_over())
    }

    /// Takes lines while `more`.
    fn take_while(&mut self, more: impl Fn(&Store, Nanos) -> bool) -> bool {
        let Self { feed, store, clock, from, .. } = self;
        let mut taken = false;
        let mut room = Fields::with_capacity(32);
        for _ in 0..LINES {
            if !more(store, *from) {
                return true;
            }
            let Some(line) = feed.line() else { return taken };
            taken = true;
            if *from > Nanos::MIN && time_of(line, clock).is_some_and(|time| time < *from) {
                continue;
            }
            if let Some(time) = time_of(line, clock)
                && store.take_known(time, line)
            {
                continue;
            }
            let mut fields = emptied(room);
            let time = if line::read(line, &mut fields) { store.time(&fields) } else { None };
            match time {
                Some(time) => store.take(time, &fields),
                None => store.left_out += 1,
            }
            room = emptied(fields);
        }
        true
    }
}

/// The time of a line in the tools' form, of which nothing else is read.
fn time_of(line: &[u8], clock: &mut Clock) -> Option<Nanos> {
    clock.fixed(line.strip_prefix(BEGIN)?.first_chunk::<FIXED_LEN>()?)
}

/// No fields, in the same memory, for another line.
fn emptied<'a>(mut fields: Fields<'_>) -> Fields<'a> {
    fields.clear();
    // Collecting nothing from a vector reuses what it has.
    fields.into_iter().map_while(|_| None).collect()
}
