//! A Prometheus that scrapes what a test serves.

use std::path::Path;

use crate::server::{Server, free_port};

/// A running Prometheus, stopped when this value is dropped.
pub struct Prometheus(Server);

impl Prometheus {
    /// Starts one in this directory that scrapes these addresses every half second, with this
    /// secret and these options.
    pub fn start(directory: &Path, targets: &[String], token: Option<&str>, more: &[&str]) -> Self {
        let port = free_port();
        let token = token.map_or(String::new(), |token| format!("authorization: {{credentials: {token}}}, "));
        let targets = targets.join("', '");
        let configuration = format!(
            "global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\nscrape_configs: [{{job_name: mux, {token}static_configs: [{{targets: ['{targets}']}}]}}]\n"
        );
        let file = format!("prometheus-{port}.yml");
        std::fs::write(directory.join(&file), configuration).expect("a file is written");
        let mut arguments = vec![
            format!("--config.file={file}"),
            format!("--storage.tsdb.path=data-{port}"),
            format!("--web.listen-address=127.0.0.1:{port}"),
        ];
        arguments.extend(more.iter().map(ToString::to_string));
        Self(Server::start("prometheus", directory, port, &arguments))
    }

    /// The first value of a query's result; `None` if it is empty or Prometheus does not answer
    /// yet.
    pub fn query(&self, query: &str) -> Option<f64> {
        self.0.query(query, None)
    }
}
