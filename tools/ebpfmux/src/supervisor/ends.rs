//! Whether a command is to end of its own: what its words say, if one of them is a tool that is known here.

use std::time::Duration;

use record::fields::is_tool;

/// When a command is to end, as far as its words tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// It is a tool, and nothing says that it is to.
    Never,
    /// A tool that is to end, but not before it has run for so long.
    After(Duration),
    /// No tool that is known here.
    Unknown,
}

/// The tools' options that take no value. Of all others the next word is one.
const FLAGS: [&str; 7] = ["overhead", "events", "errors", "buckets", "threads", "per-cpu", "verbose"];
const SHORT_FLAGS: [char; 2] = ['v', 'q'];
/// Those with which a tool says something and ends.
const SAYS: [&str; 5] = ["check", "schema", "help", "version", "generate"];

/// What these words say: `biolat 1`, `biolat -d 60 1`, `ssh web2 biolat 1 10`, where INTERVAL and COUNT come last.
pub fn ends(words: &[String]) -> Ends {
    let tool = words.iter().position(|word| is_tool(word.rsplit('/').next().unwrap_or_default()));
    let Some(tool) = tool else { return Ends::Unknown };
    let (mut numbers, mut words) = (Vec::new(), words[tool + 1..].iter().map(String::as_str));
    let mut limit: Option<Duration> = None;
    let mut shorter = |other: Option<Duration>| {
        limit = limit.into_iter().chain(other).min();
    };
    while let Some(word) = words.next() {
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) =
                long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            match name {
                _ if SAYS.contains(&name) => return Ends::After(Duration::ZERO),
                "duration" => shorter(seconds(value.or_else(|| words.next()))),
                "quiet" => {}
                _ if FLAGS.contains(&name) || value.is_some() => {}
                _ => drop(words.next()),
            }
        } else if let Some(short) = word.strip_prefix('-').filter(|short| !short.is_empty()) {
            let rest = short.trim_start_matches(SHORT_FLAGS);
            let mut letters = rest.chars();
            let Some(letter) = letters.next() else { continue };
            let value = Some(letters.as_str().trim_start_matches('=')).filter(|value| !value.is_empty());
            match letter {
                'h' | 'V' => return Ends::After(Duration::ZERO),
                'd' => shorter(seconds(value.or_else(|| words.next()))),
                _ if value.is_some() => {}
                _ => drop(words.next()),
            }
        } else {
            numbers.push(word);
        }
    }
    if let [interval, count, ..] = numbers[..] {
        let length = interval.parse::<f64>().ok().zip(count.parse::<f64>().ok());
        // The first interval may have begun before the tool did.
        shorter(
            length
                .and_then(|(interval, count)| Duration::try_from_secs_f64(interval * (count - 1.0)).ok())
                .or(Some(Duration::ZERO)),
        );
    }
    limit.map_or(Ends::Never, Ends::After)
}

/// A value that cannot be read is one that the tool refuses itself.
fn seconds(text: Option<&str>) -> Option<Duration> {
    let seconds =
        text.and_then(|text| text.parse().ok()).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Some(seconds.unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tools_words_say_when_it_is_to_end() {
        let of = |line: &str| ends(&shlex::split(line).unwrap());
        let after = |seconds: f64| Ends::After(Duration::from_secs_f64(seconds));
        for line in [
            "biolat",
            "biolat 1",
            "/usr/bin/biolat --buckets 5",
            "biolat -p 123 1",
            "biolat -vp 123 1",
            "biolat --by app --top 3 1",
            "proclife --events",
            "ssh web2 biolat 0.5",
            "biolat -o json 1 -q",
            "vfsstat --map-size=4096 1",
            "biolat -p1 2",
        ] {
            assert_eq!(of(line), Ends::Never, "{line}");
        }
        for (line, seconds) in [
            ("biolat -d 60", 60.0),
            ("fdstat --events --errors -d 60", 60.0),
            ("biolat -d60 1", 60.0),
            ("biolat --duration=2.5", 2.5),
            ("biolat --duration 3 --by comm", 3.0),
            ("biolat 1 10", 9.0),
            ("biolat 0.5 --buckets 3", 1.0),
            ("biolat -qd=4 1", 4.0),
            ("biolat -d 9 1 3", 2.0),
            ("biolat --check", 0.0),
            ("biolat --version", 0.0),
            ("biolat -h", 0.0),
            ("biolat -d x", 0.0),
            ("biolat 1 1", 0.0),
        ] {
            assert_eq!(of(line), after(seconds), "{line}");
        }
        for line in ["cat file", "sh -c 'exec biolat 1'", "./disks 5", "ebpfmux file"] {
            assert_eq!(of(line), Ends::Unknown, "{line}");
        }
    }
}
