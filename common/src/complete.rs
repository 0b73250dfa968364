//! What fits where a tool's command line names a process, a command, a user or a cgroup: read from /proc, /etc/passwd and the
//! cgroup file system, without rights.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use clap_complete::CompletionCandidate;
use cli::kernel_files::cgroup2_mount;

use crate::owner::users::Users;

/// So many processes are shown with their names: reading a name takes 10 µs.
const NAMED: usize = 2000;
/// The most cgroups that are looked at.
const CGROUPS: usize = 10_000;

/// The processes whose numbers begin so.
pub fn pids(begin: &OsStr) -> Vec<CompletionCandidate> {
    let begin = begin.to_string_lossy();
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let number = |name: &str| name.parse::<u32>().ok().filter(|_| name.starts_with(&*begin));
    let mut pids: Vec<u32> = all.filter_map(|entry| number(entry.file_name().to_str()?)).collect();
    pids.sort_unstable();
    let named = pids.len() <= NAMED;
    let candidate = |pid| {
        let name = named.then(|| fs::read_to_string(format!("/proc/{pid}/comm")).ok()).flatten();
        CompletionCandidate::new(format!("{pid}")).help(name.map(|name| name.trim_end().to_owned().into()))
    };
    pids.into_iter().map(candidate).collect()
}

/// The names of processes that begin so.
pub fn comms(begin: &OsStr) -> Vec<CompletionCandidate> {
    let begin = begin.to_string_lossy();
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = all.filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit));
    let name = |entry: fs::DirEntry| fs::read_to_string(entry.path().join("comm")).ok();
    let names = numbers.take(NAMED).filter_map(name).map(|name| name.trim_end_matches('\n').to_owned());
    // In a list, a comma begins the next; what the kernel adds to the name of a worker is no part of it.
    let fits =
        |name: &String| name.starts_with(&*begin) && !name.contains(',') && !name.starts_with("kworker/");
    let names: BTreeSet<String> = names.filter(fits).collect();
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// The users whose names begin so.
pub fn users(begin: &OsStr) -> Vec<CompletionCandidate> {
    let begin = begin.to_string_lossy();
    let all = Users::read().all().into_iter().filter(|(name, _)| name.starts_with(&*begin));
    all.map(|(name, number)| CompletionCandidate::new(name).help(Some(number.to_string().into()))).collect()
}

/// The cgroups whose paths, absolute or below the mount point, begin so: one level at a time, as paths are completed.
/// Those that have others below end with a slash.
pub fn cgroups(begin: &OsStr) -> Vec<CompletionCandidate> {
    let (Some(begin), Some(mount)) = (begin.to_str(), cgroup2_mount()) else { return Vec::new() };
    let (folder, name) = begin.rsplit_once('/').map_or(("", begin), |(folder, name)| (folder, name));
    let is_absolute = Path::new(begin).starts_with(&mount);
    let parent = if is_absolute {
        Path::new(folder).to_path_buf()
    } else {
        mount.join(folder.trim_start_matches('/'))
    };
    let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let below = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten().filter(is_folder);
    let mut found: Vec<String> = below(&parent)
        .take(CGROUPS)
        .filter_map(|entry| entry.file_name().into_string().ok().filter(|found| found.starts_with(name)))
        .collect();
    found.sort_unstable();
    let full = |found: String| {
        let end = if below(&parent.join(&found)).next().is_some() { "/" } else { "" };
        CompletionCandidate::new(format!("{}{found}{end}", &begin[..begin.len() - name.len()]))
    };
    found.into_iter().map(full).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(candidates: &[CompletionCandidate]) -> Vec<&str> {
        candidates.iter().map(|one| one.get_value().to_str().unwrap()).collect()
    }

    #[test]
    fn this_process_is_among_those_that_begin_like_it() {
        let own = std::process::id().to_string();
        let found = pids(OsStr::new(&own[..1]));
        assert!(
            values(&found).contains(&own.as_str())
                && values(&found).iter().all(|pid| pid.starts_with(&own[..1]))
        );
        let one = found.iter().find(|one| one.get_value() == own.as_str()).unwrap();
        let comm = fs::read_to_string("/proc/self/comm").unwrap();
        assert!(found.len() > NAMED || one.get_help().unwrap().to_string() == comm.trim_end());
        assert!(pids(OsStr::new("x")).is_empty());
    }

    #[test]
    fn names_are_those_of_processes_and_users() {
        let own = fs::read_to_string("/proc/self/comm").unwrap();
        let own = own.trim_end();
        let found = comms(OsStr::new(&own[..1]));
        assert!(values(&found).contains(&own) && values(&found).is_sorted(), "{:?}", values(&found));
        assert_eq!(values(&users(OsStr::new("roo"))), ["root"]);
        assert!(comms(OsStr::new("no/such")).is_empty() && users(OsStr::new("no/such")).is_empty());
    }

    #[test]
    fn cgroups_are_completed_level_by_level() {
        let Some(mount) = cgroup2_mount() else { return };
        let first = cgroups(OsStr::new(""));
        for one in values(&first) {
            assert!(mount.join(one).is_dir(), "{one}");
            let absolute = mount.join(one.trim_end_matches('/'));
            let found = cgroups(absolute.as_os_str());
            assert!(
                values(&found).iter().any(|path| Path::new(path) == absolute),
                "{one}: {:?}",
                values(&found)
            );
            if one.ends_with('/') {
                assert!(
                    values(&cgroups(OsStr::new(one))).iter().all(|below| below.starts_with(one)),
                    "{one}"
                );
            }
        }
    }
}
