//! Runs several at once: attaching and detaching mostly wait for grace periods.

use std::sync::Mutex;

use crate::kernel;

/// The number of tools that run at once. Older kernels (5.10) have room for one probed call per
/// possible processor and function: calls of a test program that wait for one tool's records would
/// use up the room of another.
fn at_once() -> usize {
    if kernel::release() < (6, 2) { 2 } else { 4 }
}

/// Runs it for each.
pub fn in_parallel<T: Send>(all: impl IntoIterator<Item = T, IntoIter: Send>, each: impl Fn(T) + Sync) {
    let all = Mutex::new(all.into_iter());
    let next = || all.lock().expect("no thread panicked while taking one").next();
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
