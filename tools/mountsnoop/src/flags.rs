//! The names of the calls' flags, from `include/uapi/linux/mount.h`, `fcntl.h` and `fs.h`.

use crate::skel::types::call as Call;

/// Names of bits.
type Names = &'static [(u64, &'static str)];

const MS_MOVE: u64 = 1 << 13;

const MOUNT: Names = &[
    (1, "MS_RDONLY"),
    (1 << 1, "MS_NOSUID"),
    (1 << 2, "MS_NODEV"),
    (1 << 3, "MS_NOEXEC"),
    (1 << 4, "MS_SYNCHRONOUS"),
    (1 << 5, "MS_REMOUNT"),
    (1 << 6, "MS_MANDLOCK"),
    (1 << 7, "MS_DIRSYNC"),
    (1 << 8, "MS_NOSYMFOLLOW"),
    (1 << 10, "MS_NOATIME"),
    (1 << 11, "MS_NODIRATIME"),
    (1 << 12, "MS_BIND"),
    (MS_MOVE, "MS_MOVE"),
    (1 << 14, "MS_REC"),
    (1 << 15, "MS_SILENT"),
    (1 << 16, "MS_POSIXACL"),
    (1 << 17, "MS_UNBINDABLE"),
    (1 << 18, "MS_PRIVATE"),
    (1 << 19, "MS_SLAVE"),
    (1 << 20, "MS_SHARED"),
    (1 << 21, "MS_RELATIME"),
    (1 << 23, "MS_I_VERSION"),
    (1 << 24, "MS_STRICTATIME"),
    (1 << 25, "MS_LAZYTIME"),
];
const UMOUNT: Names = &[(1, "MNT_FORCE"), (2, "MNT_DETACH"), (4, "MNT_EXPIRE"), (8, "UMOUNT_NOFOLLOW")];
const FSOPEN: Names = &[(1, "FSOPEN_CLOEXEC")];
const FSMOUNT: Names = &[(1, "FSMOUNT_CLOEXEC")];
const OPEN_TREE: Names = &[
    (1, "OPEN_TREE_CLONE"),
    (0o2_000_000, "OPEN_TREE_CLOEXEC"),
    (0x100, "AT_SYMLINK_NOFOLLOW"),
    (0x800, "AT_NO_AUTOMOUNT"),
    (0x1000, "AT_EMPTY_PATH"),
    (0x8000, "AT_RECURSIVE"),
];
const MOVE_MOUNT: Names = &[
    (0x1, "MOVE_MOUNT_F_SYMLINKS"),
    (0x2, "MOVE_MOUNT_F_AUTOMOUNTS"),
    (0x4, "MOVE_MOUNT_F_EMPTY_PATH"),
    (0x10, "MOVE_MOUNT_T_SYMLINKS"),
    (0x20, "MOVE_MOUNT_T_AUTOMOUNTS"),
    (0x40, "MOVE_MOUNT_T_EMPTY_PATH"),
    (0x100, "MOVE_MOUNT_SET_GROUP"),
    (0x200, "MOVE_MOUNT_BENEATH"),
];

/// The attributes of fsmount.
pub const ATTRIBUTES: Names = &[
    (0x1, "MOUNT_ATTR_RDONLY"),
    (0x2, "MOUNT_ATTR_NOSUID"),
    (0x4, "MOUNT_ATTR_NODEV"),
    (0x8, "MOUNT_ATTR_NOEXEC"),
    (0x10, "MOUNT_ATTR_NOATIME"),
    (0x20, "MOUNT_ATTR_STRICTATIME"),
    (0x80, "MOUNT_ATTR_NODIRATIME"),
    (0x20_0000, "MOUNT_ATTR_NOSYMFOLLOW"),
];

/// The names of a call's flags; `None` for a call without flags. A tree is moved by mount(2), which must have MS_MOVE among
/// its flags, or by move_mount(2), which has no flag of that number.
pub fn of(call: Call, flags: u64) -> Option<Names> {
    match call {
        Call::MOVE if flags & MS_MOVE == 0 => Some(MOVE_MOUNT),
        Call::MOVE => Some(MOUNT),
        Call::MOUNT | Call::BIND | Call::REMOUNT | Call::PROPAGATION => Some(MOUNT),
        Call::UMOUNT => Some(UMOUNT),
        Call::FSOPEN => Some(FSOPEN),
        Call::FSMOUNT => Some(FSMOUNT),
        Call::OPEN_TREE | Call::MOUNT_SETATTR => Some(OPEN_TREE),
        Call::MOVE_MOUNT => Some(MOVE_MOUNT),
        _ => None,
    }
}

/// The commands of fsconfig that are counted, each with its number.
pub fn command(number: u32) -> String {
    match number {
        6 => "FSCONFIG_CMD_CREATE".to_string(),
        8 => "FSCONFIG_CMD_CREATE_EXCL".to_string(),
        other => other.to_string(),
    }
}
