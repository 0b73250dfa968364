//! The running kernel.

use std::fs;

/// Its version, major and minor.
pub fn release() -> (u32, u32) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("the kernel tells its release");
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse().ok());
    let version = numbers.next().zip(numbers.next());
    version.unwrap_or_else(|| panic!("odd release {release:?}"))
}

/// Whether it is a guest that is thrown away after the test, so that what cannot be undone can be tested.
pub fn is_guest() -> bool {
    std::env::var("TEST_GUEST").as_deref() == Ok("1")
}
