//! contrib/kubernetes: what its pods run, and the files that they get.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use super::Served;
use crate::support::*;

fn shipped(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A volume with a secret, as kubelet lays it: the names are links to links, so that all change at once.
fn secret(files: &Files, name: &str, content: &str) -> String {
    let volume = PathBuf::from(files.path(name));
    let version = volume.join("..2026_12_01_00_00_00.1");
    fs::DirBuilder::new().recursive(true).mode(0o755).create(&version).unwrap();
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o400).open(version.join("token")).unwrap();
    file.write_all(content.as_bytes()).unwrap();
    symlink("..2026_12_01_00_00_00.1", volume.join("..data")).unwrap();
    symlink("..data/token", volume.join("token")).unwrap();
    volume.join("token").display().to_string()
}

#[test]
fn what_each_node_runs_is_right() {
    let files = Files::new();
    let config = files.write("node.toml", shipped("kubernetes/base/node.toml").as_bytes());
    let output = run(&["--config", &config, "--validate"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let daemon_set = shipped("kubernetes/base/daemonset.yaml");
    let unit = shipped("systemd/ebpf-filters@.service");
    let given = daemon_set.split_once("add: [").unwrap().1.split_once(']').unwrap().0;
    let given: Vec<_> = given.split(", ").map(|name| format!("CAP_{name}")).collect();
    assert!(unit.contains(&format!("\nCapabilityBoundingSet={}\n", given.join(" "))), "{given:?}");
    for needed in
        ["hostPID: true", "hostNetwork: true", "path: /sys\n", "containerPort: 9435", "defaultMode: 0400"]
    {
        assert!(daemon_set.contains(needed), "{needed}");
    }
}

#[test]
fn a_secret_of_the_cluster_is_the_token() {
    let files = Files::new();
    let token = secret(&files, "secret", "s3cret");
    let fifo = files.fifo("in");
    let config = format!(
        "output = \"none\"\nfiles = [{fifo:?}]\n[serve]\nlisten = \"0.0.0.0:0\"\ntoken = {token:?}\n"
    );
    let config = files.write("node.toml", config.as_bytes());
    let mut served = Served::start(&files, &["--config", &config]);
    served.address = served.address.replace("0.0.0.0", "127.0.0.1");
    assert_eq!(served.ask("GET", "/metrics", "").0, 401);
    assert_eq!(served.ask("GET", "/metrics", "Authorization: Bearer s3cret\r\n").0, 200);
}

#[test]
fn none_is_no_output() {
    let files = Files::new();
    let records = files.write("t", record(1, "t", "\"n\":5").as_bytes());
    let folder = files.path("rec");
    let output = run(&["-q", &records, "-o", "none", "--record", &folder]);
    assert_eq!(
        (output.status.code(), stdout(&output), stderr(&output)),
        (Some(0), String::new(), String::new())
    );
    assert!(stdout(&run(&["-q", &folder])).contains("\"n\":5"));
    // What is judged is judged all the same.
    let output = run(&["-q", &records, "-o", "none", "--assert", "t.n < 5"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(5), String::new()));
    assert_eq!(run(&["--check", "-o", "none"]).status.code(), Some(2));
}
