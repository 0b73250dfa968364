//! `counter`: the frequency of the processor's time stamp counter, `{"khz":…}`, measured with the
//! kernel's clock. It prints nothing on processors without one.

#[cfg(target_arch = "x86_64")]
use std::time::{Duration, Instant};

/// The measured time: the two clocks are read about 50 ns apart, which is less than a millionth of
/// it.
#[cfg(target_arch = "x86_64")]
const SPAN: Duration = Duration::from_millis(100);
/// The number of readings at each end; the least interrupted one is used.
#[cfg(target_arch = "x86_64")]
const READINGS: usize = 20;

/// Counts.
pub fn run() {
    #[cfg(target_arch = "x86_64")]
    {
        let (began, from) = read();
        std::thread::sleep(SPAN);
        let (ended, to) = read();
        let khz = (to - from) as f64 / (ended - began).as_secs_f64() / 1e3;
        println!("{{\"khz\":{}}}", khz.round());
    }
}

/// The kernel's clock and the counter at the same moment.
#[cfg(target_arch = "x86_64")]
fn read() -> (Instant, u64) {
    let once = || {
        // SAFETY: every processor of this kind has it.
        let before = unsafe { core::arch::x86_64::_rdtsc() };
        let at = Instant::now();
        // SAFETY: as above.
        let took = unsafe { core::arch::x86_64::_rdtsc() } - before;
        (took, at, before + took / 2)
    };
    let (_, at, counted) =
        (1..READINGS).map(|_| once()).fold(once(), |best, next| if next.0 < best.0 { next } else { best });
    (at, counted)
}
