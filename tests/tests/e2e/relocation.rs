//! With the reduced BTF that a tool passes to libbpf, relocation gives the same programs as with
//! the kernel's full BTF.
#![allow(clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;

use common::hooks::Program;
use common::kernel::btf::Types;
use common::session::target_btf::{TargetBtf, Wanted};
use libbpf_rs::{AsRawLibbpf, ObjectBuilder, OpenObject};
use tests::can_run;
use tests::programs::{TOOLS, built};

/// `BPF_LD | BPF_IMM | BPF_DW`; in its first half, `src_reg` gives the meaning of the immediate.
const LOAD_WIDE: u8 = 0x18;

/// The beginning of a BPF object in a tool: ELF's magic, 64 bits, little-endian, version 1, no ABI;
/// a relocatable file for BPF.
const BEGIN: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x01\0\xf7\0";

/// The BPF object embedded in a tool's program, and the bytes after it.
fn object_of(tool: &str) -> Vec<u8> {
    let program = fs::read(built(tool)).expect("a program");
    let at = memchr::memmem::find(&program, BEGIN).expect("an object in the program");
    program[at..].to_vec()
}

fn programs(object: &OpenObject) -> Vec<Program> {
    let named = |program: libbpf_rs::OpenProgram<'_>| {
        Program::from_section(&program.name().to_string_lossy(), &program.section().to_string_lossy())
    };
    object.progs().filter_map(named).collect()
}

/// The instructions of every program after relocation, without the numbers of maps.
fn relocated(object: &OpenObject) -> BTreeMap<String, Vec<(u8, u8, i16, i32)>> {
    let object = object.as_libbpf_object();
    // SAFETY: the object is open, and nothing else refers to it.
    assert_eq!(unsafe { libbpf_sys::bpf_object__prepare(object.as_ptr()) }, 0, "prepared");
    let mut found = BTreeMap::new();
    let mut program = std::ptr::null_mut();
    loop {
        // SAFETY: the object is open, and the program one of its own.
        program = unsafe { libbpf_sys::bpf_object__next_program(object.as_ptr(), program) };
        if program.is_null() {
            return found;
        }
        // SAFETY: the program is one of the object's; its name and instructions live as long.
        let (name, instructions) = unsafe {
            let name = std::ffi::CStr::from_ptr(libbpf_sys::bpf_program__name(program));
            let first = libbpf_sys::bpf_program__insns(program);
            let count = libbpf_sys::bpf_program__insn_cnt(program) as usize;
            (name.to_string_lossy().into_owned(), std::slice::from_raw_parts(first, count))
        };
        let relocated = instructions.iter().map(|instruction| {
            let of_map = instruction.code == LOAD_WIDE && instruction.src_reg() != 0;
            let number = if of_map { 0 } else { instruction.imm };
            (instruction.code, instruction.dst_reg() << 4 | instruction.src_reg(), instruction.off, number)
        });
        found.insert(name, relocated.collect());
    }
}

/// Opens it with all programs and without maps, which need sizes.
fn opened(builder: &mut ObjectBuilder, bytes: &[u8]) -> OpenObject {
    let mut open = builder.open_memory(bytes).expect("an object");
    open.maps_mut().for_each(|mut map| map.set_autocreate(false).expect("left out"));
    open
}

#[test]
fn programs_become_the_same_by_the_subset_and_by_all_types() {
    if !can_run() {
        return;
    }
    let types = Types::running().expect("the kernel's types");
    for tool in TOOLS {
        let bytes = object_of(tool);
        let whole = relocated(&opened(&mut ObjectBuilder::default(), &bytes));
        let (mut builder, mut btf) = (ObjectBuilder::default(), TargetBtf::new().expect("a file in memory"));
        btf.set(&mut builder).expect("a path");
        let open = opened(&mut builder, &bytes);
        let wanted = Wanted::of(&open, &programs(&open)).expect("types of its own");
        let index = wanted.index(&types).expect("an index");
        btf.fill(&types, &index, &wanted).expect("a subset");
        let subset = relocated(&open);
        assert_eq!(whole.keys().collect::<Vec<_>>(), subset.keys().collect::<Vec<_>>());
        for (program, instructions) in &whole {
            assert!(instructions == &subset[program], "{tool}: {program} differs");
        }
        assert!(whole.values().flatten().count() > 100, "{tool} has programs");
    }
}
