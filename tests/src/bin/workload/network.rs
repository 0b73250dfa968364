//! A network namespace for this process and its children, with a loopback device that is up.

use std::fs;
use std::process::Command;

/// Enters it.
pub fn of_our_own() {
    // SAFETY: this process has one thread.
    let ret = unsafe { libc::unshare(libc::CLONE_NEWNET) };
    assert_eq!(ret, 0, "unshare: {} (needs root)", std::io::Error::last_os_error());
    // From Linux 6.5 on the first attempts follow each other at the same distance: a test need not wait for them.
    let _ = fs::write("/proc/sys/net/ipv4/tcp_syn_linear_timeouts", "0");
    // SAFETY: the request is zeroed, named, and outlives the calls; the socket is closed with this function's end.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[..2].copy_from_slice(&[b'l' as libc::c_char, b'o' as libc::c_char]);
        assert_eq!(libc::ioctl(socket, libc::SIOCGIFFLAGS, &raw mut request), 0, "SIOCGIFFLAGS");
        request.ifr_ifru.ifru_flags |= libc::IFF_UP as libc::c_short;
        assert_eq!(libc::ioctl(socket, libc::SIOCSIFFLAGS, &raw const request), 0, "SIOCSIFFLAGS");
        libc::close(socket);
    }
}

/// From now on its loopback device loses so many packets of a hundred, by the kernel's netem. They hold what an Ethernet's
/// do: what TCP hands over at once, and loses at once, is many segments.
pub fn loses(percent: u32) {
    run("ip", "link set dev lo mtu 1500");
    run("tc", &format!("qdisc add dev lo root netem loss {percent}%"));
}

/// It loses none any more.
pub fn loses_none() {
    run("tc", "qdisc del dev lo root");
}

fn run(program: &str, words: &str) {
    let done = Command::new(program).args(words.split(' ')).status();
    let done = done.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(done.success(), "{program} {words}: {done}");
}
