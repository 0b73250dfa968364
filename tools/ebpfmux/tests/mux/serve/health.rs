//! `--serve`: which tools are started again, and what is healthy.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use super::{Served, tool};
use crate::support::*;

fn pid(files: &Files, name: &str) -> Pid {
    Pid::from_raw(line_in(Path::new(&files.path(&format!("{name}.pid")))).parse().unwrap()).unwrap()
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
    // Rendered metrics are cached for a tenth of a second.
    eventually("its end in the metrics", || {
        (served.value("ebpf_tool_restarts_total{tool=\"biolat\"}") == 3.0).then_some(())
    });
    let metrics = served.body("/metrics", "");
    assert!(metrics.contains("\nebpf_tool_up{tool=\"biolat\"} 0\n"), "{metrics}");
    assert!(!metrics.contains("ebpf_tool_seconds_left"), "{metrics}");
    kill_process(Pid::from_child(&served.child), Signal::TERM).unwrap();
    assert_eq!(exit_code(&mut served.child), Some(1));
}

/// A tool tells on the pipe that it is given where it has attached; it no more counts as attached when it has ended.
#[test]
fn the_rungs_of_a_tool_are_metrics_while_it_runs() {
    let files = Files::new();
    let told = r#"printf '{"hook":"reads","kind":"fentry"}\n{"hook":"file \\"opens\\"","kind":"kprobe+tp_btf"}\nno hook\n'"#;
    let said =
        format!("{told} > \"/proc/self/fd/${{EBPF_ATTACHED%%:*}}\"\nexec {} 1", tool(&files, "biolat"));
    let command = script(&files, "disks", &said).display().to_string();
    let mut served = Served::start(&files, &["--run", &command, "--serve", "0"]);
    let rung = |hook: &str, kind: &str| {
        format!("\nebpf_tool_rung{{tool=\"disks\",hook=\"{hook}\",kind=\"{kind}\"}} 1\n")
    };
    let metrics = eventually("the hooks in the metrics", || {
        Some(served.body("/metrics", "")).filter(|metrics| metrics.contains("ebpf_tool_rung"))
    });
    assert!(metrics.contains("\n# TYPE ebpf_tool_rung gauge\n"), "{metrics}");
    assert_eq!(metrics.matches("\nebpf_tool_rung{").count(), 2, "{metrics}");
    assert!(metrics.contains(&rung("reads", "fentry")), "{metrics}");
    assert!(metrics.contains(&rung("file \\\"opens\\\"", "kprobe+tp_btf")), "{metrics}");
    assert_eq!(served.order("/tools/disks/disable"), 202);
    eventually("no hooks in the metrics", || {
        Some(()).filter(|()| !served.body("/metrics", "").contains("ebpf_tool_rung"))
    });
    kill_process(Pid::from_child(&served.child), Signal::TERM).unwrap();
    assert_eq!(exit_code(&mut served.child), Some(0));
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
