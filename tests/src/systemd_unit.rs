//! The example systemd unit.

/// The unit.
pub const UNIT: &str = include_str!("../../contrib/systemd/ebpf-filters@.service");
/// The example of what it runs.
pub const CONFIGURATION: &str = include_str!("../../contrib/systemd/disks.toml");

/// The words of a setting, which the unit must contain once.
pub fn setting(name: &str) -> Vec<&'static str> {
    let mut lines = UNIT.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let value = lines.next().unwrap_or_else(|| panic!("the unit has no {name}"));
    assert!(lines.next().is_none(), "the unit has {name} twice");
    value.split(' ').collect()
}
