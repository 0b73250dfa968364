//! `lookups --times T [--directory PATH] [--join CGROUP]`: looks up a file T times that is seven
//! directories deep, below that directory or else the working directory. The path is created before
//! the process joins the cgroup: seven names each time, all cached.

use std::{env, fs};

use crate::args::Args;

/// Relative, so that nothing else is looked up.
const PATH: &str = "lookups/b/c/d/e/f/g";

/// Does the work.
pub fn run(args: &Args) {
    if let Some(directory) = args.text("directory") {
        env::set_current_dir(directory).unwrap_or_else(|error| panic!("{directory}: {error}"));
    }
    fs::create_dir_all("lookups/b/c/d/e/f").expect("directories");
    fs::write(PATH, "").expect("a file");
    args.join("join");
    for _ in 0..args.count("times") {
        fs::metadata(PATH).expect("it is there");
    }
    args.hold();
}
