//! The two ways to run: records of intervals, or of events.

use std::time::Instant;

use cli::exit::Result;
use cli::interval::{Footprint, Ticks};
use cli::signals::Woken;
use libbpf_rs::skel::Skel;

use super::Session;
use super::footprint::Holdings;
use crate::bpf::globals::map;
use crate::bpf::mmap::MappedCounters;
use crate::measure::events::{self, Decode};
use crate::measure::latency::{CallLatencies, CallStats};
use crate::measure::per_key::KeyDelta;
use crate::options::Common;
use crate::output::{Row, Writer};

impl<S: Skel<'static>> Session<S> {
    /// Writes the records of each interval, until the count is reached, the time is over, or the
    /// process is asked to end. `collect` returns the records and how many events were lost; its
    /// argument is whether it is the last time.
    ///
    /// # Errors
    /// Those of `collect`; when stdout cannot be written to.
    pub fn intervals<R: Row>(
        &self,
        tool: &'static str,
        common: &Common,
        collect: impl FnMut(bool) -> Result<(Vec<R>, u64)>,
    ) -> Result<()> {
        self.intervals_while(tool, common, |due| Ok(self.stop.until(due)), collect)
    }

    /// The same for a tool that has something to do during intervals: `sleep` as for `Ticks::next_after`.
    ///
    /// # Errors
    /// As for `intervals`; those of `sleep`.
    pub fn intervals_while<R: Row>(
        &self,
        tool: &'static str,
        common: &Common,
        mut sleep: impl FnMut(Instant) -> Result<Woken>,
        mut collect: impl FnMut(bool) -> Result<(Vec<R>, u64)>,
    ) -> Result<()> {
        let mut writer = Writer::new(tool, common, &self.stop);
        let mut ticks = Ticks::new(common.interval, common.count, common.duration);
        while let Some(tick) = ticks.next_after(&mut sleep)? {
            // Before the maps of owners are emptied.
            let footprint = self.footprint();
            let (rows, lost) = collect(ticks.is_over())?;
            writer.interval(&tick, rows, lost, self.prog_stats.since_last(), footprint)?;
        }
        Ok(())
    }

    /// With `--overhead`: what its programs and maps occupy now.
    pub fn footprint(&self) -> Option<Footprint> {
        self.holdings.as_ref().map(Holdings::now)
    }

    /// Writes how long calls took in each interval, as `intervals` does. `lost` is which of the object's counters counts
    /// losses; `rows` makes the records of what was measured.
    ///
    /// # Errors
    /// A mistake in the tool itself: the object has no counters. When the kernel refuses the read, and when stdout cannot be
    /// written to.
    pub fn latencies<const COUNTERS: usize, R: Row>(
        &self,
        tool: &'static str,
        common: &Common,
        mut latencies: CallLatencies<'_>,
        lost: usize,
        rows: impl Fn(Vec<KeyDelta<CallStats>>) -> Vec<R>,
    ) -> Result<()> {
        let mut counters = self.counters::<COUNTERS>()?;
        self.intervals(tool, common, |_| Ok((rows(latencies.since_last()?), counters.since_last()[lost])))
    }

    /// Writes a record for each event of the ring buffer that is `wanted`, until asked to end. `lost` is which of the
    /// object's counters counts losses; `decode` as for [`events::write`].
    ///
    /// # Errors
    /// A mistake in the tool itself: the object has no events or counters. When stdout cannot be written to, and when
    /// events were lost that no later record reports.
    pub fn events<const COUNTERS: usize, E: Row>(
        &self,
        tool: &'static str,
        common: &Common,
        lost: usize,
        decode: impl Decode<E>,
        wanted: impl Fn(&E) -> bool,
    ) -> Result<()> {
        let object = self.skel.object();
        let mut counters = self.counters::<COUNTERS>()?;
        let mut lost = || counters.since_last()[lost] + self.prog_stats.since_last().missed;
        let source = events::Source { object, lost: &mut lost };
        events::write(tool, common, &self.stop, source, decode, wanted)
    }

    fn counters<const COUNTERS: usize>(&self) -> Result<MappedCounters<COUNTERS>> {
        MappedCounters::map(&map(self.skel.object(), "counters")?)
    }
}
