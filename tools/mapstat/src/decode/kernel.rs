//! Decoders of the kernel's own numbers: system calls and addresses.

use syscalls::Sysno;

use super::{Without, native};
use crate::symbols::Symbols;

/// The name of a system call of this machine, as the kernel has it.
pub fn syscall(number: u64) -> Result<Vec<u8>, Without> {
    let known = usize::try_from(number).ok().and_then(Sysno::new);
    Ok(known
        .map_or_else(|| format!("unknown_syscall:{number}"), |known| known.name().to_owned())
        .into_bytes())
}

/// The symbol at exactly this address.
pub fn ksym(bytes: &[u8], symbols: &mut Symbols) -> Result<Vec<u8>, Without> {
    let address = u64::from_ne_bytes(native(bytes)?);
    let found = symbols.at(address);
    Ok(found.unwrap_or_else(|| format!("unknown_addr:{address:#x}")).into_bytes())
}

/// The symbols of the functions that addresses up to a 0 are in, one a line.
pub fn kstack(bytes: &[u8], symbols: &mut Symbols) -> Result<Vec<u8>, Without> {
    let (all, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(Without::Undecodable(format!(
            "kstack is of addresses of 8 bytes, not of {} bytes",
            bytes.len()
        )));
    }
    let addresses =
        all.iter().map(|address| u64::from_ne_bytes(*address)).take_while(|address| *address != 0);
    let frames: Vec<String> =
        addresses.map(|address| symbols.before(address).unwrap_or_else(|| "??".to_owned())).collect();
    Ok(frames.join("\n").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn system_calls_have_the_kernels_names() {
        let text = |number| String::from_utf8(syscall(number).unwrap()).unwrap();
        for (number, name) in [
            (0, "read"),
            (60, "exit"),
            (94, "lchown"),
            (202, "futex"),
            (231, "exit_group"),
            (467, "open_tree_attr"),
            (1_000_000, "unknown_syscall:1000000"),
        ] {
            assert_eq!(text(number), name);
        }
        assert_eq!(text(u64::MAX), format!("unknown_syscall:{}", u64::MAX));
    }

    #[test]
    fn addresses_have_the_names_of_functions() {
        let mut symbols =
            Symbols::of("ffffffff81000010 T b\nffffffff81000000 T a\nffffffffc0000000 t m\t[mod]\n");
        let bytes = |all: &[u64]| all.iter().flat_map(|one| one.to_ne_bytes()).collect::<Vec<u8>>();
        let exact = |address| {
            String::from_utf8(ksym(&bytes(&[address]), &mut Symbols::of("10 T x\n")).unwrap()).unwrap()
        };
        assert_eq!((exact(0x10), exact(0x11)), ("x".to_owned(), "unknown_addr:0x11".to_owned()));
        let stack = bytes(&[0xffff_ffff_c000_0123, 0xffff_ffff_8100_000f, 0xffff_ffff_8100_0010, 5, 0, 7]);
        assert_eq!(String::from_utf8(kstack(&stack, &mut symbols).unwrap()).unwrap(), "m\t[mod]\na\nb\n??");
        assert_eq!(kstack(&bytes(&[0]), &mut symbols), Ok(vec![]));
        assert!(kstack(&[1; 9], &mut symbols).is_err() && ksym(&[1; 4], &mut symbols).is_err());
    }
}
