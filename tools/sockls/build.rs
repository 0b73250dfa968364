//! Compiles the tool's BPF program.

fn main() {
    bpf_build::skeleton("sockls");
}
