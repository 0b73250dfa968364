//! Programs whose compare-and-exchange may be a plain store, on kernels without it (before Linux
//! 5.12).

use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::OnceLock;

use libbpf_rs::{AsRawLibbpf, OpenObject};
use libbpf_sys::{
    BPF_ALU64, BPF_ATOMIC, BPF_CMPXCHG, BPF_DW, BPF_EXIT, BPF_JMP, BPF_K, BPF_MEM, BPF_MOV, BPF_STX, bpf_insn,
};
use rustix::io::Errno;

/// `*(u64 *)(dst + off)`, compared with R0 and exchanged.
const ATOMIC: u32 = BPF_STX | BPF_DW | BPF_ATOMIC;
/// The same as a plain store.
const STORE: u32 = BPF_STX | BPF_DW | BPF_MEM;

/// Turns each compare-and-exchange in an object's programs into a plain store, on kernels without
/// it. The programs then continue as if nothing had happened in between. To be called before
/// loading, and only for programs in which one of two processors may overwrite the other's value.
///
/// # Errors
/// When libbpf does not accept the programs.
pub fn store_where_missing(object: &mut OpenObject) -> libbpf_rs::Result<()> {
    if kernel_exchanges() {
        return Ok(());
    }
    for program in object.progs_mut() {
        let program = program.as_libbpf_object().as_ptr();
        // SAFETY: the program's own instructions, as many as it has; nothing changes them while
        // they are read.
        let instructions = unsafe {
            std::slice::from_raw_parts(
                libbpf_sys::bpf_program__insns(program),
                libbpf_sys::bpf_program__insn_cnt(program) as usize,
            )
        };
        let mut stored = instructions.to_vec();
        stored.iter_mut().for_each(store);
        // SAFETY: libbpf copies them; their number is unchanged, so the offsets that libbpf has
        // stored hold.
        let set =
            unsafe { libbpf_sys::bpf_program__set_insns(program, stored.as_mut_ptr(), stored.len() as u64) };
        if set < 0 {
            return Err(std::io::Error::from_raw_os_error(-set).into());
        }
    }
    Ok(())
}

fn store(instruction: &mut bpf_insn) {
    if u32::from(instruction.code) == ATOMIC && instruction.imm as u32 == BPF_CMPXCHG {
        instruction.code = STORE as u8;
        instruction.imm = 0;
    }
}

/// Whether the kernel has compare-and-exchange: tested once, with a program that uses it.
fn kernel_exchanges() -> bool {
    static EXCHANGES: OnceLock<bool> = OnceLock::new();
    *EXCHANGES.get_or_init(|| {
        let instruction = |code: u32, dst, src, off, imm: u32| bpf_insn {
            code: code as u8,
            _bitfield_align_1: [],
            _bitfield_1: bpf_insn::new_bitfield_1(dst, src),
            off,
            imm: imm as i32,
        };
        let program = [
            instruction(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
            instruction(STORE, 10, 0, -8, 0),
            instruction(ATOMIC, 10, 0, -8, BPF_CMPXCHG),
            instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
        ];
        // SAFETY: the number of instructions is correct, the strings end with a NUL, and all
        // outlive the call.
        let loaded = unsafe {
            libbpf_sys::bpf_prog_load(
                libbpf_sys::BPF_PROG_TYPE_SOCKET_FILTER,
                c"exchanges".as_ptr(),
                c"GPL".as_ptr(),
                program.as_ptr(),
                program.len() as u64,
                std::ptr::null_mut(),
            )
        };
        if loaded >= 0 {
            // SAFETY: a descriptor that the kernel has just handed out.
            drop(unsafe { OwnedFd::from_raw_fd(loaded) });
        }
        // Any other error is not an answer: the tool's own programs will fail with it.
        loaded != -Errno::INVAL.raw_os_error()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_compare_and_exchange_becomes_a_store() {
        let of = |code: u32, imm: u32| {
            let mut instruction =
                bpf_insn { code: code as u8, off: -8, imm: imm as i32, ..Default::default() };
            store(&mut instruction);
            (u32::from(instruction.code), instruction.imm as u32, instruction.off)
        };
        assert_eq!(of(ATOMIC, BPF_CMPXCHG), (STORE, 0, -8));
        // Atomic addition, which older kernels know, and a store.
        assert_eq!(of(ATOMIC, 0), (ATOMIC, 0, -8));
        assert_eq!(of(STORE, 0), (STORE, 0, -8));
    }
}
