//! Raw system calls: exactly one call of exactly this kind, without additions of a C library.

use std::ffi::{CStr, CString};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

/// A system call's result: a value, or the error's number.
pub type Result = std::result::Result<i64, i32>;

/// `struct clone_args` of `linux/sched.h`, first version.
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
}

/// The ways to start a process.All but `Vfork` copy the caller.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    Clone,
    Clone3,
    /// The call `fork` where the architecture has it, else clone.
    Fork,
    /// Shares memory with the parent, which sleeps until the child has ended.
    Vfork,
}

/// Every way, to be taken in turn.
pub const WAYS: [Way; 4] = [Way::Clone, Way::Clone3, Way::Fork, Way::Vfork];

/// Starts a child that ends at once with this exit code; returns its process id.
pub fn child(way: Way, code: i32) -> Result {
    let pid = match way {
        Way::Vfork => return vfork(code),
        Way::Clone => clone(libc::SIGCHLD as u64),
        Way::Clone3 => clone3(0),
        Way::Fork => fork(),
    }?;
    if pid == 0 {
        exit(code);
    }
    Ok(pid)
}

/// Runs `work` in a child, which must not return; returns the child's process id.
pub fn child_that(work: impl FnOnce()) -> i32 {
    let pid = clone(libc::SIGCHLD as u64).expect("clone");
    if pid == 0 {
        work();
        exit(101);
    }
    pid as i32
}

/// Does a part of a workload, here or in a child of its own.
pub fn part(name: &str, here: bool, work: impl FnOnce()) {
    if here {
        return work();
    }
    let child = child_that(|| {
        work();
        exit(0);
    });
    assert_eq!(wait(child), 0, "{name}");
}

/// clone(2) without a new stack.
pub fn clone(flags: u64) -> Result {
    // SAFETY: without CLONE_VM the child has its own copy of everything; the caller is single-threaded.
    result(unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) })
}

/// clone3(2) with these flags and SIGCHLD.
pub fn clone3(flags: u64) -> Result {
    let args = CloneArgs { flags, exit_signal: libc::SIGCHLD as u64, ..CloneArgs::default() };
    // SAFETY: as for clone; the arguments outlive the call.
    result(unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) })
}

/// clone3(2) with arguments that are too short: EINVAL.
pub fn clone3_too_short() -> Result {
    let args = CloneArgs::default();
    // SAFETY: the kernel looks at the size first and refuses it.
    result(unsafe { libc::syscall(libc::SYS_clone3, &raw const args, 8) })
}

/// fork(2), by its own system call where there is one.
pub fn fork() -> Result {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a copy of a single-threaded process.
    return result(unsafe { libc::syscall(libc::SYS_fork) });
    #[cfg(not(target_arch = "x86_64"))]
    return clone(libc::SIGCHLD as u64);
}

/// vfork(2), whose child ends with this code before it touches the stack that it shares.
#[cfg(target_arch = "x86_64")]
pub fn vfork(code: i32) -> Result {
    let pid: i64;
    // SAFETY: the child makes one system call, exit_group, and uses registers only.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "mov edi, {code:e}",
            "mov eax, 231",
            "syscall",
            "2:",
            code = in(reg) code,
            inout("rax") libc::SYS_vfork => pid,
            out("rdi") _, out("rcx") _, out("r11") _,
        );
    }
    if pid < 0 { Err(-pid as i32) } else { Ok(pid) }
}

/// If there is no vfork(2): clone with the flags that it stands for except CLONE_VM, so that the
/// child has its own stack.
#[cfg(not(target_arch = "x86_64"))]
pub fn vfork(code: i32) -> Result {
    let pid = clone((libc::CLONE_VFORK | libc::SIGCHLD) as u64)?;
    if pid == 0 {
        exit(code);
    }
    Ok(pid)
}

/// Ends the process without running anything else.
pub fn exit(code: i32) -> ! {
    // SAFETY: always sound.
    unsafe { libc::_exit(code) }
}

/// Ends the calling thread only.
pub fn exit_thread(code: i32) -> ! {
    // SAFETY: the thread exits at once; its resources stay allocated until the process ends.
    unsafe { libc::syscall(libc::SYS_exit, code) };
    unreachable!("exit(2) does not return")
}

/// How many threads this process has, those that are ending included.
pub fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("/proc").count()
}

/// The calling thread's id.
pub fn thread_id() -> i32 {
    // SAFETY: always sound.
    unsafe { libc::gettid() }
}

/// Names the calling thread.
pub fn set_name(name: &CStr) {
    // SAFETY: the name ends with a NUL and outlives the call.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

/// Makes this the real user of the calling thread. The effective one, and so its rights, stay.
pub fn set_real_user(uid: u64) {
    // SAFETY: a plain system call; -1 changes nothing.
    let outcome = unsafe { libc::syscall(libc::SYS_setresuid, uid, -1, -1) };
    assert_eq!(outcome, 0, "setresuid: {}", std::io::Error::last_os_error());
}

/// Makes the calling thread's files and sockets those of this user.
pub fn set_file_user(uid: u64) {
    // SAFETY: a plain system call, which returns the user before.
    unsafe { libc::syscall(libc::SYS_setfsuid, uid) };
}

/// Waits for this child; returns the status as wait(2) has it.
pub fn wait(pid: i32) -> i32 {
    let mut status = 0;
    // SAFETY: `status` outlives the call.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!(waited, pid, "waitpid: {}", std::io::Error::last_os_error());
    status
}

/// execve(2), or with `at` execveat(2), without an environment. Returns only where it fails.
pub fn exec(path: &str, argv: &[&str], at: Option<(i32, i32)>) -> i32 {
    let path = CString::new(path).expect("a path without NUL");
    let argv: Vec<CString> = argv.iter().map(|arg| CString::new(*arg).expect("no NUL")).collect();
    let mut pointers: Vec<_> = argv.iter().map(|arg| arg.as_ptr()).collect();
    pointers.push(std::ptr::null());
    let env = [std::ptr::null::<libc::c_char>()];
    // SAFETY: both arrays end with a null pointer and outlive the call.
    let outcome = result(unsafe {
        match at {
            None => libc::syscall(libc::SYS_execve, path.as_ptr(), pointers.as_ptr(), env.as_ptr()),
            Some((dir, flags)) => {
                libc::syscall(libc::SYS_execveat, dir, path.as_ptr(), pointers.as_ptr(), env.as_ptr(), flags)
            }
        }
    });
    outcome.expect_err("exec returns only where it fails")
}

/// Runs `work` while this process may create no other: as a user with RLIMIT_NPROC 0.
///
/// The limit does not apply to root, so the thread is user `nobody` during the work.
pub fn without_room_for_processes<T>(work: impl FnOnce() -> T) -> T {
    const NOBODY: u32 = 65_534;
    let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: plain system calls on values that outlive them; the saved user id allows the way back.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NPROC, &raw mut before), 0);
        let none = libc::rlimit { rlim_cur: 0, ..before };
        assert_eq!(libc::setrlimit(libc::RLIMIT_NPROC, &raw const none), 0);
        assert_eq!(libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, 0), 0);
        let outcome = work();
        assert_eq!(libc::syscall(libc::SYS_setresuid, 0, 0, 0), 0);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NPROC, &raw const before), 0);
        outcome
    }
}

/// Makes the kernel refuse these system calls with this error, from now on and across execve(2).
pub fn filter_calls(denied: &[u32], errno: i32) {
    let instruction = |code: u32, k: u32, skipped_unless_equal: u8| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: skipped_unless_equal,
        k,
    };
    // The call's number is the first field of what a filter sees (`struct seccomp_data`).
    let mut filter = vec![instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0)];
    for number in denied {
        filter.push(instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, *number, 1));
        filter.push(instruction(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | errno as u32, 0));
    }
    filter.push(instruction(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0));
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program and its instructions outlive the call, which copies them.
    let outcome =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program, 0, 0) };
    assert_eq!(outcome, 0, "seccomp: {} (needs root)", std::io::Error::last_os_error());
}

/// Pins this thread to the processor that it runs on.
pub fn stay_on_this_processor() {
    let mut set = rustix::thread::CpuSet::new();
    set.set(rustix::thread::sched_getcpu());
    rustix::thread::sched_setaffinity(None, &set).expect("a processor that is there");
}

/// What the kernel returned, from what the C library makes of it: the negative number of the error where it failed.
pub fn returned(returned: libc::c_long) -> i64 {
    result(returned).unwrap_or_else(|errno| -i64::from(errno))
}

fn result(returned: libc::c_long) -> Result {
    if returned >= 0 {
        return Ok(returned);
    }
    Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
}

/// Has the calling process killed when its parent ends.
pub fn end_with_parent() {
    // SAFETY: always sound.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

/// Kills a child, and waits for it.
pub fn kill(child: i32) {
    // SAFETY: a child of this process that has not been waited for.
    unsafe { libc::kill(child, libc::SIGKILL) };
    wait(child);
}

/// The number of the network namespace that the calling thread is in.
pub fn network() -> u64 {
    std::fs::metadata("/proc/thread-self/ns/net").expect("/proc").ino()
}

/// Moves the calling thread into the network namespace of this file.
pub fn enter_network(file: &str) {
    let namespace = std::fs::File::open(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    // SAFETY: a descriptor that is open.
    assert_eq!(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) }, 0, "setns to {file}");
}
