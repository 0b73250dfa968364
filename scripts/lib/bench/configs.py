"""Configs of ebpf_exporter's kind for mapstat, compiled for the bench."""

import glob
import os
import platform
import shutil
import subprocess
from pathlib import Path

from bench import machine

SOURCES = Path(__file__).parent / "mapstat"
# As clang names the architecture in the headers of libbpf.
ARCHITECTURES = {"x86_64": "x86", "aarch64": "arm64"}


def compiled(bench, name):
    """The command line of mapstat with this config, whose object is compiled into the scratch folder."""
    clang = os.environ.get("CLANG") or shutil.which("clang") or next(
        (found for version in range(22, 15, -1) if (found := shutil.which(f"clang-{version}"))), None
    )
    if not clang:
        raise machine.CannotMeasure("clang is not installed")
    # The headers of the libbpf that the tools are built with.
    headers = glob.glob(os.path.join(bench.binaries, "build/libbpf-sys-*/out/include"))
    yaml = bench.scratch / f"{name}.yaml"
    shutil.copy(SOURCES / f"{name}.yaml", yaml)
    command = [
        clang, "-g", "-O2", "-mcpu=v3", "-target", "bpf", f"-D__TARGET_ARCH_{ARCHITECTURES[platform.machine()]}",
        *(f"-I{folder}" for folder in headers), "-c", SOURCES / f"{name}.bpf.c", "-o", bench.scratch / f"{name}.bpf.o",
    ]
    made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode:
        raise machine.CannotMeasure(f"clang: {made.stderr.splitlines()[:1]}")
    return bench.ours("mapstat", "-c", str(yaml), "-q", "-o", "json", "1")
