//! Compiles the empty BPF programs.

fn main() {
    bpf_build::skeleton("empty");
}
