//! A known number of interrupts on another processor.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// `PERF_TYPE_SOFTWARE` and `PERF_COUNT_SW_DUMMY` of `linux/perf_event.h`: an event that never happens.
const SOFTWARE: u64 = 1;
const DUMMY: u64 = 9;
/// `PERF_ATTR_SIZE_VER0`.
const SIZE: u64 = 64;
/// `PERF_EVENT_IOC_ENABLE` and `_DISABLE`.
const SWITCH: [libc::c_ulong; 2] = [0x2400, 0x2401];

/// An event bound to a processor, which that processor itself must switch on and off.
pub struct CpuEvent(OwnedFd);

impl CpuEvent {
    /// A disabled event on this processor.
    pub fn on(cpu: u32) -> Self {
        // Type and size; what; two fields and the format; flags, of which the lowest is `disabled`; two more.
        let attributes: [u64; 8] = [SIZE << 32 | SOFTWARE, DUMMY, 0, 0, 0, 1, 0, 0];
        // SAFETY: the attributes outlive the call and are as long as they say.
        let fd = unsafe { libc::syscall(libc::SYS_perf_event_open, attributes.as_ptr(), -1, cpu, -1, 0) };
        assert!(fd >= 0, "perf_event_open: {}", std::io::Error::last_os_error());
        // SAFETY: the kernel has just returned this descriptor; nothing else owns it.
        Self(unsafe { OwnedFd::from_raw_fd(fd as i32) })
    }

    /// Switches it on and off this many times. From another processor each switch is a function
    /// call there (`event_function_call` of kernel/events/core.c), which is waited for: two
    /// interrupts each time, unless that processor idles.
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
