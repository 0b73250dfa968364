//! The options that a program has, for one that makes command lines for it (`ebpfmux --config`).

use std::fmt::Write;

use clap::{Arg, ArgAction, Command};

/// A line for each option with a long name, `{"option":"pid","takes":"values"}`: it takes `nothing`, a `value`, an `optional`
/// one, or `values`, one each time that it is given. Without those that only say something (`--help`).
pub fn lines(mut command: Command) -> String {
    command.build();
    let mut lines = String::new();
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
        if let (Some(name), Some(takes)) = (arg.get_long(), takes(arg)) {
            let _ = writeln!(lines, "{{\"option\":\"{name}\",\"takes\":\"{takes}\"}}");
        }
    }
    lines
}

fn takes(arg: &Arg) -> Option<&'static str> {
    let may_have_none = || arg.get_num_args().is_some_and(|number| number.min_values() == 0);
    match arg.get_action() {
        ArgAction::SetTrue | ArgAction::SetFalse | ArgAction::Count => Some("nothing"),
        ArgAction::Append => Some("values"),
        ArgAction::Set if may_have_none() => Some("optional"),
        ArgAction::Set => Some("value"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_says_what_it_takes() {
        let long = |name: &'static str, action| Arg::new(name).long(name).action(action);
        let command = Command::new("tool").args([
            long("pid", ArgAction::Append).short('p'),
            long("by", ArgAction::Set),
            long("window", ArgAction::Set).num_args(0..=1),
            long("buckets", ArgAction::SetTrue),
            long("hidden", ArgAction::Set).hide(true),
            Arg::new("interval"),
        ]);
        let all = [("pid", "values"), ("by", "value"), ("window", "optional"), ("buckets", "nothing")];
        let line = |(name, takes): (&str, &str)| format!("{{\"option\":\"{name}\",\"takes\":\"{takes}\"}}\n");
        assert_eq!(lines(command), all.map(line).concat());
    }
}
