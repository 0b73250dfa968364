//! What the kernel itself counts for the system (proc_vmstat(5)).

use std::fs;

/// The names of the counters, in this order.
const NAMES: [&str; 4] = ["zswpin", "zswpout", "swpin_zero", "swpout_zero"];

/// Pages by their way, of which each may not be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Without {
    /// Out of zswap.
    pub zswap_in: Option<u64>,
    /// Into zswap.
    pub zswap_out: Option<u64>,
    /// Of zeros, swapped in.
    pub zero_in: Option<u64>,
    /// Of zeros, swapped out.
    pub zero_out: Option<u64>,
}

/// The counters of pages that make no requests.
pub struct Vmstat {
    last: [Option<u64>; 4],
}

impl Vmstat {
    /// From now on.
    pub fn new() -> Self {
        Self { last: read() }
    }

    /// What was added since the last call; `None` for what this kernel does not count.
    pub fn since_last(&mut self) -> Without {
        let now = read();
        let added = |index: usize| Some(now[index]?.saturating_sub(self.last[index]?));
        let [zswap_in, zswap_out, zero_in, zero_out] = [0, 1, 2, 3].map(added);
        self.last = now;
        Without { zswap_in, zswap_out, zero_in, zero_out }
    }
}

fn read() -> [Option<u64>; 4] {
    values(&fs::read_to_string("/proc/vmstat").unwrap_or_default())
}

fn values(vmstat: &str) -> [Option<u64>; 4] {
    let of = |name| vmstat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    NAMES.map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kernel_does_not_count_is_not_known() {
        assert_eq!(values("pswpin 7\nzswpin 5\nzswpout 6\nswpin_zero2 9\n"), [Some(5), Some(6), None, None]);
        assert_eq!(values("swpin_zero 1\nswpout_zero 2\n"), [None, None, Some(1), Some(2)]);
    }
}
