//! What the service manager is told that has started this program, if it asks (`NOTIFY_SOCKET`, `Type=notify` of a unit).

use sd_notify::NotifyState;

use crate::note::note;

/// All has been started that the command line names; `serving` is where metrics are.
pub fn ready(serving: Option<&str>, quiet: bool) {
    let status = serving.map_or_else(|| "merging".to_owned(), |at| format!("serving on http://{at}/metrics"));
    tell(&[NotifyState::Ready, NotifyState::Status(&status)], quiet);
}

/// It ends.
pub fn stopping(quiet: bool) {
    tell(&[NotifyState::Stopping], quiet);
}

fn tell(states: &[NotifyState<'_>], quiet: bool) {
    if let Err(error) = sd_notify::notify(states)
        && !quiet
    {
        note(&format!("cannot tell the service manager (NOTIFY_SOCKET): {error}"));
    }
}
