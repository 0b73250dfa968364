//! A VictoriaMetrics that takes what a test sends.

use test_support::server::{Server, free_port};
use test_support::streams::Streams;
use test_support::wait::{For, until};

/// Starts an empty one with its data in the directory of these streams.
pub fn victoria(streams: &Streams) -> Server {
    let port = free_port();
    let arguments = [
        "-storageDataPath=victoria".to_owned(),
        format!("-httpListenAddr=127.0.0.1:{port}"),
        "-opentelemetry.usePrometheusNaming".to_owned(),
        "-retentionPeriod=100y".to_owned(),
    ];
    let victoria = Server::start("victoria-metrics", &streams.path("."), port, &arguments);
    until(For::Answer, "victoria-metrics", || victoria.get("/health").filter(|body| body == "OK"));
    victoria
}
