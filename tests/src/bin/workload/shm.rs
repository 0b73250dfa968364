//! `shm [--entry native|ia32|ipc] [--times T] [--fails F] [--exits X] [--execs E] [--leave L]`: calls of System V shared
//! memory, as a 64-bit program makes them, as a 32-bit one on x86_64 (`int 0x80`), or as an older one of those, by ipc(2):
//! - T segments, each created, attached twice, detached twice and removed;
//! - F calls of each kind that fail;
//! - one segment, attached once, for X children that exit with it and E that execute another program; then detached and
//!   removed.
//!
//! Beside them semaphores and message queues, which are no shared memory. Then L segments, which are there while it holds.
//! It prints a line for each call but those of L: `{"call":…,"key":…,"shmid":…,…,"took_ns":…}`, with the fields of shmsnoop's
//! events. If the kernel has no calls for 32-bit programs, it prints `{"ia32":false}` and makes no call.

use std::fs::File;
use std::time::Instant;

use rustix::fs::{MemfdFlags, memfd_create};
use serde_json::{Value, json};

use crate::args::Args;
use crate::entry;
use crate::sys;

/// Bytes of a segment.
const SIZE: u64 = 4096;
/// Semaphores, and message queues.
const OTHERS: usize = 29;
/// No segment.
const BAD: i64 = -1;
/// Nothing is attached there.
const NOWHERE: u64 = 0x10_0000;
/// Of 32-bit programs: ipc(2), and the first of its numbers for shared memory, those of shmat, shmdt, shmget and shmctl.
const IPC: u32 = 117;
const IPC_SHMAT: u32 = 21;
/// The least of the numbers that a 32-bit program takes for an error.
const LEAST_ERROR: u32 = u32::MAX - 4_095;

/// The calls, with their names in records, numbers here, numbers for 32-bit programs on x86, and numbers of ipc(2).
const CALLS: [(&str, libc::c_long, u32, u32); 4] = [
    ("get", libc::SYS_shmget, 395, IPC_SHMAT + 2),
    ("attach", libc::SYS_shmat, 397, IPC_SHMAT),
    ("detach", libc::SYS_shmdt, 398, IPC_SHMAT + 1),
    ("control", libc::SYS_shmctl, 396, IPC_SHMAT + 3),
];

/// How calls enter the kernel.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Native,
    Ia32,
    Ipc,
}

/// Does the work.
pub fn run(args: &Args) {
    let way = match args.text("entry").unwrap_or("native") {
        "native" => Way::Native,
        "ia32" => Way::Ia32,
        "ipc" => Way::Ipc,
        other => panic!("--entry {other}: one of native, ia32, ipc"),
    };
    if way != Way::Native && !entry::has_ia32() {
        println!("{{\"ia32\":false}}");
        return;
    }
    let mut work = Work { way, lines: Vec::new(), made: 0, place: low_word() };
    (0..args.count("times")).for_each(|_| work.segment());
    (0..args.count("fails")).for_each(|_| work.failures());
    let (exits, execs) = (args.count("exits"), args.count("execs"));
    if exits + execs > 0 {
        work.children(exits, execs);
    }
    others();
    let left: Vec<i64> = (0..args.count("leave")).map(|_| work.call("get", [0, SIZE, 0o600])).collect();
    work.lines.iter().for_each(|line| println!("{line}"));
    args.hold();
    left.into_iter().for_each(|id| assert_eq!(work.call("control", [id as u64, 0, 0]), 0));
}

struct Work {
    way: Way,
    lines: Vec<Value>,
    made: u64,
    /// Where ipc(2) stores an address.
    place: u64,
}

impl Work {
    fn segment(&mut self) {
        let id = self.create();
        let [first, second] =
            [(0, "0"), (0o10000, "SHM_RDONLY")].map(|(flags, name)| self.attach(id, flags, name));
        self.detach(second);
        self.detach(first);
        self.remove(id);
    }

    /// By a key of its own, or without one, in turn.
    fn create(&mut self) -> i64 {
        self.made += 1;
        match self.made.is_multiple_of(2) {
            true => self.get(0, 0o600, "0600"),
            false => self.get(own_key(self.made), 0o3600, "IPC_CREAT|IPC_EXCL|0600"),
        }
    }

    fn failures(&mut self) {
        // Of no segment: keys of other processes are others.
        self.get(own_key(0), 0, "0000");
        self.attach(BAD, 0o10000, "SHM_RDONLY");
        self.detach(NOWHERE as i64);
        self.remove(BAD);
    }

    fn children(&mut self, exits: u64, execs: u64) {
        let id = self.create();
        let at = self.attach(id, 0, "0");
        for _ in 0..exits {
            assert_eq!(sys::wait(sys::child_that(|| sys::exit(0))), 0);
        }
        let program = std::env::current_exe().expect("its path");
        let program = program.to_str().expect("UTF-8");
        for _ in 0..execs {
            let child = sys::child_that(|| sys::exit(sys::exec(program, &[program, "noop"], None)));
            assert_eq!(sys::wait(child), 0, "exec");
        }
        self.detach(at);
        self.remove(id);
    }

    fn get(&mut self, key: u64, flags: u64, name: &str) -> i64 {
        let (ret, took) = self.timed("get", [key, SIZE, flags]);
        let shmid = (ret >= 0).then_some(ret);
        self.line(
            json!({"call": "get", "key": format!("{key:#010x}"), "shmid": shmid, "size_bytes": SIZE,
            "addr": null, "flags": name, "cmd": null}),
            ret,
            took,
        )
    }

    fn attach(&mut self, id: i64, flags: u64, name: &str) -> i64 {
        let (ret, took) = self.timed("attach", [id as u64, 0, flags]);
        let addr = format!("{:#x}", ret.max(0));
        self.line(
            json!({"call": "attach", "key": null, "shmid": id, "size_bytes": null, "addr": addr,
            "flags": name, "cmd": null}),
            ret,
            took,
        )
    }

    fn detach(&mut self, at: i64) {
        let (ret, took) = self.timed("detach", [at as u64, 0, 0]);
        self.line(
            json!({"call": "detach", "key": null, "shmid": null, "size_bytes": null,
            "addr": format!("{at:#x}"), "flags": null, "cmd": null}),
            ret,
            took,
        );
    }

    fn remove(&mut self, id: i64) {
        let (ret, took) = self.timed("control", [id as u64, libc::IPC_RMID as u64, 0]);
        self.line(
            json!({"call": "control", "key": null, "shmid": id, "size_bytes": null, "addr": null,
            "flags": null, "cmd": "IPC_RMID"}),
            ret,
            took,
        );
    }

    fn line(&mut self, mut line: Value, ret: i64, took: u64) -> i64 {
        line["ret"] = (ret >= 0).then_some(ret).into();
        line["errno"] = (ret < 0).then_some(-ret).into();
        line["took_ns"] = took.into();
        self.lines.push(line);
        ret
    }

    fn timed(&self, call: &str, args: [u64; 3]) -> (i64, u64) {
        let start = Instant::now();
        let ret = self.call(call, args);
        (ret, start.elapsed().as_nanos() as u64)
    }

    /// What the kernel returns: a number or an address, or the negative number of the error.
    fn call(&self, call: &str, [a, b, c]: [u64; 3]) -> i64 {
        let (_, native, ia32, ipc) = CALLS.into_iter().find(|known| known.0 == call).expect("a known call");
        let [first, second, third] = [a, b, c].map(|arg| arg as u32);
        let returned = match self.way {
            // SAFETY: what is attached is not touched, and these commands store nothing.
            Way::Native => return sys::returned(unsafe { libc::syscall(native, a, b, c) }),
            Way::Ia32 => entry::int80(ia32, [first, second, third, 0, 0, 0]),
            Way::Ipc => match call {
                "get" => entry::int80(IPC, [ipc, first, second, third, 0, 0]),
                // It stores the address at the third argument and returns 0.
                "attach" => match entry::int80(IPC, [ipc, first, third, self.place as u32, second, 0]) {
                    // SAFETY: it is mapped, and the kernel has just written there.
                    0 => unsafe { (self.place as *const u32).read_volatile() as i32 },
                    error => error,
                },
                "detach" => entry::int80(IPC, [ipc, 0, 0, 0, first, 0]),
                _ => entry::int80(IPC, [ipc, first, second, 0, third, 0]),
            },
        };
        // Addresses may be in the upper half of what 32 bits can address.
        match returned as u32 {
            error @ LEAST_ERROR.. => i64::from(error as i32),
            done => i64::from(done),
        }
    }
}

/// A key that no other process uses.
fn own_key(number: u64) -> u64 {
    u64::from(std::process::id()) << 8 | number & 0xff
}

/// A page at an address that fits in 32 bits.
fn low_word() -> u64 {
    let file = File::from(memfd_create("word", MemfdFlags::CLOEXEC).expect("a memfd"));
    file.set_len(SIZE).expect("a page");
    entry::map_low(&file, SIZE as usize)
}

/// Semaphores and message queues, created and removed.
fn others() {
    for _ in 0..OTHERS {
        // SAFETY: plain numbers; these commands store nothing.
        unsafe {
            let semaphores = libc::semget(libc::IPC_PRIVATE, 1, 0o600);
            assert_eq!(libc::semctl(semaphores, 0, libc::IPC_RMID), 0);
            let queue = libc::msgget(libc::IPC_PRIVATE, 0o600);
            assert_eq!(libc::msgctl(queue, libc::IPC_RMID, std::ptr::null_mut()), 0);
        }
    }
}
