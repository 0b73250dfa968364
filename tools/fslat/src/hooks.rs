//! The hooks of fslat, per file system and operation.

use cli::notes::{self, Note};
use common::hooks::{Hook, Rung};

/// What the system calls' own tracepoints cannot see.
const SYSCALLS: &Note = &notes::FS_SYSCALLS;

/// The same for opens.
const OPENED: &Note = &notes::FS_OPENED;

/// What probes of returns cannot see: see syncsnoop.
const PROBED: &Note = &notes::PROBED;

/// The limitation if the module of NFSv4 was not loaded at the start.
const V3: &Note = &notes::FS_NFS3;

/// The same with return probes.
const V3_PROBED: &Note = &notes::FS_NFS3_PROBED;

const READS: &[&str] = &[
    "read_t",
    "read_tx",
    "readv_t",
    "readv_tx",
    "pread64_t",
    "pread64_tx",
    "preadv_t",
    "preadv_tx",
    "preadv2_t",
    "preadv2_tx",
];
const WRITES: &[&str] = &[
    "write_t",
    "write_tx",
    "writev_t",
    "writev_tx",
    "pwrite64_t",
    "pwrite64_tx",
    "pwritev_t",
    "pwritev_tx",
    "pwritev2_t",
    "pwritev2_tx",
];
const SYNCS: &[&str] = &["fsync_t", "fsync_tx", "fdatasync_t", "fdatasync_tx"];
const OPENS: &[&str] =
    &["open_t", "open_tx", "creat_t", "creat_tx", "openat_t", "openat_tx", "openat2_t", "openat2_tx"];
/// arm64 and riscv have no open and creat.
const NEW_OPENS: &[&str] = &["openat_t", "openat_tx", "openat2_t", "openat2_tx"];

/// A hook is named by the file system and the operation. All are optional: no kernel has all of
/// these file systems. First the file system's own functions, which see all callers; then the
/// system calls; last the return probes, which have little room, and these calls wait. No self-test
/// is needed: the functions' addresses are in tables, so no compiler can inline them.
pub const HOOKS: &[Hook] = &[
    Hook::new(
        "ext4 read",
        &[
            Rung::new(&["ext4_read_f", "ext4_read_fx"]),
            Rung::new(READS).limitation(SYSCALLS),
            Rung::new(&["ext4_read_k", "ext4_read_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "ext4 write",
        &[
            Rung::new(&["ext4_write_f", "ext4_write_fx"]),
            Rung::new(WRITES).limitation(SYSCALLS),
            Rung::new(&["ext4_write_k", "ext4_write_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "ext4 open",
        &[
            Rung::new(&["ext4_open_f", "ext4_open_fx"]),
            Rung::new(OPENS).limitation(OPENED),
            Rung::new(NEW_OPENS).limitation(OPENED),
            Rung::new(&["ext4_open_k", "ext4_open_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "ext4 sync",
        &[
            Rung::new(&["ext4_sync_f", "ext4_sync_fx"]),
            Rung::new(SYNCS).limitation(SYSCALLS),
            Rung::new(&["ext4_sync_k", "ext4_sync_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "xfs read",
        &[
            Rung::new(&["xfs_read_f", "xfs_read_fx"]),
            Rung::new(READS).limitation(SYSCALLS),
            Rung::new(&["xfs_read_k", "xfs_read_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "xfs write",
        &[
            Rung::new(&["xfs_write_f", "xfs_write_fx"]),
            Rung::new(WRITES).limitation(SYSCALLS),
            Rung::new(&["xfs_write_k", "xfs_write_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "xfs open",
        &[
            Rung::new(&["xfs_open_f", "xfs_open_fx"]),
            Rung::new(OPENS).limitation(OPENED),
            Rung::new(NEW_OPENS).limitation(OPENED),
            Rung::new(&["xfs_open_k", "xfs_open_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "xfs sync",
        &[
            Rung::new(&["xfs_sync_f", "xfs_sync_fx", "xfs_sync_dir_f", "xfs_sync_dir_fx"]),
            Rung::new(SYNCS).limitation(SYSCALLS),
            Rung::new(&["xfs_sync_k", "xfs_sync_kx", "xfs_sync_dir_k", "xfs_sync_dir_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "btrfs read",
        &[
            Rung::new(&["btrfs_read_f", "btrfs_read_fx"]),
            Rung::new(READS).limitation(SYSCALLS),
            Rung::new(&["btrfs_read_k", "btrfs_read_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "btrfs write",
        &[
            Rung::new(&["btrfs_write_f", "btrfs_write_fx"]),
            Rung::new(WRITES).limitation(SYSCALLS),
            Rung::new(&["btrfs_write_k", "btrfs_write_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "btrfs open",
        &[
            Rung::new(&["btrfs_open_f", "btrfs_open_fx"]),
            Rung::new(OPENS).limitation(OPENED),
            Rung::new(NEW_OPENS).limitation(OPENED),
            Rung::new(&["btrfs_open_k", "btrfs_open_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "btrfs sync",
        &[
            Rung::new(&["btrfs_sync_f", "btrfs_sync_fx"]),
            Rung::new(SYNCS).limitation(SYSCALLS),
            Rung::new(&["btrfs_sync_k", "btrfs_sync_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "nfs read",
        &[
            Rung::new(&["nfs_read_f", "nfs_read_fx"]),
            Rung::new(READS).limitation(SYSCALLS),
            Rung::new(&["nfs_read_k", "nfs_read_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "nfs write",
        &[
            Rung::new(&["nfs_write_f", "nfs_write_fx"]),
            Rung::new(WRITES).limitation(SYSCALLS),
            Rung::new(&["nfs_write_k", "nfs_write_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "nfs open",
        &[
            Rung::new(&[
                "nfs_open_f",
                "nfs_open_fx",
                "nfs_open_new_f",
                "nfs_open_new_fx",
                "nfs4_open_f",
                "nfs4_open_fx",
            ]),
            Rung::new(&["nfs_open_f", "nfs_open_fx"]).limitation(V3),
            Rung::new(OPENS).limitation(OPENED),
            Rung::new(NEW_OPENS).limitation(OPENED),
            Rung::new(&[
                "nfs_open_k",
                "nfs_open_kx",
                "nfs_open_new_k",
                "nfs_open_new_kx",
                "nfs4_open_k",
                "nfs4_open_kx",
            ])
            .limitation(PROBED),
            Rung::new(&["nfs_open_k", "nfs_open_kx"]).limitation(V3_PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "nfs sync",
        &[
            Rung::new(&["nfs_sync_f", "nfs_sync_fx"]),
            Rung::new(SYNCS).limitation(SYSCALLS),
            Rung::new(&["nfs_sync_k", "nfs_sync_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "nfs getattr",
        &[
            Rung::new(&["nfs_getattr_f", "nfs_getattr_fx"]),
            Rung::new(&["nfs_getattr_k", "nfs_getattr_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "overlay read",
        &[
            Rung::new(&["overlay_read_f", "overlay_read_fx"]),
            Rung::new(READS).limitation(SYSCALLS),
            Rung::new(&["overlay_read_k", "overlay_read_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "overlay write",
        &[
            Rung::new(&["overlay_write_f", "overlay_write_fx"]),
            Rung::new(WRITES).limitation(SYSCALLS),
            Rung::new(&["overlay_write_k", "overlay_write_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "overlay open",
        &[
            Rung::new(&["overlay_open_f", "overlay_open_fx"]),
            Rung::new(OPENS).limitation(OPENED),
            Rung::new(NEW_OPENS).limitation(OPENED),
            Rung::new(&["overlay_open_k", "overlay_open_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "overlay sync",
        &[
            Rung::new(&["overlay_sync_f", "overlay_sync_fx", "overlay_sync_dir_f", "overlay_sync_dir_fx"]),
            Rung::new(SYNCS).limitation(SYSCALLS),
            Rung::new(&["overlay_sync_k", "overlay_sync_kx", "overlay_sync_dir_k", "overlay_sync_dir_kx"])
                .limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "tmpfs read",
        &[
            Rung::new(&["tmpfs_read_f", "tmpfs_read_fx"]),
            Rung::new(READS).limitation(SYSCALLS),
            Rung::new(&["tmpfs_read_k", "tmpfs_read_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "tmpfs write",
        &[
            Rung::new(&["tmpfs_write_f", "tmpfs_write_fx"]),
            Rung::new(&["tmpfs_write_any_f", "tmpfs_write_any_fx"]),
            Rung::new(WRITES).limitation(SYSCALLS),
            Rung::new(&["tmpfs_write_k", "tmpfs_write_kx"]).limitation(PROBED),
            Rung::new(&["tmpfs_write_any_k", "tmpfs_write_any_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "tmpfs open",
        &[
            Rung::new(&["tmpfs_open_f", "tmpfs_open_fx"]),
            Rung::new(OPENS).limitation(OPENED),
            Rung::new(NEW_OPENS).limitation(OPENED),
            Rung::new(&["tmpfs_open_k", "tmpfs_open_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "tmpfs sync",
        &[
            Rung::new(&["tmpfs_sync_f", "tmpfs_sync_fx"]),
            Rung::new(SYNCS).limitation(SYSCALLS),
            Rung::new(&["tmpfs_sync_k", "tmpfs_sync_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "zfs read",
        &[
            Rung::new(&["zfs_read_f", "zfs_read_fx"]),
            Rung::new(READS).limitation(SYSCALLS),
            Rung::new(&["zfs_read_k", "zfs_read_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "zfs write",
        &[
            Rung::new(&["zfs_write_f", "zfs_write_fx"]),
            Rung::new(WRITES).limitation(SYSCALLS),
            Rung::new(&["zfs_write_k", "zfs_write_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "zfs open",
        &[
            Rung::new(&["zfs_open_f", "zfs_open_fx"]),
            Rung::new(OPENS).limitation(OPENED),
            Rung::new(NEW_OPENS).limitation(OPENED),
            Rung::new(&["zfs_open_k", "zfs_open_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
    Hook::new(
        "zfs sync",
        &[
            Rung::new(&["zfs_sync_f", "zfs_sync_fx"]),
            Rung::new(SYNCS).limitation(SYSCALLS),
            Rung::new(&["zfs_sync_k", "zfs_sync_kx"]).limitation(PROBED),
        ],
    )
    .optional(),
];
