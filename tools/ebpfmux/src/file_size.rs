//! RLIMIT_FSIZE: a write beyond it fails like any other, instead of ending the process by SIGXFSZ.

/// Handles SIGXFSZ. To be called once, at the start. If the signal is ignored it stays so.
pub fn report_as_error() {
    extern "C" fn nothing(_: libc::c_int) {}
    let handler = nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // A handler instead of SIG_IGN, which the commands of --run would inherit.
    // SAFETY: the handler does nothing, so it can run at any time.
    unsafe {
        if libc::signal(libc::SIGXFSZ, handler) == libc::SIG_IGN {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        }
    }
}
