//! What swapstat attaches to.

use cli::notes::{self, Note};
use common::hooks::{Hook, Rung};

/// The hook that times faults.
pub const FAULTS: &str = "faults";
/// The hook that sees what zswap keeps.
pub const ZSWAP: &str = "zswap";

/// The limitation of return probes: see vfsstat.
const PROBED: &Note = &notes::PROBED;

/// The limitation of the entries of the functions that take pages.
const TAKEN: &Note = &notes::SWAP_TAKEN;

/// The best rung first.
pub const HOOKS: &[Hook] = &[
    Hook::new("pages", &[Rung::new(&["bio_b"])]),
    // Where disks in memory take pages without a bio.
    Hook::new(
        "pages of disks in memory",
        &[Rung::new(&["rw_read_f", "rw_write_f"]), Rung::new(&["rw_read_k", "rw_write_k"]).limitation(TAKEN)],
    )
    .only_with("rw_page")
    .optional(),
    Hook::new(
        FAULTS,
        &[Rung::new(&["fault_f", "fault_fx"]), Rung::new(&["fault_k", "fault_kx"]).limitation(PROBED)],
    )
    .optional(),
    Hook::new(ZSWAP, &[Rung::new(&["zswap_store_f", "zswap_load_f"])]).if_present(),
];
