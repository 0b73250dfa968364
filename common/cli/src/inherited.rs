//! Which standard descriptors the process was started with. Rust's runtime opens /dev/null in the place of those that are
//! closed, before `main`: without a look before that, records would go nowhere and the status be 0.

use std::sync::atomic::{AtomicBool, Ordering};

use libc::{F_GETFD, STDIN_FILENO, STDOUT_FILENO, c_int};

use crate::exit::{Failure, Result};

static STDIN_CLOSED: AtomicBool = AtomicBool::new(false);
static STDOUT_CLOSED: AtomicBool = AtomicBool::new(false);

/// Called by the dynamic or static start-up code, before the runtime's own.
#[used]
// SAFETY: the section holds pointers to functions of C's calling convention, as this one is.
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    // SAFETY: only asks about a number.
    let closed = |fd: c_int| unsafe { libc::fcntl(fd, F_GETFD) } == -1;
    STDIN_CLOSED.store(closed(STDIN_FILENO), Ordering::Relaxed);
    STDOUT_CLOSED.store(closed(STDOUT_FILENO), Ordering::Relaxed);
}

/// Whether the process was started without a stdin (`<&-`).
pub fn stdin_is_closed() -> bool {
    STDIN_CLOSED.load(Ordering::Relaxed)
}

/// Refuses to print where the process was started without a stdout (`>&-`).
///
/// # Errors
/// Status 1.
pub fn check_stdout() -> Result<()> {
    match STDOUT_CLOSED.load(Ordering::Relaxed) {
        true => Err(Failure::failed("stdout is closed: redirect it to a file, a pipe or /dev/null")),
        false => Ok(()),
    }
}
