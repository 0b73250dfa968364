//! `--serve`.

mod access;
mod clients;
mod crowds;
mod dashboards;
mod described;
mod health;
mod kubernetes;
mod orders;
mod scraped;
mod service;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::*;

/// An `ebpfmux` that serves, with a folder of the test as that of its session.
struct Served {
    child: Child,
    address: String,
    stderr: PathBuf,
}

impl Served {
    fn start(files: &Files, arguments: &[&str]) -> Self {
        Self::of(files.path(""), mux(arguments))
    }

    fn of(folder: impl AsRef<Path>, mut command: Command) -> Self {
        let folder = folder.as_ref();
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
        let stderr = folder.join("stderr");
        command.env("XDG_RUNTIME_DIR", folder).stdout(Stdio::null());
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

    /// The header with the token for orders.
    fn token(&self) -> String {
        format!("Authorization: Bearer {}\r\n", fs::read_to_string(self.token_file()).unwrap().trim())
    }

    /// The status of an answer, and all of it.
    fn ask(&self, method: &str, path: &str, headers: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let host = format!("Host: {}\r\n", self.address);
        let host = if headers.contains("Host:") { "" } else { &host };
        // The server may have closed the connection before it has read all of the request.
        let _ = write!(stream, "{method} {path} HTTP/1.1\r\n{host}{headers}Connection: close\r\n\r\n");
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, answer)
    }

    /// The body of an answer.
    fn body(&self, path: &str, headers: &str) -> String {
        self.ask("GET", path, headers).1.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// The status of an order.
    fn order(&self, path: &str) -> u16 {
        self.ask("POST", path, &self.token()).0
    }

    fn health(&self) -> u16 {
        self.ask("GET", "/healthz", "").0
    }

    /// The value of a series; 0 if there is none yet.
    fn value(&self, series: &str) -> f64 {
        let text = self.body("/metrics", "");
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok());
        value.unwrap_or(0.0)
    }

    fn tools(&self, headers: &str) -> Value {
        serde_json::from_str(&self.body("/tools", headers)).unwrap()
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
        "{NOW}trap 'exit 0' INT TERM\necho $$ > {}\nwhile :; do\nnow\n\
         echo '{{\"ts\":\"'$ts'\",\"host\":\"h\",\"tool\":\"{name}\",\"interval_s\":0.1,\"lost\":0}}'\n\
         sleep 0.1\ndone",
        files.path(&format!("{name}.pid"))
    );
    let body = files.write(&format!("{name}.bash"), body);
    script(files, name, &format!("exec bash {body}")).display().to_string()
}
