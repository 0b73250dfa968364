//! Compiles the tool's own BPF program.

fn main() {
    bpf_build::skeleton("mapstat");
}
