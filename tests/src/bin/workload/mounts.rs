//! `mounts --directory PATH [--ia32] [--times T] [--fails F] [--moves M] [--namespaces N] [--join CGROUP]`: in a mount
//! namespace of its own, which it enters before it joins the cgroup, the calls of mountsnoop, as a 64-bit program makes them,
//! or with `--ia32` as a 32-bit one on x86_64:
//! - T times: mount and umount, each second one lazy; bind, remount, private, umount; fsopen, fsconfig, fsmount, move_mount,
//!   umount; open_tree, mount_setattr, move_mount, umount;
//! - F times each a mount of an unknown file system, one at no place, an umount of no mount, and one of no place;
//! - M times: mount, moved there by mount and back by move_mount, open_tree_attr, umount (by `--ia32` the old one);
//! - N children, each with a namespace of its own, in which they mount, call pivot_root, and end.
//!
//! It prints a line for each of these calls: `{"call":…,"function":…,…,"took_ns":…}`, with fields of mountsnoop's events, and
//! one for each child and itself: `{"pid":…,"mntns":…,"mounts":…}`, as /proc/self/mountinfo has them at its end. If the kernel has no
//! calls for 32-bit programs, it prints `{"ia32":false}` and makes no call.

use std::fs::File;
use std::io::Write;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::time::Instant;

use rustix::fs::{MemfdFlags, memfd_create};
use serde_json::{Value, json};

use crate::args::Args;
use crate::entry;
use crate::sys;

/// Room for the texts of a call, at an address that fits in 32 bits.
const ROOM: usize = 1 << 16;
/// The current directory.
const HERE: u64 = libc::AT_FDCWD as u64;

/// Names of calls, numbers here, and numbers for 32-bit programs on x86.
const CALLS: [(&str, libc::c_long, u32); 11] = [
    ("mount", libc::SYS_mount, 21),
    ("umount", libc::SYS_umount2, 52),
    ("oldumount", libc::SYS_umount2, 22),
    ("pivot_root", libc::SYS_pivot_root, 217),
    ("open_tree", libc::SYS_open_tree, 428),
    ("move_mount", libc::SYS_move_mount, 429),
    ("fsopen", libc::SYS_fsopen, 430),
    ("fsconfig", libc::SYS_fsconfig, 431),
    ("fsmount", libc::SYS_fsmount, 432),
    ("mount_setattr", libc::SYS_mount_setattr, 442),
    ("open_tree_attr", 467, 467),
];

/// `struct mount_attr` of `linux/mount.h`.
const ATTRIBUTES: [u64; 4] = [1, 0, 0, 0];

/// Does the work.
pub fn run(args: &Args) {
    let ia32 = args.has("ia32");
    if ia32 && !entry::has_ia32() {
        println!("{{\"ia32\":false}}");
        return;
    }
    let directory = args.text("directory").expect("--directory PATH");
    let [one, other] = ["one", "other"].map(|name| format!("{directory}/{name}"));
    [&one, &other].iter().for_each(|path| std::fs::create_dir_all(path).expect("a directory"));
    unshare();
    make_private();
    args.join("join");
    let mut work = Work {
        ia32,
        one,
        other,
        missing: format!("{directory}/missing"),
        low: Low::new(),
        lines: Vec::new(),
    };
    for number in 0..args.count("times") {
        work.old(number.is_multiple_of(2));
        work.bind();
        work.new_mount();
        work.tree();
    }
    (0..args.count("fails")).for_each(|_| work.failures());
    (0..args.count("moves")).for_each(|_| work.moves());
    (0..args.count("namespaces")).for_each(|_| work.namespace());
    work.lines.iter().for_each(|line| println!("{line}"));
    println!("{}", end());
    args.hold();
}

/// Enters a mount namespace of its own.
fn unshare() {
    // SAFETY: always sound.
    let left = unsafe { libc::unshare(libc::CLONE_NEWNS) };
    assert_eq!(left, 0, "unshare: {}", std::io::Error::last_os_error());
}

/// Lets no other namespace learn of what is mounted in this one.
fn make_private() {
    // SAFETY: a text that outlives the call.
    unsafe {
        let (all, none) = (libc::MS_REC | libc::MS_PRIVATE, std::ptr::null());
        assert_eq!(libc::mount(none, c"/".as_ptr(), none, all, none.cast()), 0);
    }
}

/// What a call is given beside its name: the arguments by which an event tells it, and those that are numbers.
#[derive(Default)]
struct Given<'a> {
    source: Option<&'a str>,
    target: Option<&'a str>,
    fs: Option<&'a str>,
    options: Option<&'a str>,
    flags: Option<&'a str>,
}

struct Work {
    ia32: bool,
    one: String,
    other: String,
    missing: String,
    low: Low,
    lines: Vec<Value>,
}

impl Work {
    fn old(&mut self, lazy: bool) {
        self.low.clear();
        self.mount_tmpfs("tmpfs", &self.one.clone());
        let (flags, name) = if lazy { (libc::MNT_DETACH, "MNT_DETACH") } else { (0, "0") };
        self.umount(&self.one.clone(), flags as u64, name);
    }

    fn bind(&mut self) {
        self.low.clear();
        let (one, other) = (self.one.clone(), self.other.clone());
        let target = Some(other.as_str());
        let given = Given { source: Some(&one), target, flags: Some("MS_BIND"), ..Given::default() };
        self.mount("bind", given, libc::MS_BIND);
        let flags = Some("MS_RDONLY|MS_REMOUNT|MS_BIND");
        let given = Given { target, flags, ..Given::default() };
        self.mount("remount", given, libc::MS_RDONLY | libc::MS_REMOUNT | libc::MS_BIND);
        let given = Given { target, flags: Some("MS_PRIVATE"), ..Given::default() };
        self.mount("propagation", given, libc::MS_PRIVATE);
        self.umount(&other, 0, "0");
    }

    fn new_mount(&mut self) {
        self.low.clear();
        let fs = self.low.text(Some("tmpfs"));
        let of = |flags| Given { fs: Some("tmpfs"), flags, ..Given::default() };
        let context = self.made("fsopen", "fsopen", of(Some("0")), [fs, 0, 0, 0, 0]);
        let (key, value) = (self.low.text(Some("source")), self.low.text(Some("made")));
        // FSCONFIG_SET_STRING, which is not counted, and FSCONFIG_CMD_CREATE.
        assert_eq!(self.call("fsconfig", [context as u64, 1, key, value, 0]), 0);
        let given = Given { source: Some("made"), options: Some("FSCONFIG_CMD_CREATE"), ..of(None) };
        self.made("fsconfig", "fsconfig", given, [context as u64, 6, 0, 0, 0]);
        let given = Given { options: Some("MOUNT_ATTR_NOSUID"), ..of(Some("0")) };
        let tree = self.made("fsmount", "fsmount", given, [context as u64, 0, 2, 0, 0]);
        self.attach(tree);
        close(context);
    }

    fn tree(&mut self) {
        self.low.clear();
        let (one, empty) = (self.one.clone(), self.low.text(Some("")));
        let path = self.low.text(Some(&one));
        let given = Given { source: Some(&one), flags: Some("OPEN_TREE_CLONE"), ..Given::default() };
        let tree = self.made("open_tree", "open_tree", given, [HERE, path, 1, 0, 0]);
        let attributes = self.low.numbers(ATTRIBUTES);
        let given = Given { target: Some(""), flags: Some("AT_EMPTY_PATH"), ..Given::default() };
        let args =
            [tree as u64, empty, libc::AT_EMPTY_PATH as u64, attributes, size_of_val(&ATTRIBUTES) as u64];
        self.made("mount_setattr", "mount_setattr", given, args);
        self.attach(tree);
    }

    /// A tree that is nowhere yet, and its end.
    fn attach(&mut self, tree: i64) {
        let other = self.other.clone();
        let (empty, path) = (self.low.text(Some("")), self.low.text(Some(&other)));
        let flags = Some("MOVE_MOUNT_F_EMPTY_PATH");
        let given = Given { source: Some(""), target: Some(&other), flags, ..Given::default() };
        self.made("move_mount", "move_mount", given, [tree as u64, empty, HERE, path, 4]);
        close(tree);
        self.umount(&other, 0, "0");
    }

    fn failures(&mut self) {
        self.low.clear();
        let (one, missing) = (self.one.clone(), self.missing.clone());
        self.mount_tmpfs("nosuchfs", &one);
        self.mount_tmpfs("tmpfs", &missing);
        self.umount(&one, 0, "0");
        self.umount(&missing, 0, "0");
    }

    fn moves(&mut self) {
        self.low.clear();
        let (one, other) = (self.one.clone(), self.other.clone());
        self.mount_tmpfs("tmpfs", &one);
        let of = |source, target, flags| Given {
            source: Some(source),
            target: Some(target),
            flags,
            ..Given::default()
        };
        self.mount("move", of(&one, &other, Some("MS_MOVE")), libc::MS_MOVE);
        let [from, to] = [&other, &one].map(|path| self.low.text(Some(path)));
        self.made("move", "move_mount", of(&other, &one, Some("0")), [HERE, from, HERE, to, 0]);
        let attributes = self.low.numbers(ATTRIBUTES);
        let given = Given { source: Some(&one), flags: Some("OPEN_TREE_CLONE"), ..Given::default() };
        let args = [HERE, to, 1, attributes, size_of_val(&ATTRIBUTES) as u64];
        close(self.made("open_tree", "open_tree_attr", given, args));
        let given = Given { target: Some(&one), flags: Some("0"), ..Given::default() };
        self.made("umount", if self.ia32 { "oldumount" } else { "umount" }, given, [to, 0, 0, 0, 0]);
    }

    fn namespace(&mut self) {
        let child = sys::child_that(|| {
            unshare();
            let mut work = Work {
                ia32: self.ia32,
                one: self.one.clone(),
                other: self.other.clone(),
                missing: String::new(),
                low: Low::new(),
                lines: Vec::new(),
            };
            work.ends_with_a_mount();
            let mut lines: String = work.lines.iter().map(|line| format!("{line}\n")).collect();
            lines += &format!("{}\n", end());
            let mut out = std::io::stdout();
            out.write_all(lines.as_bytes()).and_then(|()| out.flush()).expect("stdout takes lines");
            sys::exit(0);
        });
        assert_eq!(sys::wait(child), 0);
    }

    fn ends_with_a_mount(&mut self) {
        let one = self.one.clone();
        self.mount_tmpfs("tmpfs", &one);
        // Refused: no directory is there.
        let given = Given { source: Some(&one), target: Some("/missing"), ..Given::default() };
        let args = [self.low.text(Some(&one)), self.low.text(Some("/missing")), 0, 0, 0];
        self.made("pivot_root", "pivot_root", given, args);
    }

    fn mount_tmpfs(&mut self, fs: &str, at: &str) {
        let (options, flags) = (Some("size=64k"), Some("MS_NOSUID|MS_NODEV"));
        let given = Given { source: Some("none"), target: Some(at), fs: Some(fs), options, flags };
        self.mount("mount", given, libc::MS_NOSUID | libc::MS_NODEV);
    }

    fn mount(&mut self, call: &str, given: Given<'_>, flags: u64) {
        let Given { source, target, fs, options, .. } = given;
        let [source, target, fs, options] = [source, target, fs, options].map(|text| self.low.text(text));
        self.made(call, "mount", given, [source, target, fs, flags, options]);
    }

    fn umount(&mut self, at: &str, flags: u64, name: &str) {
        let path = self.low.text(Some(at));
        let given = Given { target: Some(at), flags: Some(name), ..Given::default() };
        self.made("umount", "umount", given, [path, flags, 0, 0, 0]);
    }

    /// Makes a call and keeps its line; returns what the kernel does.
    fn made(&mut self, call: &str, function: &str, given: Given<'_>, args: [u64; 5]) -> i64 {
        let start = Instant::now();
        let ret = self.call(function, args);
        let took = start.elapsed().as_nanos() as u64;
        let failed = ret < 0;
        // Of what failed the kernel shows no context.
        let attached = !failed && matches!(call, "mount" | "bind" | "move_mount");
        self.lines.push(json!({
            "call": call, "function": function, "source": given.source, "target": given.target, "fs": given.fs, "flags": given.flags,
            "options": given.options, "attached": u64::from(attached),
            "detached": u64::from(!failed && call == "umount"), "ret": (!failed).then_some(ret),
            "errno": failed.then_some(-ret), "took_ns": took,
        }));
        ret
    }

    fn call(&self, function: &str, args: [u64; 5]) -> i64 {
        let (_, native, ia32) = CALLS.into_iter().find(|known| known.0 == function).expect("a known call");
        if self.ia32 {
            let [a, b, c, d, e] = args.map(|arg| arg as u32);
            return i64::from(entry::int80(ia32, [a, b, c, d, e, 0]));
        }
        let [a, b, c, d, e] = args;
        // SAFETY: all pointers are to texts and numbers that outlive the call, which writes to none.
        sys::returned(unsafe { libc::syscall(native, a, b, c, d, e) })
    }
}

/// The line of a process at its end, with which its namespace ends.
fn end() -> Value {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("/proc").lines().count();
    let mntns = std::fs::metadata("/proc/self/ns/mnt").expect("/proc").ino();
    json!({"pid": std::process::id(), "mntns": mntns, "mounts": mounts})
}

/// Closes a descriptor that a call returned, if it did.
fn close(fd: i64) {
    if fd >= 0 {
        // SAFETY: the caller has just got it and uses it no more.
        drop(unsafe { OwnedFd::from_raw_fd(fd as i32) });
    }
}

/// Memory for texts, at an address that fits in 32 bits.
struct Low {
    at: u64,
    used: usize,
}

impl Low {
    fn new() -> Self {
        let file = File::from(memfd_create("texts", MemfdFlags::CLOEXEC).expect("a memfd"));
        file.set_len(ROOM as u64).expect("room");
        Self { at: entry::map_low(&file, ROOM), used: 0 }
    }

    /// The address of a copy of a text; 0 for none.
    fn text(&mut self, text: Option<&str>) -> u64 {
        text.map_or(0, |text| self.put(&[text.as_bytes(), b"\0"].concat()))
    }

    fn numbers(&mut self, numbers: [u64; 4]) -> u64 {
        self.put(&numbers.map(u64::to_ne_bytes).concat())
    }

    fn put(&mut self, bytes: &[u8]) -> u64 {
        assert!(self.used + bytes.len() <= ROOM, "no room for texts");
        let at = self.at + self.used as u64;
        // SAFETY: within the mapping.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), at as *mut u8, bytes.len()) };
        self.used += bytes.len().next_multiple_of(8);
        at
    }

    /// Forgets what was put there: no call that is told uses it any more.
    fn clear(&mut self) {
        self.used = 0;
    }
}
