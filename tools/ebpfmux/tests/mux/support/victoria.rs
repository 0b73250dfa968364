//! A VictoriaMetrics that takes what a test sends.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use test_support::streams::{Streams, path};
use test_support::wait::{For, until};

/// An empty VictoriaMetrics, stopped when this value is dropped.
pub struct Victoria {
    child: Child,
    /// Its port on 127.0.0.1.
    pub port: u16,
}

impl Victoria {
    /// Starts one with its data in a directory.
    pub fn start(streams: &Streams) -> Self {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let mut victoria = Command::new("victoria-metrics");
        victoria.args([
            "-storageDataPath=victoria",
            &format!("-httpListenAddr=127.0.0.1:{port}"),
            "-opentelemetry.usePrometheusNaming",
            "-retentionPeriod=100y",
        ]);
        victoria.env("PATH", path()).current_dir(streams.path(".")).stderr(Stdio::null());
        let victoria = Self { child: victoria.spawn().expect("victoria-metrics: see scripts/setup"), port };
        until(For::Answer, "victoria-metrics", || victoria.get("/health").filter(|body| body == "OK"));
        victoria
    }

    /// The body of a response.
    pub fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer.split_once("\r\n\r\n")?.1.to_owned())
    }
}

impl Drop for Victoria {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
