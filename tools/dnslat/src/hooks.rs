//! Where dnslat attaches.

use cli::notes::{self, Note};
use common::hooks::{Hook, Rung};

/// On kernels that are built without IPv6, or with it as a module that is not loaded.
const WITHOUT_IPV6: &Note = &notes::DNS_WITHOUT_IPV6;

/// What a device's queue shows.
const QUEUED: &Note = &notes::DNS_QUEUED;

/// What a device's receipts show.
const ARRIVED: &Note = &notes::DNS_ARRIVED;

/// What a probe of the function that frees a datagram does not see.
const PAGES: &Note = &notes::DNS_PAGES;

/// The same over IPv6, on kernels as above.
const PAGES_OF_IPV6: &Note = &notes::DNS_PAGES_OF_IPV6;

/// The limitation of return probes: see vfsstat.
const PROBED: &Note = &notes::PROBED;

/// The functions that all datagrams of sockets pass once, in the task that sends or reads them; then devices. None of the
/// functions is called from its own file alone, so no compiler inlines all its calls.
pub const HOOKS: &[Hook] = &[
    Hook::new(
        "queries",
        &[
            Rung::new(&["query_f", "query6_f"]),
            Rung::new(&["query_k", "query6_k"]),
            Rung::new(&["query_b"]).limitation(QUEUED),
            Rung::new(&["query_f"]).limitation(WITHOUT_IPV6),
            Rung::new(&["query_k"]).limitation(WITHOUT_IPV6),
        ],
    ),
    Hook::new(
        "answers",
        &[
            Rung::new(&["answer_fx", "answer6_fx", "answer_f"]),
            Rung::new(&["answer_fx", "answer_f"]).limitation(PAGES_OF_IPV6),
            Rung::new(&["answer_k"]).limitation(PAGES),
            Rung::new(&["answer_b"]).limitation(ARRIVED),
        ],
    ),
    // Programs pass these whatever the protocol. No tracepoint shows the data.
    Hook::new(
        "TCP",
        &[
            Rung::new(&[
                "tcp_answer_fx",
                "tcp_answer6_fx",
                "tcp_answer_f",
                "tcp_answer6_f",
                "tcp_query_f",
                "tcp_query6_f",
            ]),
            Rung::new(&[
                "tcp_answer_kx",
                "tcp_answer6_kx",
                "tcp_answer_k",
                "tcp_answer6_k",
                "tcp_query_k",
                "tcp_query6_k",
            ])
            .limitation(PROBED),
            Rung::new(&["tcp_answer_fx", "tcp_answer_f", "tcp_query_f"]).limitation(WITHOUT_IPV6),
        ],
    )
    .optional(),
];
