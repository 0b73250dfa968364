"""Prints which crates are linked into the programs, as CycloneDX 1.5: name, version, licence, checksum.

    python3 parts.py TARGET VERSION SECONDS     for this target of rustc; version and time of the release
"""

import json
import subprocess
import sys
import tomllib
from datetime import UTC, datetime


def linked(metadata):
    """The crates that the programs need when they run: not what builds them, nor their tests."""
    packages = {package["id"]: package for package in metadata["packages"]}
    needs = {
        node["id"]: [dep["pkg"] for dep in node["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
        for node in metadata["resolve"]["nodes"]
    }
    programs = [
        member
        for member in metadata["workspace_members"]
        if packages[member]["name"] != "tests" and any("bin" in target["kind"] for target in packages[member]["targets"])
    ]
    reached, ahead = set(), programs
    while ahead:
        crate = ahead.pop()
        # Macros run in the compiler, and so does all that only they need.
        if crate not in reached and not is_macro(packages[crate]):
            reached.add(crate)
            ahead.extend(needs[crate])
    found = (packages[crate] for crate in reached)
    return sorted((crate for crate in found if crate["source"]), key=lambda crate: (crate["name"], crate["version"]))


def is_macro(package):
    return any("proc-macro" in target["kind"] for target in package["targets"])


def main(target, version, seconds):
    asked = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    metadata = json.loads(subprocess.run(asked, stdout=subprocess.PIPE, check=True).stdout)
    with open("Cargo.lock", "rb") as file:
        checksums = {(crate["name"], crate["version"]): crate.get("checksum") for crate in tomllib.load(file)["package"]}
    components = [
        {
            "type": "library",
            "name": crate["name"],
            "version": crate["version"],
            "purl": f"pkg:cargo/{crate['name']}@{crate['version']}",
            "licenses": [{"expression": crate["license"]}],
            "hashes": [{"alg": "SHA-256", "content": checksums[crate["name"], crate["version"]]}],
        }
        for crate in linked(metadata)
    ]
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {"type": "application", "name": "ebpf-filters", "version": version},
        },
        "components": components,
    }
    json.dump(bom, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main(*sys.argv[1:])
