//! The compile step of every tool: `bpf/NAME.bpf.c` becomes a skeleton in the tool's `OUT_DIR`.
//! Headers that only one program includes are in `bpf/NAME/`, shared headers are in `bpf/include/`.
//!
//! A tool's whole `build.rs` is `fn main() { bpf_build::skeleton("NAME") }`, and it includes the
//! skeleton by `include!(concat!(env!("OUT_DIR"), "/skel.rs"));`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "how build scripts speak to cargo")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

use anyhow::{Context, Result, bail};
use libbpf_cargo::SkeletonBuilder;
use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::{Enum, EnumMember};

/// The oldest clang with `__builtin_preserve_type_info(…, BPF_TYPE_MATCHES)`, by which the programs
/// distinguish kernels.
const OLDEST_CLANG: u32 = 16;

/// v3 is what Linux 5.1 and later run: 32-bit arithmetic and jumps, so smaller programs.
const CLANG_ARGS: [&str; 5] = ["-mcpu=v3", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror"];

/// Compiles `bpf/NAME.bpf.c` and writes the module `skel` to `$OUT_DIR/skel.rs`, or ends the build with one clear error.
pub fn skeleton(name: &str) {
    skeleton_as(name, "skel");
}

/// The same, for a crate with several: writes the module `MODULE` to `$OUT_DIR/MODULE.rs`.
pub fn skeleton_as(name: &str, module: &str) {
    if let Err(error) = build(name, module) {
        eprintln!("error: {name}.bpf.c: {error:#}");
        exit(1);
    }
}

/// Compiles a BPF program that is no tool's, to `$OUT_DIR/NAME.bpf.o` for a source of `…/NAME.bpf.c`, or ends the build with
/// one clear error.
pub fn object(source: &Path) {
    let compiled = || {
        let name = source.file_stem().context("no file")?;
        let object = out()?.join(name).with_extension("bpf.o");
        println!("cargo:rerun-if-changed={}", source.display());
        println!("cargo:rerun-if-env-changed=CLANG");
        SkeletonBuilder::new()
            .source(source)
            .obj(object)
            .clang(clang()?)
            .clang_args(CLANG_ARGS)
            .build()
            .map(|_| ())
            .context("clang")
    };
    if let Err(error) = compiled() {
        eprintln!("error: {}: {error:#}", source.display());
        exit(1);
    }
}

/// Gives the crate the version of clang that compiles programs, as an environment variable of its compilation.
pub fn tell_clang(variable: &str) {
    println!("cargo:rerun-if-env-changed=CLANG");
    let version = clang().ok().and_then(|clang| Command::new(clang).arg("-dumpversion").output().ok());
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    println!("cargo:rustc-env={variable}={}", version.unwrap_or_default());
}

/// Where a build script writes to.
fn out() -> Result<PathBuf> {
    Ok(PathBuf::from(env::var_os("OUT_DIR").context("OUT_DIR is not set: call this from a build script")?))
}

fn build(name: &str, module: &str) -> Result<()> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = home.join(format!("{name}.bpf.c"));
    let include = home.join("include");
    let out = out()?;
    println!("cargo:rerun-if-changed={}", source.display());
    println!("cargo:rerun-if-env-changed=CLANG");
    let skeleton = out.join(format!("{name}.skel.rs"));
    // The skeleton is named after it.
    let object = out.join(format!("{name}.o"));
    // Which headers it includes, as clang sees it.
    let rules = out.join(format!("{name}.d"));
    SkeletonBuilder::new()
        .source(&source)
        .obj(&object)
        .clang(clang()?)
        .clang_args(
            ["-I", &include.to_string_lossy(), "-MMD", "-MF", &rules.to_string_lossy()]
                .into_iter()
                .chain(CLANG_ARGS),
        )
        // As a literal, an object of a megabyte takes rustc and rustfmt some ten seconds each.
        .reference_obj(true)
        .build_and_generate(&skeleton)?;
    let rules = fs::read_to_string(&rules).context("clang wrote no list of headers")?;
    included(&rules, home).for_each(|header| println!("cargo:rerun-if-changed={header}"));
    // Generated code follows its generator's rules, not ours.
    let (code, names) = (fs::read_to_string(&skeleton)?, names(&Btf::from_path(&object)?));
    fs::write(
        out.join(format!("{module}.rs")),
        format!(
            "#[allow(warnings, clippy::all, clippy::restriction)]\nmod {module} {{\n{code}\
             pub mod names {{\n{names}}}\n}}\n"
        ),
    )
    .context("cannot write the skeleton")
}

/// For each enum that is a list, its names in lower case, as records have them: that of `enum op { READ, WRITE, MAX_OPS }`
/// is `pub const OP: [&str; 2] = ["read", "write"];`. A list ends with the number of its names, `MAX_…`.
fn names(btf: &Btf<'_>) -> String {
    let lists = btf.type_by_kind::<Enum<'_>>().filter_map(|list| {
        let name = list.name()?.to_string_lossy().to_uppercase();
        let lower = |one: EnumMember<'_>| Some((one.name?.to_string_lossy().to_lowercase(), one.value));
        let (mut names, values): (Vec<_>, Vec<_>) = list.iter().filter_map(lower).unzip();
        let last = names.pop()?;
        let is_list = last.starts_with("max_") && values.into_iter().eq(0..=names.len() as i64);
        is_list.then(|| format!("pub const {name}: [&str; {}] = {names:?};\n", names.len()))
    });
    lists.collect()
}

/// The headers of this folder that clang's rules for make name.
fn included<'a>(rules: &'a str, home: &'a Path) -> impl Iterator<Item = &'a str> {
    rules.split_whitespace().filter(move |word| Path::new(word).starts_with(home))
}

/// `$CLANG`, or the newest clang in PATH that is new enough.
fn clang() -> Result<PathBuf> {
    if let Some(named) = env::var_os("CLANG") {
        return Ok(PathBuf::from(named));
    }
    let versioned = (OLDEST_CLANG..=40).rev().map(|version| format!("clang-{version}"));
    for candidate in versioned.chain(["clang".to_string()]) {
        let Ok(output) = Command::new(&candidate).arg("-dumpversion").output() else { continue };
        let version = String::from_utf8_lossy(&output.stdout);
        if version.split('.').next().and_then(|major| major.trim().parse::<u32>().ok()) >= Some(OLDEST_CLANG)
        {
            return Ok(PathBuf::from(candidate));
        }
    }
    bail!("no clang {OLDEST_CLANG} or newer found: run scripts/setup, or name one in $CLANG")
}
