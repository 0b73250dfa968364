//! `--serve`: who may ask for what, what is said of the commands, and that a scrape is always served.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::*;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// An `ebpfmux` that serves, with a folder of the test as that of its session.
struct Served {
    child: Child,
    address: String,
    stderr: String,
}

impl Served {
    fn start(files: &Files, arguments: &[&str]) -> Self {
        Self::of(files, mux(arguments))
    }

    fn of(files: &Files, mut command: Command) -> Self {
        fs::set_permissions(files.path("."), fs::Permissions::from_mode(0o700)).unwrap();
        let stderr = files.path("stderr");
        command.env("XDG_RUNTIME_DIR", files.path("")).stdout(Stdio::null());
        let child = command.stderr(fs::File::create(&stderr).unwrap()).spawn().unwrap();
        let mut served = Self { child, address: String::new(), stderr };
        let said = eventually("it serves", || served.said("serving on http://"));
        served.address = said.rsplit_once("http://").unwrap().1.trim_end_matches("/metrics").to_owned();
        served
    }

    /// The first line on stderr with this text.
    fn said(&self, text: &str) -> Option<String> {
        let said = fs::read_to_string(&self.stderr).unwrap();
        let whole = said.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.map(str::trim).find(|line| line.contains(text)).map(str::to_owned)
    }

    fn token_file(&self) -> String {
        let said = eventually("the token's file is named", || self.said("the token"));
        said.rsplit_once(' ').unwrap().1.to_owned()
    }

    fn token(&self) -> String {
        format!("Authorization: Bearer {}\r\n", fs::read_to_string(self.token_file()).unwrap().trim())
    }

    /// The status of an answer, and all of it.
    fn ask(&self, method: &str, path: &str, headers: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let host = format!("Host: {}\r\n", self.address);
        let host = if headers.contains("Host:") { "" } else { &host };
        let _ = write!(stream, "{method} {path} HTTP/1.1\r\n{host}{headers}Connection: close\r\n\r\n");
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, answer)
    }

    fn health(&self) -> u16 {
        self.ask("GET", "/healthz", "").0
    }

    fn tools(&self, headers: &str) -> Value {
        let (_, answer) = self.ask("GET", "/tools", headers);
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// Waits until a tool has this state.
    fn becomes(&self, at: usize, state: &str) {
        eventually(state, || (self.tools("")[at]["state"] == json!(state)).then_some(()));
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

/// A tool of this name that prints a record each tenth of a second until it is asked to end. Its
/// process number is in a file `NAME.pid`.
fn tool(files: &Files, name: &str) -> String {
    let body = format!(
        "trap 'exit 0' INT TERM\necho $$ > {}\nwhile :; do\n\
         echo '{{\"ts\":\"'$(date -u +%Y-%m-%dT%H:%M:%S.%6NZ)'\",\"host\":\"h\",\"tool\":\"{name}\",\"interval_s\":0.1,\"lost\":0}}'\n\
         sleep 0.1\ndone",
        files.path(&format!("{name}.pid"))
    );
    script(files, name, &body).display().to_string()
}

fn pid(files: &Files, name: &str) -> Pid {
    Pid::from_raw(line_in(Path::new(&files.path(&format!("{name}.pid")))).parse().unwrap()).unwrap()
}

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

#[test]
fn a_tool_that_ends_without_being_asked_is_started_again() {
    let files = Files::new();
    let served = Served::start(&files, &["--run", &format!("{} 1", tool(&files, "biolat")), "--serve", "0"]);
    let first = pid(&files, "biolat");
    fs::remove_file(files.path("biolat.pid")).unwrap();
    // It ends with status 0 on that.
    kill_process(first, Signal::TERM).unwrap();
    assert!(pid(&files, "biolat") != first);
    let note = "ended with status 0 before it was to end; starting it again in 1 s (1 of 3)";
    assert!(served.said(note).is_some());
    served.becomes(0, "running");
    assert_eq!(served.health(), 200);
}

#[test]
fn a_tool_that_cannot_be_started_again_is_not_healthy() {
    let files = Files::new();
    let command = tool(&files, "biolat");
    let mut served = Served::start(&files, &["--run", &format!("{command} 1"), "--serve", "0"]);
    let running = pid(&files, "biolat");
    fs::remove_file(command).unwrap();
    kill_process(running, Signal::KILL).unwrap();
    served.becomes(0, "restarting");
    assert_eq!(served.health(), 503);
    served.becomes(0, "failed");
    let (status, answer) = served.ask("GET", "/healthz", "");
    assert!(status == 503 && answer.ends_with("\r\nbiolat failed\n"), "{answer}");
    assert!(
        served
            .said("cannot be started again: No such file or directory (os error 2), after 3 restarts")
            .is_some()
    );
    kill_process(Pid::from_child(&served.child), Signal::TERM).unwrap();
    assert_eq!(exit_code(&mut served.child), Some(1));
}

#[test]
fn what_is_not_known_to_be_done_is_not_healthy() {
    let files = Files::new();
    script(&files, "biolat", "sleep 1.2");
    script(&files, "some", "exit 0");
    let (done, some) = (format!("{} 1 2", files.path("biolat")), files.path("some"));
    let served = Served::start(&files, &["--run", &done, "--run", &some, "--serve", "0"]);
    served.becomes(0, "done");
    served.becomes(1, "ended");
    let (status, answer) = served.ask("GET", "/healthz", "");
    assert!(status == 503 && answer.ends_with("\r\nsome ended\n"), "{answer}");
    assert!(served.said("ended with status 0; it is not started again").is_some());
}

/// An `ebpfmux` whose metrics have 10 000 series, and the writer that keeps it alive.
fn large(files: &Files) -> (Served, fs::File) {
    let schema =
        r#"{"title": "t", "properties": {"interval_s": {"x-kind": "interval"}, "n": {"x-kind": "counter"}}}"#;
    let schema = files.write("schema", schema);
    let fifo = files.fifo("in");
    let served = Served::start(files, &[&fifo, "--schema", &schema, "--serve", "0"]);
    let mut writer = fs::File::create(fifo).unwrap();
    let records: String =
        (0..9_000).map(|key| record(1, "t", &format!(r#""name":"a name {key}","n":1"#))).collect();
    writer.write_all(records.as_bytes()).unwrap();
    eventually("all series are there", || {
        served.ask("GET", "/metrics", "").1.contains("a name 8999").then_some(())
    });
    (served, writer)
}

/// A scrape that is served, in less than what was tried before; the machine may be busy.
fn scrape_is_served(served: &Served) {
    let begin = Instant::now();
    let (status, answer) = served.ask("GET", "/metrics", "");
    let took = begin.elapsed();
    assert!(status == 200 && answer.contains("a name 8999"), "{status}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn clients_that_stay_do_not_keep_a_scrape_from_being_served() {
    let files = Files::new();
    let (served, _writer) = large(&files);
    let stay = |address: String| {
        std::thread::spawn(move || {
            let until = Instant::now() + Duration::from_secs(6);
            while Instant::now() < until {
                let Ok(mut stream) = TcpStream::connect(&address) else { continue };
                stream.set_read_timeout(Some(Duration::from_millis(1500))).unwrap();
                // Reads as it comes; a new request each 1.5 s.
                while Instant::now() < until
                    && stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").is_ok()
                {
                    let mut bytes = [0; 4096];
                    while stream.read(&mut bytes).is_ok_and(|read| read > 0) {}
                }
            }
        })
    };
    let clients: Vec<_> = (0..50).map(|_| stay(served.address.clone())).collect();
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(700));
        scrape_is_served(&served);
    }
    clients.into_iter().for_each(|client| client.join().unwrap());
}

#[test]
fn clients_that_read_nothing_do_not_keep_a_scrape_from_being_served() {
    let files = Files::new();
    let (served, _writer) = large(&files);
    // Answers of many MB, of which some are on their way.
    let many = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(50);
    let hang = |_| {
        let mut stream = TcpStream::connect(&served.address).unwrap();
        stream.write_all(many.as_bytes()).unwrap();
        stream
    };
    let clients: Vec<TcpStream> = (0..40).map(hang).collect();
    for _ in 0..3 {
        scrape_is_served(&served);
    }
    eventually("their connections are closed", || {
        let open = fs::read_dir(format!("/proc/{}/fd", served.child.id())).unwrap();
        let sockets = open.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
        let sockets = sockets.filter(|link| link.to_string_lossy().starts_with("socket:")).count();
        // One listens; one may be that of the last scrape.
        (sockets <= 2).then_some(())
    });
    drop(clients);
}
