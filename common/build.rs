//! Compiles the BPF programs that are not part of a tool, and tells which clang does.

fn main() {
    bpf_build::skeleton_as("layouts", "layouts");
    bpf_build::tell_clang("EBPF_FILTERS_CLANG");
    bpf_build::skeleton_as("pid_numbers", "pid_numbers");
}
