//! Where inetstat attaches. It is useful with any of its hooks: fields whose hook is missing are null.

use cli::notes::{self, Note};
use common::hooks::{Hook, Rung};

/// The names of hooks that fields of the record depend on.
pub const SENDS: &str = "sends";
pub const RECEIVES: &str = "receives";
pub const ACCEPTS: &str = "accepts";
pub const CONNECTS: &str = "connects";
pub const RESETS_SENT: &str = "resets sent";
pub const RESETS_RECEIVED: &str = "resets received";
pub const RETRANSMITS: &str = "retransmits";
pub const DROPS: &str = "drops";
/// This one is needed only if users of sockets are remembered.
pub const ENDS: &str = "ends of sockets";

/// What the system calls' own tracepoints cannot see.
const SYSCALLS: &Note = &notes::ACCEPT_CALLS;

/// On kernels before 6.3 that are built without IPv6, or with it as a module that is not loaded.
const WITHOUT_IPV6: &Note = &notes::INET_WITHOUT_IPV6;

/// The limitation of return probes: see vfsstat.
const PROBED: &Note = &notes::PROBED;

/// Tracepoints see all sends and receives from 6.3 on (kernel commit 6e6eda44b939, "sock: add tracepoint for send recv
/// length"). The functions that they replace are passed once by each call, whatever the protocol. What packets bring
/// about is seen in one way on every kernel with BTF.
pub const HOOKS: &[Hook] = &[
    Hook::new(
        SENDS,
        &[
            Rung::new(&["send_b"]),
            Rung::new(&["send_f", "send6_f"]),
            Rung::new(&["send_k", "send_kx", "send6_k", "send6_kx"]).limitation(PROBED),
            Rung::new(&["send_f"]).limitation(WITHOUT_IPV6),
        ],
    )
    .optional(),
    // 6.5 removed the operation: kernel commit dc97391e6610 ("sock: Remove ->sendpage*() in favour of
    // sendmsg(MSG_SPLICE_PAGES)").
    Hook::new(
        "sends of pages",
        &[Rung::new(&["send_page_f"]), Rung::new(&["send_page_k", "send_page_kx"]).limitation(PROBED)],
    )
    .optional()
    .only_with("sendpage"),
    Hook::new(
        RECEIVES,
        &[
            Rung::new(&["receive_b"]),
            Rung::new(&["receive_f", "receive6_f"]),
            Rung::new(&["receive_k", "receive_kx", "receive6_k", "receive6_kx"]).limitation(PROBED),
            Rung::new(&["receive_f"]).limitation(WITHOUT_IPV6),
        ],
    )
    .optional(),
    Hook::new(
        "splices",
        &[Rung::new(&["splice_f"]), Rung::new(&["splice_k", "splice_kx"]).limitation(PROBED)],
    )
    .optional(),
    Hook::new(
        ACCEPTS,
        &[
            Rung::new(&["accept_f"]),
            Rung::new(&["accept_k"]),
            Rung::new(&["accept_t", "accept4_t"]).limitation(SYSCALLS),
        ],
    )
    .optional(),
    Hook::new(CONNECTS, &[Rung::new(&["on_state"])]).optional(),
    Hook::new(RESETS_SENT, &[Rung::new(&["on_reset_sent"])]).optional(),
    Hook::new(RESETS_RECEIVED, &[Rung::new(&["on_reset_received"])]).optional(),
    Hook::new(RETRANSMITS, &[Rung::new(&["on_retransmit", "on_synack"])]).optional(),
    Hook::new(DROPS, &[Rung::new(&["on_drop"])]).optional(),
    Hook::new(ENDS, &[Rung::new(&["on_destroy"])]).optional(),
];
