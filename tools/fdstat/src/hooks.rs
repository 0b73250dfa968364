//! What fdstat attaches to.

use cli::notes::{self, Note};
use common::hooks::{Hook, Rung};

/// What the system calls' own tracepoints cannot see. Opens by io_uring are a hook of their own.
const SYSCALLS: &Note = &notes::OPEN_CALLS;
/// The same of closes, without which the rest is not known.
const CLOSE_CALLS: &Note = &notes::CLOSE_CALLS;
/// The limitation where io_uring's own function is inlined into another.
const NOT_EBADF: &Note = &notes::CLOSES_NOT_OPEN;
/// The limitation where io_uring's own function is not in the kernel.
const NO_URING: &Note = &notes::CLOSES_BY_URING;

/// The limitation of return probes: see vfsstat.
const PROBED: &Note = &notes::PROBED;

/// The same where io_uring's own function is inlined into another.
const NOT_EBADF_PROBED: &Note = &notes::CLOSES_NOT_OPEN_PROBED;
/// The same without io_uring's own function.
const NO_URING_PROBED: &Note = &notes::CLOSES_BY_URING_PROBED;

/// close(2) and what else gives descriptors up: together, because the flush of a file is a close if close(2) has taken
/// its descriptor, and is dropped otherwise. `close_fd` is in all kernels and not called by close(2) from 6.6 on, which
/// the self-test finds.
const CLOSES: &[Rung] = &[
    Rung::new(&["taken_f", "flush_f", "uring_close_f", "uring_close_fx"]),
    Rung::new(&["taken_f6", "flush_f", "uring_close_f", "uring_close_fx"]),
    Rung::new(&["close_f", "close_fx", "filp_close_f", "uring_close_f", "uring_close_fx"]),
    Rung::new(&["close_f", "close_fx", "filp_close_f", "uring_taken_f5"]).limitation(NOT_EBADF),
    Rung::new(&["taken_f", "flush_f"]).limitation(NO_URING),
    Rung::new(&["close_f", "close_fx", "filp_close_f"]).limitation(NO_URING),
    Rung::new(&["close_tx"]).limitation(CLOSE_CALLS),
    Rung::new(&["taken_k", "taken_kx", "flush_k", "flush_kx", "uring_close_k", "uring_close_kx"])
        .limitation(PROBED),
    Rung::new(&["taken_k6", "taken_k6x", "flush_k", "flush_kx", "uring_close_k", "uring_close_kx"])
        .limitation(PROBED),
    Rung::new(&["close_k", "close_kx", "filp_close_k", "filp_close_kx", "uring_close_k", "uring_close_kx"])
        .limitation(PROBED),
    Rung::new(&["close_k", "close_kx", "filp_close_k", "filp_close_kx", "uring_taken_k5", "uring_taken_k5x"])
        .limitation(NOT_EBADF_PROBED),
    Rung::new(&["taken_k", "taken_kx", "flush_k", "flush_kx"]).limitation(NO_URING_PROBED),
    Rung::new(&["close_k", "close_kx", "filp_close_k", "filp_close_kx"]).limitation(NO_URING_PROBED),
];

/// The same for events, which need to know the descriptor.
const FAILING_CLOSES: &[Rung] = &{
    let mut rungs = [Rung::new(&[]); CLOSES.len()];
    let mut at = 0;
    while at < rungs.len() {
        rungs[at] = CLOSES[at];
        at += 1;
    }
    rungs[CLOSE_CALL] = Rung::new(&["close_t", "close_tx"]).limitation(CLOSE_CALLS);
    rungs
};

/// The rung of the tracepoints among them.
const CLOSE_CALL: usize = 6;

/// First what sees all calls, then what sees those of 64-bit programs only, and last the return probes, which have
/// little room. Of the pairs of hooks one is for intervals, one for events.
pub const HOOKS: &[Hook] = &[
    Hook::new(
        "opens",
        &[
            Rung::new(&["open_fx"]),
            Rung::new(&["open_tx", "creat_tx", "openat_tx", "openat2_tx"]).limitation(SYSCALLS),
            // arm64 and riscv have no open and creat.
            Rung::new(&["openat_tx", "openat2_tx"]).limitation(SYSCALLS),
            Rung::new(&["open_kx"]).limitation(PROBED),
        ],
    ),
    Hook::new(
        "handle opens",
        &[
            Rung::new(&["handle_fx"]),
            Rung::new(&["handle_tx"]).limitation(SYSCALLS),
            Rung::new(&["handle_kx"]).limitation(PROBED),
        ],
    )
    .if_present(),
    Hook::new(
        "io_uring opens",
        &[
            Rung::new(&["uring_open_fx"]),
            // The exit does not know the request, which has the result.
            Rung::new(&["uring_open_k", "uring_open_kx"]).limitation(PROBED),
        ],
    )
    .if_present(),
    Hook::new("created", &[Rung::new(&["install_f"]), Rung::new(&["install_k"])]).optional(),
    Hook::new("closes", CLOSES),
    Hook::new("fds", &[Rung::new(&["count_fds"])]).optional(),
    Hook::new(
        "each open",
        &[
            Rung::new(&["open_f", "open_fx"]),
            Rung::new(&[
                "open_t",
                "open_tx",
                "creat_t",
                "creat_tx",
                "openat_t",
                "openat_tx",
                "openat2_t",
                "openat2_tx",
            ])
            .limitation(SYSCALLS),
            Rung::new(&["openat_t", "openat_tx", "openat2_t", "openat2_tx"]).limitation(SYSCALLS),
            Rung::new(&["open_k", "open_kx"]).limitation(PROBED),
        ],
    ),
    Hook::new(
        "each handle open",
        &[
            Rung::new(&["handle_f", "handle_fx"]),
            Rung::new(&["handle_t", "handle_tx"]).limitation(SYSCALLS),
            Rung::new(&["handle_k", "handle_kx"]).limitation(PROBED),
        ],
    )
    .if_present(),
    Hook::new(
        "each io_uring open",
        &[
            Rung::new(&["uring_open_f", "uring_open_fx"]),
            Rung::new(&["uring_open_k", "uring_open_kx"]).limitation(PROBED),
        ],
    )
    .if_present(),
    Hook::new("failing closes", FAILING_CLOSES),
];

/// Whether a run with or without --events needs a hook.
pub fn wanted(hook: &Hook, events: bool) -> bool {
    events == (hook.name.starts_with("each ") || hook.name == "failing closes")
}
