//! Known interrupts of another processor's.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// `PERF_TYPE_SOFTWARE` and `PERF_COUNT_SW_DUMMY` of `linux/perf_event.h`: an event that never happens.
const SOFTWARE: u64 = 1;
const DUMMY: u64 = 9;
/// `PERF_ATTR_SIZE_VER0`.
const SIZE: u64 = 64;
/// `PERF_EVENT_IOC_ENABLE` and `_DISABLE`.
const SWITCH: [libc::c_ulong; 2] = [0x2400, 0x2401];

/// An event of a processor, which that processor itself has to switch on and off.
pub struct CpuEvent(OwnedFd);

impl CpuEvent {
    /// On this processor, off.
    pub fn on(cpu: u32) -> Self {
        // Type and size; what; two fields and the format; flags, of which the lowest is `disabled`; two more.
        let attributes: [u64; 8] = [SIZE << 32 | SOFTWARE, DUMMY, 0, 0, 0, 1, 0, 0];
        // SAFETY: the attributes outlive the call and are as long as they say.
        let fd = unsafe { libc::syscall(libc::SYS_perf_event_open, attributes.as_ptr(), -1, cpu, -1, 0) };
        assert!(fd >= 0, "perf_event_open: {}", std::io::Error::last_os_error());
        // SAFETY: a descriptor that the kernel has just handed out, and nobody else knows.
        Self(unsafe { OwnedFd::from_raw_fd(fd as i32) })
    }

    /// Switches it on and off so many times. From another processor each is a call of a function there, and waited for:
    /// two interrupts each time (`event_function_call` of kernel/events/core.c), unless that processor idles.
    pub fn switch(&self, times: u64) {
        for _ in 0..times {
            for request in SWITCH {
                // SAFETY: takes no pointers.
                let result = unsafe { libc::ioctl(self.0.as_raw_fd(), request, 0) };
                assert_eq!(result, 0, "ioctl: {}", std::io::Error::last_os_error());
            }
        }
    }
}
