//! `stream --number N --records M --sum FILE`: prints the synthetic stream of that number (see
//! `tests::stream`), and writes its sum to the file.

use std::fs;

use crate::args::Args;

/// Does the work.
pub fn run(args: &Args) {
    let (number, records) = (args.count("number"), args.count("records"));
    let sum = tests::stream::write(number, records, &mut std::io::stdout(), |_| {}).expect("stdout takes it");
    let file = args.text("sum").expect("--sum FILE");
    fs::write(file, format!("{} {}\n", sum.lines, sum.hash)).expect("the sum is written");
}
