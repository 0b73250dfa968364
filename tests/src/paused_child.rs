//! A program of known work that stops itself before it begins, and maybe between its parts.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};

use crate::cgroup::Cgroup;
use crate::programs;
use crate::wait::{For, until};

/// The program, stopped. Somebody else has to put it in a cgroup: its own way there would be the first work that counts.
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

    /// Lets it do its next part, at the end of which it stops itself again.
    pub fn next(&self) {
        let seen = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("its state");
        assert!(seen.contains(") T "), "{seen}");
        self.go_on();
        // It runs, or has stopped again already: the signal has been taken either way.
        self.until_stops();
    }

    /// Lets it go on to its end, which must be a good one.
    pub fn finish(mut self) {
        self.go_on();
        assert!(self.child.wait().expect("the work ends").success());
    }
    /// Ends it, whatever is left to do.
    pub fn kill(mut self) {
        self.child.kill().expect("the work is there");
        self.child.wait().expect("the work ends");
    }
}
