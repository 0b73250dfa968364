//! `--serve`: who may ask for what, and what is said of the commands to whom.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{Served, tool};
use crate::support::*;

#[test]
fn orders_need_a_token_on_loopback_too() {
    let files = Files::new();
    let served = Served::start(&files, &["--run", &tool(&files, "disks"), "--serve", "0"]);
    served.becomes(0, "running");
    for headers in ["", "Authorization: Bearer x\r\n"] {
        let (status, answer) = served.ask("POST", "/tools/disks/disable", headers);
        assert!(status == 401 && answer.to_lowercase().contains("www-authenticate: bearer\r\n"), "{answer}");
    }
    let file = served.token_file();
    let known = fs::metadata(&file).unwrap();
    assert!(file.starts_with(&files.path("")) && known.mode() & 0o7777 == 0o600, "{file}");
    for path in ["/metrics", "/healthz", "/tools"] {
        assert_eq!(served.ask("GET", path, "").0, 200, "{path}");
        assert_eq!(served.ask("GET", path, "Host: evil.example\r\n").0, 403, "{path}");
    }
    for host in ["LOCALHOST", "localhost:1", "127.1", "[::1]", "[::1]:9435"] {
        assert_eq!(served.ask("GET", "/metrics", &format!("Host: {host}\r\n")).0, 200, "{host}");
    }
    let token = served.token().replace("Bearer", "bearer");
    assert_eq!(served.ask("POST", "/tools/disks/disable", &token).0, 202);
    served.becomes(0, "disabled");
    assert_eq!(served.health(), 200, "as it was asked for");
    assert_eq!(served.ask("POST", "/tools/disks/enable", &token).0, 202);
    served.becomes(0, "running");
    drop(served);
    assert!(!Path::new(&file).exists());
}

#[test]
fn without_a_folder_of_the_session_the_token_is_still_the_users_alone() {
    let files = Files::new();
    let command = tool(&files, "disks");
    let mut command = mux(&["--run", &command, "--serve", "0"]);
    // Others can write there.
    fs::create_dir(files.path("open")).unwrap();
    fs::set_permissions(files.path("open"), fs::Permissions::from_mode(0o777)).unwrap();
    command.env("RUNTIME_DIRECTORY", files.path("open")).env("TMPDIR", files.path(""));
    let stderr = fs::File::create(files.path("stderr")).unwrap();
    let mut child =
        command.env_remove("XDG_RUNTIME_DIR").stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
    let said = eventually("the token's file is named", || {
        let said = fs::read_to_string(files.path("stderr")).unwrap();
        said.lines().find(|line| line.ends_with(".token")).map(str::to_owned)
    });
    let file = Path::new(said.rsplit_once(' ').unwrap().1).to_owned();
    assert!(!file.starts_with(files.path("open")), "{said}");
    let folder = fs::metadata(file.parent().unwrap()).unwrap();
    assert_eq!((fs::metadata(&file).unwrap().mode() & 0o777, folder.mode() & 0o022), (0o600, 0));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    child.wait().unwrap();
    assert!(!file.exists());
}

#[test]
fn token_files_that_are_none_are_refused_at_once() {
    let files = Files::new();
    let file = |name: &str, content: &[u8], mode: u32| {
        let path = files.write(name, content);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    for (path, why) in [
        (file("others", b"s3cret\n", 0o644), "chmod 600"),
        (file("group", b"s3cret\n", 0o660), "chmod 600"),
        (file("nul", b"s3\0cret\n", 0o600), "NUL"),
        (file("two", b"s3cret\nother\n", 0o600), "several lines"),
        (file("empty", b"\n", 0o600), "is empty"),
        (files.fifo("fifo"), "no regular file"),
        ("/dev/zero".to_owned(), "no regular file"),
        (files.path(""), "no regular file"),
        (files.path("missing"), "No such file"),
    ] {
        let output = run(&["--serve", "0", "--serve-token", &path]);
        let said = stderr(&output);
        assert!(output.status.code() == Some(2) && said.contains(why) && said.lines().count() == 1, "{said}");
    }
    let good = file("good", b"s3cret\n", 0o400);
    let fifo = files.fifo("in");
    let served = Served::start(&files, &[&fifo, "--serve", "0", "--serve-token", &good]);
    assert_eq!(served.ask("GET", "/metrics", "").0, 401);
    assert_eq!(served.ask("GET", "/metrics", "Authorization: bearer s3cret\r\n").0, 200);
    assert_eq!(served.health(), 200);
}

#[test]
fn command_lines_are_for_who_has_the_token() {
    let files = Files::new();
    let failing = script(&files, "failing", "exit 2").display().to_string();
    let command = format!("{failing} --password=hunter2");
    let served = Served::start(&files, &["--run", &command, "--serve", "0"]);
    served.becomes(0, "failed");
    for path in ["/healthz", "/tools"] {
        let (status, answer) = served.ask("GET", path, "");
        assert!(!answer.contains("hunter2") && answer.contains("failing"), "{answer}");
        assert_eq!(status, if path == "/healthz" { 503 } else { 200 });
        let (_, answer) = served.ask("GET", path, &served.token());
        assert!(answer.contains("hunter2") && answer.contains("ended with status 2"), "{answer}");
    }
}

#[test]
fn two_tools_of_one_name_are_both_controlled() {
    let files = Files::new();
    let other = Files::new();
    let (first, second) = (tool(&files, "disks"), tool(&other, "disks"));
    let served = Served::start(&files, &["--run", &first, "--run", &second, "--serve", "0"]);
    served.becomes(1, "running");
    let names: Vec<Value> =
        served.tools("").as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
    assert_eq!(names, ["disks", "disks-2"]);
    assert_eq!(served.ask("POST", "/tools/disks-2/disable", &served.token()).0, 202);
    served.becomes(1, "disabled");
    assert_eq!(served.tools("")[0]["state"], json!("running"));
}
