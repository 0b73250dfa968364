//! What the keys ask for: to pause, to step, to go to a time.

use cli::exit::Result;

use super::Show;
use crate::live::keys::Order;
use crate::live::player::Aim;
use crate::live::view::Cover;
use crate::record::moment;
use crate::record::timestamp::Nanos;

impl Show {
    /// Does what a key asks for.
    ///
    /// # Errors
    /// If a recording cannot be read again.
    pub(super) fn obey(&mut self, order: Order) -> Result<()> {
        if self.view.cover == Cover::Messages {
            self.seen = self.messages.count;
        }
        match order {
            Order::Pause => self.pause(),
            Order::Step(by) => self.step(by)?,
            Order::Ends(1) if self.of_files => self.player.aim = Aim::End,
            Order::Ends(1) => self.view.at = None,
            Order::Ends(_) => {
                let first = if self.of_files { self.reading.store.oldest } else { self.oldest() };
                if let Some(first) = first {
                    self.go(first)?;
                }
            }
            Order::Jump(text) => {
                let now = self.now().unwrap_or_default();
                match moment::parse(&text, now, self.zone.time_zone()) {
                    Ok(time) => self.go(time)?,
                    Err(why) => self.view.notice = Some(why),
                }
            }
            Order::Speed(_) if !self.of_files => {
                self.view.notice = Some("only a recording is played faster or slower".to_owned());
            }
            Order::Speed(by) => self.player.faster(by),
            Order::Draw | Order::Quit | Order::Suspend | Order::Clear => {}
        }
        Ok(())
    }

    fn pause(&mut self) {
        match (self.of_files, self.player.plays()) {
            (true, true) => self.player.stop(),
            (true, false) => {
                if let Some(at) = self.now() {
                    self.player.play(at);
                }
            }
            (false, _) => {
                let frame = self.view.frame(&self.reading.store);
                self.view.at = if self.view.at.is_some() { None } else { frame.map(|frame| frame.at) };
            }
        }
    }

    /// The time that is shown.
    pub(super) fn now(&self) -> Option<Nanos> {
        self.view.at.or_else(|| self.view.frame(&self.reading.store).map(|frame| frame.at))
    }

    /// The end of the oldest interval that is kept of the tool that is shown.
    pub(super) fn oldest(&self) -> Option<Nanos> {
        Some(self.view.shown(&self.reading.store)?.times.ends()?.0.at)
    }

    fn step(&mut self, by: i8) -> Result<()> {
        self.player.stop();
        let Some((tab, now)) = self.view.shown(&self.reading.store).zip(self.now()) else { return Ok(()) };
        let beside = if by > 0 { tab.times.after(now) } else { tab.times.before(now) };
        // The last one that is known may not be complete.
        let certain =
            by < 0 || !self.of_files || beside.is_some_and(|frame| tab.times.after(frame.at).is_some());
        match beside.filter(|_| certain) {
            Some(frame) => self.view.at = Some(frame.at),
            None if self.of_files && by > 0 => self.player.aim = Aim::After(now),
            None if self.of_files && self.reading.store.forgot() => {
                self.go(self.oldest().unwrap_or(now) - 1)?
            }
            None if by < 0 => self.view.notice = Some("nothing older is kept".to_owned()),
            None => self.view.at = None,
        }
        Ok(())
    }

    /// Shows this time, for which a recording may have to be read again.
    fn go(&mut self, time: Nanos) -> Result<()> {
        let oldest = self.oldest();
        if !self.of_files {
            let newest = self.reading.store.newest;
            if oldest.is_none_or(|oldest| time < oldest) || newest.is_none_or(|newest| time > newest) {
                self.view.notice = Some("that time is not kept".to_owned());
            }
            self.view.at =
                oldest.map(|oldest| time.max(oldest)).filter(|at| newest.is_none_or(|newest| *at < newest));
            return Ok(());
        }
        let is_known = oldest.is_some_and(|oldest| oldest <= time) || !self.reading.store.forgot();
        match is_known {
            true => self.reading.skip_to(time, &self.view),
            false => self.reading.again(time, &self.view)?,
        }
        self.player.aim = Aim::Time(time);
        Ok(())
    }
}
