//! A Prometheus that scrapes what a test serves.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::streams::path;

/// A running Prometheus, stopped when this value is dropped.
pub struct Prometheus {
    child: Child,
    port: u16,
}

impl Prometheus {
    /// Starts one in this directory that scrapes these addresses every half second, with this
    /// secret and these options.
    pub fn start(directory: &Path, targets: &[String], token: Option<&str>, more: &[&str]) -> Self {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let token = token.map_or(String::new(), |token| format!("authorization: {{credentials: {token}}}, "));
        let targets = targets.join("', '");
        let configuration = format!(
            "global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\nscrape_configs: [{{job_name: mux, {token}static_configs: [{{targets: ['{targets}']}}]}}]\n"
        );
        let file = format!("prometheus-{port}.yml");
        std::fs::write(directory.join(&file), configuration).expect("a file is written");
        let mut prometheus = Command::new("prometheus");
        prometheus.args([
            &format!("--config.file={file}"),
            &format!("--storage.tsdb.path=data-{port}"),
            &format!("--web.listen-address=127.0.0.1:{port}"),
        ]);
        let prometheus =
            prometheus.args(more).env("PATH", path()).current_dir(directory).stderr(Stdio::null()).spawn();
        Self { child: prometheus.expect("prometheus: see scripts/setup"), port }
    }

    /// The first value of a query's result; `None` if it is empty or Prometheus does not answer
    /// yet.
    pub fn query(&self, query: &str) -> Option<f64> {
        let query: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        write!(stream, "GET /api/v1/query?query={query} HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let answer: Value = serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()?;
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}
