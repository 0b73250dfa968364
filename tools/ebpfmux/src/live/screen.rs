//! The terminal: taken for the screen, and given back as it was, however this ends.

use std::env;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use cli::exit::{Failure, Result};
use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use signal_hook::consts::{SIGCONT, SIGTSTP, SIGWINCH};
use signal_hook::low_level::{emulate_default_handler, pipe};

/// Whether the terminal is taken.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal while it is taken. Dropping it gives it back.
pub struct Screen {
    /// What draws.
    pub terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
    /// Where keys come from.
    keys: OwnedFd,
    /// Readable when the size has changed.
    resized: OwnedFd,
    /// Readable when it is to stand still (Ctrl-Z, SIGTSTP).
    suspended: OwnedFd,
    /// Readable when it goes on.
    continued: OwnedFd,
}

/// Refuses what is no terminal, or none that can be drawn on.
///
/// # Errors
/// Bad usage, with the remedy.
pub fn check() -> Result<()> {
    if !io::stdout().is_terminal() {
        return Err(Failure::usage(
            "--live needs a terminal, and stdout is none: leave --live out to write records",
        ));
    }
    let term = env::var_os("TERM").unwrap_or_default();
    if term.is_empty() || term == "dumb" {
        let what = if term.is_empty() { "TERM is not set" } else { "TERM=dumb cannot move its cursor" };
        return Err(Failure::usage(format!(
            "--live: {what}: set TERM to what the terminal is (TERM=xterm-256color), or leave --live out"
        )));
    }
    Ok(())
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// If there is none, or it cannot be set.
    pub fn take() -> Result<Self> {
        let failure = |error: io::Error| Failure::failed(format!("--live: the terminal: {error}"));
        // stdin may be a pipe with records.
        let keys = match io::stdin().is_terminal() {
            true => io::stdin().as_fd().try_clone_to_owned(),
            false => File::open("/dev/tty").map(OwnedFd::from),
        };
        let keys = keys.map_err(failure)?;
        let screen = Self {
            terminal: new().map_err(failure)?,
            keys,
            resized: on(SIGWINCH).map_err(failure)?,
            suspended: on(SIGTSTP).map_err(failure)?,
            continued: on(SIGCONT).map_err(failure)?,
        };
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                give_back();
                before(panic);
            }));
        });
        enter().map_err(failure)?;
        Ok(screen)
    }

    /// What to wait on: keys, a new size, being suspended, going on.
    pub fn fds(&self) -> [BorrowedFd<'_>; 4] {
        [self.keys.as_fd(), self.resized.as_fd(), self.suspended.as_fd(), self.continued.as_fd()]
    }

    /// Has all be drawn again. (ratatui's own `clear` asks the terminal where its cursor is, and fails where it does not
    /// answer at once.)
    ///
    /// # Errors
    /// If the terminal cannot be written to.
    pub fn clear(&mut self) -> io::Result<()> {
        execute!(io::stdout(), Clear(ClearType::All))?;
        self.terminal = new()?;
        Ok(())
    }

    /// Handles what the signals ask for; returns whether all is to be drawn again.
    ///
    /// # Errors
    /// If the terminal cannot be taken again.
    pub fn heed(&mut self) -> io::Result<bool> {
        let mut again = heard(&self.resized);
        if heard(&self.suspended) {
            self.suspend()?;
            again = true;
        }
        if heard(&self.continued) {
            // After a SIGSTOP, of which nothing is told before. The shell has set its own modes since, of which crossterm
            // does not know.
            disable_raw_mode()?;
            enter()?;
            self.clear()?;
            again = true;
        }
        Ok(again)
    }

    /// Gives the terminal back and stands still until SIGCONT.
    ///
    /// # Errors
    /// If the terminal cannot be taken again.
    pub fn suspend(&mut self) -> io::Result<()> {
        give_back();
        emulate_default_handler(SIGTSTP)?;
        heard(&self.suspended);
        heard(&self.continued);
        enter()?;
        self.clear()
    }

    /// Whether the terminal has gone away.
    pub fn is_gone(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, poll};
        let mut keys = [PollFd::new(&self.keys, PollFlags::IN)];
        let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
        poll(&mut keys, Some(&Default::default())).is_ok() && keys[0].revents().intersects(gone)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn new() -> io::Result<Terminal<CrosstermBackend<BufWriter<Stdout>>>> {
    Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(1 << 16, io::stdout())))
}

/// A pipe that becomes readable at a signal.
fn on(signal: i32) -> io::Result<OwnedFd> {
    use rustix::pipe::{PipeFlags, pipe_with};
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    pipe::register(signal, writer)?;
    Ok(reader)
}

/// Whether the signal has come since this was last asked.
fn heard(pipe: &OwnedFd) -> bool {
    let mut bytes = [0; 64];
    let mut heard = false;
    while rustix::io::read(pipe, &mut bytes).is_ok_and(|read| read > 0) {
        heard = true;
    }
    heard
}

fn enter() -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen, Hide, EnableBracketedPaste)
}

/// Gives the terminal back, if it is taken.
pub fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // Nothing more can be done if it fails: the terminal may be gone.
        let mut out = io::stdout();
        let _ = queue!(out, DisableBracketedPaste, LeaveAlternateScreen, Show);
        let _ = out.flush();
        let _ = disable_raw_mode();
    }
}
