//! The target of a program, among the kernel's types.

use super::Index;
use crate::hooks::{Kind, Program};

/// The name of a program's target among the kernel's types, and whether that is a type definition
/// rather than a function.
pub fn name(program: &Program) -> (String, bool) {
    match program.kind {
        Kind::Btf => (format!("btf_trace_{}", program.target), true),
        Kind::Iter => (format!("bpf_iter_{}", program.target), false),
        Kind::Fentry | Kind::Kprobe | Kind::Tracepoint => (program.target.clone(), false),
    }
}

/// The number of a program's target among the kernel's own types.
pub fn number(program: &Program, index: &Index) -> Option<u32> {
    let (name, is_typedef) = name(program);
    if is_typedef { index.typedef(&name) } else { index.function(&name) }
}
