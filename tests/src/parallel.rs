//! Several at once: to attach and to let go is mostly to wait for grace periods.

use std::sync::Mutex;

use crate::kernel;

/// Tools that are tried at once. Older kernels (5.10) have room for one probed call per possible processor and function:
/// those of a test program that wait for one tool's records would use up what another is proving.
fn at_once() -> usize {
    if kernel::release() < (6, 2) { 2 } else { 4 }
}

/// Does it for each.
pub fn in_parallel<T: Send>(all: impl IntoIterator<Item = T, IntoIter: Send>, each: impl Fn(T) + Sync) {
    let all = Mutex::new(all.into_iter());
    let next = || all.lock().expect("nobody fails while taking one").next();
    std::thread::scope(|scope| {
        for _ in 0..at_once() {
            scope.spawn(|| {
                while let Some(one) = next() {
                    each(one);
                }
            });
        }
    });
}
