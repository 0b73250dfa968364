//! Where mountsnoop attaches.

use cli::notes::{self, Note};
use common::hooks::{Hook, Rung};

/// The limitation of the calls' functions without those of 32-bit programs. Other architectures
/// have one function for both.
const NATIVE: &Note = &notes::NATIVE_X86;

/// What the system calls' own tracepoints cannot see.
const SYSCALLS: &Note = &notes::SYSCALLS;

/// The limitation of return probes: see vfsstat.
const PROBED: &Note = &notes::PROBED;

/// The same for calls with other functions for 32-bit programs.
const NATIVE_PROBED: &Note = if cfg!(target_arch = "x86_64") { &notes::NATIVE_X86_PROBED } else { PROBED };

/// First what sees all calls, last what sees those of 64-bit programs only. The functions are those of the system calls, not
/// path_mount and path_umount, which are not reached where the target does not exist. No self-test is needed: the functions'
/// addresses are in tables, so no compiler can inline them.
pub const HOOKS: &[Hook] = &[
    Hook::new(
        "mount",
        &[
            Rung::new(&["mount_f", "mount_fx", "mount_32f", "mount_32fx"]),
            Rung::new(&["mount_f", "mount_fx"]).limitation_on_x86(NATIVE),
            Rung::new(&["mount_k", "mount_kx", "mount_32k", "mount_32kx"]).limitation(PROBED),
            Rung::new(&["mount_k", "mount_kx"]).limitation(NATIVE_PROBED),
            Rung::new(&["mount_t", "mount_tx"]).limitation(SYSCALLS),
        ],
    ),
    Hook::new(
        "umount",
        &[
            Rung::new(&["umount_f", "umount_fx", "umount_32f", "umount_32fx"]),
            Rung::new(&["umount_f", "umount_fx"]).limitation_on_x86(NATIVE),
            Rung::new(&["umount_k", "umount_kx", "umount_32k", "umount_32kx"]).limitation(PROBED),
            Rung::new(&["umount_k", "umount_kx"]).limitation(NATIVE_PROBED),
            Rung::new(&["umount_t", "umount_tx"]).limitation(SYSCALLS),
        ],
    ),
    Hook::new(
        "fsopen",
        &[
            Rung::new(&["fsopen_f", "fsopen_fx", "fsopen_32f", "fsopen_32fx"]),
            Rung::new(&["fsopen_f", "fsopen_fx"]).limitation_on_x86(NATIVE),
            Rung::new(&["fsopen_k", "fsopen_kx", "fsopen_32k", "fsopen_32kx"]).limitation(PROBED),
            Rung::new(&["fsopen_k", "fsopen_kx"]).limitation(NATIVE_PROBED),
            Rung::new(&["fsopen_t", "fsopen_tx"]).limitation(SYSCALLS),
        ],
    ),
    Hook::new(
        "fsmount",
        &[
            Rung::new(&["fsmount_f", "fsmount_fx", "fsmount_32f", "fsmount_32fx"]),
            Rung::new(&["fsmount_f", "fsmount_fx"]).limitation_on_x86(NATIVE),
            Rung::new(&["fsmount_k", "fsmount_kx", "fsmount_32k", "fsmount_32kx"]).limitation(PROBED),
            Rung::new(&["fsmount_k", "fsmount_kx"]).limitation(NATIVE_PROBED),
            Rung::new(&["fsmount_t", "fsmount_tx"]).limitation(SYSCALLS),
        ],
    ),
    Hook::new(
        "open_tree",
        &[
            Rung::new(&["open_tree_f", "open_tree_fx", "open_tree_32f", "open_tree_32fx"]),
            Rung::new(&["open_tree_f", "open_tree_fx"]).limitation_on_x86(NATIVE),
            Rung::new(&["open_tree_k", "open_tree_kx", "open_tree_32k", "open_tree_32kx"]).limitation(PROBED),
            Rung::new(&["open_tree_k", "open_tree_kx"]).limitation(NATIVE_PROBED),
            Rung::new(&["open_tree_t", "open_tree_tx"]).limitation(SYSCALLS),
        ],
    ),
    Hook::new(
        "open_tree_attr",
        &[
            Rung::new(&[
                "open_tree_attr_f",
                "open_tree_attr_fx",
                "open_tree_attr_32f",
                "open_tree_attr_32fx",
            ]),
            Rung::new(&["open_tree_attr_f", "open_tree_attr_fx"]).limitation_on_x86(NATIVE),
            Rung::new(&[
                "open_tree_attr_k",
                "open_tree_attr_kx",
                "open_tree_attr_32k",
                "open_tree_attr_32kx",
            ])
            .limitation(PROBED),
            Rung::new(&["open_tree_attr_k", "open_tree_attr_kx"]).limitation(NATIVE_PROBED),
            Rung::new(&["open_tree_attr_t", "open_tree_attr_tx"]).limitation(SYSCALLS),
        ],
    )
    .if_present(),
    Hook::new(
        "move_mount",
        &[
            Rung::new(&["move_mount_f", "move_mount_fx", "move_mount_32f", "move_mount_32fx"]),
            Rung::new(&["move_mount_f", "move_mount_fx"]).limitation_on_x86(NATIVE),
            Rung::new(&["move_mount_k", "move_mount_kx", "move_mount_32k", "move_mount_32kx"])
                .limitation(PROBED),
            Rung::new(&["move_mount_k", "move_mount_kx"]).limitation(NATIVE_PROBED),
            Rung::new(&["move_mount_t", "move_mount_tx"]).limitation(SYSCALLS),
        ],
    ),
    Hook::new(
        "mount_setattr",
        &[
            Rung::new(&["mount_setattr_f", "mount_setattr_fx", "mount_setattr_32f", "mount_setattr_32fx"]),
            Rung::new(&["mount_setattr_f", "mount_setattr_fx"]).limitation_on_x86(NATIVE),
            Rung::new(&["mount_setattr_k", "mount_setattr_kx", "mount_setattr_32k", "mount_setattr_32kx"])
                .limitation(PROBED),
            Rung::new(&["mount_setattr_k", "mount_setattr_kx"]).limitation(NATIVE_PROBED),
            Rung::new(&["mount_setattr_t", "mount_setattr_tx"]).limitation(SYSCALLS),
        ],
    )
    .if_present(),
    Hook::new(
        "fsconfig",
        &[
            Rung::new(&["fsconfig_f", "fsconfig_fx", "fsconfig_32f", "fsconfig_32fx"]),
            Rung::new(&["fsconfig_f", "fsconfig_fx"]).limitation_on_x86(NATIVE),
            Rung::new(&["fsconfig_k", "fsconfig_kx", "fsconfig_32k", "fsconfig_32kx"]).limitation(PROBED),
            Rung::new(&["fsconfig_k", "fsconfig_kx"]).limitation(NATIVE_PROBED),
            Rung::new(&["fsconfig_t", "fsconfig_tx"]).limitation(SYSCALLS),
        ],
    ),
    Hook::new(
        "pivot_root",
        &[
            Rung::new(&["pivot_root_f", "pivot_root_fx", "pivot_root_32f", "pivot_root_32fx"]),
            Rung::new(&["pivot_root_f", "pivot_root_fx"]).limitation_on_x86(NATIVE),
            Rung::new(&["pivot_root_k", "pivot_root_kx", "pivot_root_32k", "pivot_root_32kx"])
                .limitation(PROBED),
            Rung::new(&["pivot_root_k", "pivot_root_kx"]).limitation(NATIVE_PROBED),
            Rung::new(&["pivot_root_t", "pivot_root_tx"]).limitation(SYSCALLS),
        ],
    ),
    // Of 32-bit programs on x86 alone, and older than umount2(2), which is the hook umount.
    Hook::new(
        "oldumount",
        &[
            Rung::new(&["oldumount_32f", "oldumount_32fx"]),
            Rung::new(&["oldumount_32k", "oldumount_32kx"]).limitation(PROBED),
        ],
    )
    .if_present(),
    Hook::new(
        "ns_end",
        &[Rung::new(&["ns_end_f", "ns_end_fx"]), Rung::new(&["ns_end_k", "ns_end_kx"]).limitation(PROBED)],
    )
    .optional(),
];
