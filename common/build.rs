//! Compiles the BPF programs that are not part of a tool.

fn main() {
    bpf_build::skeleton_as("layouts", "layouts");
    bpf_build::skeleton_as("pid_numbers", "pid_numbers");
}
