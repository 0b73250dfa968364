//! The loop: waits for records, keys, signals and the clock, and draws what has changed, at most ten times a second.

mod orders;

use std::ffi::OsString;
use std::io;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use ::table::{Options, Screen as Colours, Zone};
use cli::exit::{Failure, Result};
use cli::signals::{Stop, Woken};
use crossterm::event::{self, Event};
use rustix::event::PollFlags;

use super::draw::{Paint, Status, draw};
use super::input::messages::Messages;
use super::keys::{self, Order};
use super::player::{Aim, Player};
use super::reading::Reading;
use super::screen::{Screen, give_back};
use super::view::View;
use crate::record::timestamp::Nanos;

/// The least time between two pictures of what comes by itself. Keys are answered at once.
const GAP: Duration = Duration::from_millis(100);
/// Said where it does not go on.
const END: &str = "this is the end";
/// How long the records of one interval may take to come.
const BURST: Duration = Duration::from_millis(30);

/// The least time between two looks at a live stream, so that each takes many records: a look costs as much as twenty.
const REST: Duration = Duration::from_millis(15);

/// The screen at work.
pub struct Show {
    reading: Reading,
    view: View,
    player: Player,
    messages: Messages,
    /// How many messages have been seen.
    seen: u64,
    /// Whether it is of files, which can be read again.
    of_files: bool,
    zone: Zone,
    paint: Paint,
    drawn: Instant,
    /// When the next picture is due.
    due: Option<Instant>,
    /// When records came last.
    came: Instant,
    /// When a live stream was looked at last.
    looked: Instant,
}

impl Show {
    /// Starts the merge with these words; `options` are those of tables.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(words: Vec<OsString>, stdin: bool, of_files: bool, options: Options) -> Result<Self> {
        let colours = Colours::now(options.color).colours;
        // crossterm would look at NO_COLOR by itself.
        crossterm::style::force_color_output(colours);
        let mut view = View::new();
        view.exact = options.exact;
        Ok(Self {
            reading: Reading::start(words, stdin)?,
            view,
            player: Player::new(),
            messages: Messages::default(),
            seen: 0,
            of_files,
            zone: Zone::new(options.utc),
            paint: Paint::new(colours),
            drawn: Instant::now(),
            due: Some(Instant::now()),
            came: Instant::now(),
            looked: Instant::now(),
        })
    }

    /// Until it is to end.
    ///
    /// # Errors
    /// If the terminal fails.
    pub fn work(&mut self, stop: &Stop) -> Result<()> {
        let mut screen = Screen::take()?;
        let failure = |error: io::Error| Failure::failed(format!("--live: the terminal: {error}"));
        loop {
            if self.wait(&screen, stop) == Woken::Stop || screen.is_gone() {
                return Ok(());
            }
            self.take_in()?;
            // Nothing came at all: why is said in the lines that follow.
            if self.reading.feed.is_over() && self.reading.store.tabs.is_empty() {
                return Ok(());
            }
            if screen.heed().map_err(failure)? {
                self.due = Some(Instant::now());
            }
            while event::poll(Duration::ZERO).map_err(failure)? {
                let order = match event::read().map_err(failure)? {
                    Event::Key(key) => {
                        self.seen = self.messages.count;
                        keys::press(key, &mut self.view, &self.reading.store)
                    }
                    Event::Paste(text) => {
                        keys::paste(&text, &mut self.view);
                        Some(Order::Draw)
                    }
                    Event::Resize(..) => Some(Order::Draw),
                    _ => None,
                };
                match order {
                    None => continue,
                    Some(Order::Quit) => return Ok(()),
                    Some(Order::Suspend) => screen.suspend().map_err(failure)?,
                    Some(Order::Clear) => screen.clear().map_err(failure)?,
                    Some(order) => self.obey(order)?,
                }
                self.due = Some(Instant::now());
            }
            if self.due.is_some_and(|due| due <= Instant::now()) {
                self.draw(&mut screen).map_err(failure)?;
            }
        }
    }

    /// Ends the merge; how it ended, and what was said.
    pub fn end(mut self) -> (Option<ExitStatus>, Messages) {
        // Where drawing was cut short by a panic elsewhere.
        give_back();
        let status = self.reading.feed.end(&mut self.messages);
        (status, self.messages)
    }

    fn wait(&self, screen: &Screen, stop: &Stop) -> Woken {
        let feed = &self.reading.feed;
        let rests = (!self.of_files).then(|| self.looked + REST).filter(|end| *end > Instant::now());
        let records = feed.records().filter(|_| if self.of_files { self.reads() } else { rests.is_none() });
        let mut fds: Vec<_> = screen.fds().into_iter().map(|fd| (fd, PollFlags::IN)).collect();
        fds.extend(records.into_iter().chain(feed.said()).map(|fd| (fd, PollFlags::IN)));
        let playing =
            self.next_interval().and_then(|time| self.player.due(time)).map(|at| at.max(self.drawn + GAP));
        // What has been read is not all taken yet, or there is no more.
        let on_the_way = self.of_files && self.reads();
        let at_once = (on_the_way && feed.has_more()).then(Instant::now);
        stop.wait(self.due.into_iter().chain(playing).chain(at_once).chain(rests).min(), &fds)
    }

    /// Of a recording: whether more of it is to be read.
    fn reads(&self) -> bool {
        self.player.aim != Aim::Here || self.player.plays() && self.next_interval().is_none()
    }

    /// The end of the next interval of any tool, if it is known.
    fn next_interval(&self) -> Option<Nanos> {
        let at = self.view.at?;
        self.reading.store.tabs.iter().filter_map(|tab| Some(tab.times.after(at)?.at)).min()
    }

    /// What has come, and what the clock brings.
    fn take_in(&mut self) -> Result<()> {
        let said = self.messages.count;
        self.reading.feed.listen(&mut self.messages);
        let changed = if self.of_files { self.play()? } else { self.follow() };
        if changed || self.messages.count > said {
            let soon = self.drawn + GAP;
            self.due = Some(self.due.map_or(soon, |due| due.min(soon)));
        }
        if !self.of_files && changed {
            // All of an interval's records, if they come at once; they may never pause.
            self.came = Instant::now();
            self.due = self.due.map(|due| due.max(self.came + BURST).min(self.drawn + 2 * GAP));
        }
        Ok(())
    }

    /// Of a live stream.
    fn follow(&mut self) -> bool {
        let over = self.reading.feed.is_over();
        if self.looked.elapsed() < REST {
            return false;
        }
        let taken = self.reading.take_all();
        if taken {
            self.looked = Instant::now();
        }
        let changed = taken || self.reading.feed.is_over() != over;
        // What is looked at may have been forgotten.
        let oldest = self.view.shown(&self.reading.store).and_then(|tab| tab.times.ends());
        if let (Some(at), Some((oldest, _))) = (self.view.at, oldest)
            && at < oldest.at
        {
            self.view.at = Some(oldest.at);
        }
        changed && self.view.at.is_none()
    }

    /// Of a recording.
    fn play(&mut self) -> Result<bool> {
        let aim = self.player.aim;
        if aim != Aim::Here {
            if !self.reading.take_until(aim, &self.view) {
                return Ok(true);
            }
            self.player.aim = Aim::Here;
            if self.reading.store.newest.is_none() && self.reading.skips() {
                // On the way to a time beyond the end all was left out.
                self.reading.again(Nanos::MIN, &self.view)?;
                self.player.aim = Aim::End;
                self.view.notice = Some(END.to_owned());
                return Ok(true);
            }
            self.arrive(aim);
            return Ok(true);
        }
        let Some(time) = self.player.time(Instant::now()) else { return Ok(false) };
        if !self.reading.take_until(Aim::Time(time), &self.view) {
            return Ok(false);
        }
        let before = self.next_interval();
        self.view.at = Some(time);
        if self.reading.feed.is_over() && self.reading.store.newest.is_none_or(|newest| newest <= time) {
            self.view.at = self.reading.store.newest;
            self.player.stop();
            return Ok(true);
        }
        Ok(before.is_some_and(|next| next <= time))
    }

    /// What was aimed at has been read.
    fn arrive(&mut self, aim: Aim) {
        let store = &self.reading.store;
        let ends = self.view.shown(store).and_then(|tab| tab.times.ends());
        self.view.at = match aim {
            Aim::Here => self.view.at,
            Aim::End => store.newest,
            Aim::After(time) => {
                let after = self.view.shown(store).and_then(|tab| tab.times.after(time));
                if after.is_none() && ends.is_some() {
                    self.view.notice = Some(END.to_owned());
                }
                after.map(|frame| frame.at).or(self.view.at)
            }
            Aim::Time(time) => {
                let (first, last) = (ends.map(|(first, _)| first.at), store.newest);
                match (first, last) {
                    (Some(first), _) if time < first => {
                        self.view.notice = Some("this is the beginning".to_owned());
                        Some(first)
                    }
                    (_, Some(last)) if time > last => {
                        self.view.notice = Some(END.to_owned());
                        Some(last)
                    }
                    _ => Some(time),
                }
            }
        };
        if let (true, Some(at)) = (self.player.plays(), self.view.at) {
            self.player.play(at);
        }
    }

    fn state(&self) -> String {
        let over = self.reading.feed.is_over();
        let last = self.view.at.is_none() || self.view.at >= self.reading.store.newest;
        match (self.of_files, self.view.at) {
            (true, _) if self.player.aim != Aim::Here => "READING".to_owned(),
            (true, _) if self.player.plays() => format!("PLAY {}", self.player.speed()),
            (true, _) if over && last => "END".to_owned(),
            (true, _) if self.player.speed() != "×1" => format!("PAUSED {}", self.player.speed()),
            (false, None) if over => "ENDED".to_owned(),
            (false, None) => "LIVE".to_owned(),
            _ => "PAUSED".to_owned(),
        }
    }

    fn draw(&mut self, screen: &mut Screen) -> io::Result<()> {
        let state = self.state();
        self.view.settled = self.of_files || self.came.elapsed() >= BURST;
        let Self { view, reading, messages, seen, zone, paint, .. } = self;
        let status = Status { state, messages, seen: *seen, zone, paint: *paint };
        screen.terminal.draw(|frame| draw(frame, view, &reading.store, &status))?;
        self.drawn = Instant::now();
        self.due = (!self.view.settled).then(|| self.drawn + GAP);
        Ok(())
    }
}
