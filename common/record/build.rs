//! Includes the schemas of all tools in the crate: those of `schemas/`, by the names of their
//! files.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "how build scripts speak to cargo")]

use std::fmt::Write;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    println!("cargo::rerun-if-changed={}", from.display());
    let mut paths = fs::read_dir(&from)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    let mut code = String::from(
        "/// The schemas of the tools, each by the name of its file.\nconst TOOLS: &[(&str, &str)] = &[\n",
    );
    for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        // Writing into memory cannot fail.
        let _ = writeln!(code, "    ({name:?}, include_str!({path:?})),");
    }
    code += "];\n";
    fs::write(Path::new(&env::var("OUT_DIR").map_err(io::Error::other)?).join("schemas.rs"), code)
}
