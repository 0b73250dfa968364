//! A server of time series that a test starts and asks.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::streams::path;

/// A port of 127.0.0.1 that was free just now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port()
}

/// A running server on 127.0.0.1, stopped when this value is dropped.
pub struct Server {
    child: Child,
    /// Its port.
    pub port: u16,
}

impl Server {
    /// Starts a program in this directory that is told by its arguments to listen on this port.
    pub fn start(program: &str, directory: &Path, port: u16, arguments: &[String]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).env("PATH", path()).current_dir(directory).stderr(Stdio::null());
        let child = command.spawn();
        Self { child: child.unwrap_or_else(|error| panic!("{program}: {error}: see scripts/setup")), port }
    }

    /// The body of a response; `None` if the server does not answer yet.
    pub fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer.split_once("\r\n\r\n")?.1.to_owned())
    }

    /// The first value of the result of a query in PromQL, at this time or now; `None` if it is empty, or the server does
    /// not answer yet.
    pub fn query(&self, query: &str, at: Option<&str>) -> Option<f64> {
        let query: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let at = at.map_or(String::new(), |at| format!("&time={at}"));
        let answer = self.get(&format!("/api/v1/query?query={query}{at}"))?;
        let answer: Value = serde_json::from_str(&answer).ok()?;
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}
