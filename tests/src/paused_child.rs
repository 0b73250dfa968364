//! A program with known work, which stops itself before it begins and possibly between parts.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};

use crate::cgroup::Cgroup;
use crate::programs;
use crate::wait::{For, until};

/// The stopped program. The test moves it into a cgroup, so that joining is not part of the counted
/// work.
pub struct PausedChild {
    child: Child,
}

impl PausedChild {
    /// Starts it, waits until it has stopped itself, and puts it in the cgroup.
    pub fn start(program: &str, args: &[&Path], cgroup: &Cgroup) -> Self {
        let child = Command::new(programs::built(program)).args(args).spawn();
        let stopped = Self { child: child.unwrap_or_else(|error| panic!("{program} starts: {error}")) };
        stopped.until_stops();
        let members = Path::new(cgroup.path()).join("cgroup.procs");
        fs::write(members, stopped.child.id().to_string()).expect("the cgroup takes it");
        stopped
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn until_stops(&self) {
        let stat = format!("/proc/{}/stat", self.child.id());
        until(For::State, "the work to stop", || {
            fs::read_to_string(&stat).ok().filter(|stat| stat.contains(") T "))
        });
    }

    fn go_on(&self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).expect("the work is there");
    }

    /// Lets it do its next part; at its end it stops itself again.
    pub fn next(&self) {
        let seen = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("its state");
        assert!(seen.contains(") T "), "{seen}");
        self.go_on();
        // It runs or has stopped again. Either way the signal was delivered.
        self.until_stops();
    }

    /// Continues it and waits for its end, which must be successful.
    pub fn finish(mut self) {
        self.go_on();
        assert!(self.child.wait().expect("the work ends").success());
    }
    /// Kills it, whatever work is left.
    pub fn kill(mut self) {
        self.child.kill().expect("the work is there");
        self.child.wait().expect("the work ends");
    }
}
