//! `lookups --times T`: asks T times for a file that is seven directories deep, below the working directory, and is made for
//! it: seven names a time, all of them in the cache.

use std::fs;

use crate::args::Args;

/// Relative, so that nothing else is looked up.
const PATH: &str = "lookups/b/c/d/e/f/g";

/// Does the work.
pub fn run(args: &Args) {
    fs::create_dir_all("lookups/b/c/d/e/f").expect("directories");
    fs::write(PATH, "").expect("a file");
    for _ in 0..args.count("times") {
        fs::metadata(PATH).expect("it is there");
    }
    args.hold();
}
