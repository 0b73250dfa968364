//! `--live`: hands over to `ebpfmux`, which runs this tool and shows its records. So the tools have no code for screens.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ArgMatches;
use cli::exit::{Exit, Failure};
use cli::shortage;
use table::Color;

/// Whether the tool has histograms that it was not asked for, and which the screen can show.
pub fn adds_buckets(matches: &ArgMatches) -> bool {
    let flag = |name: &str| matches.try_get_one::<bool>(name).ok().flatten().copied();
    flag("buckets") == Some(false) && flag("events") != Some(true)
}

/// What the screen heeds of the options of tables.
pub fn shown(matches: &ArgMatches) -> Vec<&'static str> {
    let flag = |name| matches.try_get_one::<bool>(name).ok().flatten() == Some(&true);
    let color = matches.try_get_one::<Color>("color").ok().flatten();
    let exact = flag("exact").then_some("--exact");
    let utc = flag("utc").then_some("--utc");
    let color = match color {
        Some(Color::Always) => Some("--color=always"),
        Some(Color::Never) => Some("--color=never"),
        Some(Color::Auto) | None => None,
    };
    [exact, utc, color].into_iter().flatten().collect()
}

/// Becomes `ebpfmux --live SHOWN --run 'TOOL ARGUMENTS'`; returns only if that fails.
pub fn exec(arguments: &[OsString], buckets: bool, shown: &[&str]) -> Failure {
    let own = match env::current_exe() {
        Ok(own) => own,
        Err(error) => return Failure::failed(format!("--live: cannot find this program: {error}")),
    };
    let line = match line(&own, arguments, buckets) {
        Ok(line) => line,
        Err(failure) => return failure,
    };
    let mux = beside(&own).unwrap_or_else(|| "ebpfmux".into());
    let error = Command::new(&mux).arg("--live").args(shown).args(["--run", &line]).exec();
    match error.kind() {
        io::ErrorKind::NotFound => {
            let folder = own.parent().unwrap_or(&own).display();
            Failure::failed(format!(
                "--live needs ebpfmux, which is neither in {folder} nor in PATH: install it"
            ))
        }
        _ => shortage::failure(Exit::Failed, format_args!("--live: cannot run {}", mux.display()), &error),
    }
}

/// This tool's command line without --live, quoted.
fn line(own: &Path, arguments: &[OsString], buckets: bool) -> Result<String, Failure> {
    let is_live = |argument: &&OsString| *argument == "--live";
    let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    let (options, rest) = arguments.split_at(end);
    // No option takes a value that begins with --, so it is the option each time.
    let kept = options.iter().filter(|argument| !is_live(argument)).cloned();
    let added = buckets.then(|| OsString::from("--buckets"));
    let words = [own.as_os_str().to_owned()].into_iter().chain(added).chain(kept).chain(rest.iter().cloned());
    let words: Vec<String> = words
        .map(OsString::into_string)
        .collect::<Result<_, _>>()
        .map_err(|word| Failure::usage(format!("--live: {} is not UTF-8", word.display())))?;
    shlex::try_join(words.iter().map(String::as_str))
        .map_err(|_| Failure::usage("--live: an argument has a NUL byte"))
}

/// The `ebpfmux` in the folder of this program.
fn beside(own: &Path) -> Option<PathBuf> {
    let mux = own.parent()?.join("ebpfmux");
    mux.is_file().then_some(mux)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_handed_over_quoted_and_without_live() {
        let of = |words: &[&str], buckets| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            line(Path::new("/bin/biolat"), &words, buckets).unwrap()
        };
        assert_eq!(of(&["--live", "1"], false), "/bin/biolat 1");
        assert_eq!(
            of(&["--disk", "a b", "--live", "0.5", "3"], true),
            "/bin/biolat --buckets --disk 'a b' 0.5 3"
        );
        assert_eq!(of(&["--live", "--", "--live"], false), "/bin/biolat -- --live");
        assert_eq!(of(&["--live", "--comm", "it's"], false), "/bin/biolat --comm \"it's\"");
    }

    #[test]
    fn what_cannot_be_a_text_is_refused() {
        use std::os::unix::ffi::OsStringExt;
        let odd = OsString::from_vec(vec![0xff]);
        assert_eq!(line(Path::new("/x"), &[odd], false).unwrap_err().exit, Exit::Usage);
    }
}
