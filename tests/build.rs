//! Compiles the BPF programs of the bench and of the tests.

fn main() {
    bpf_build::skeleton("empty");
    bpf_build::skeleton_as("spin", "spin");
}
