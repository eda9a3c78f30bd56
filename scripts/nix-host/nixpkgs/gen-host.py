#!/usr/bin/env python3
"""Writes host.json beside this script: which programs of this machine stand in for packages, and their versions.

The compiler is Debian's, whose library source gives the standard libraries of the bare targets too.
"""

import hashlib
import json
import os
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
BIN = "/usr/bin"
PACKAGES = {
    "qemu": "qemu-system-x86", "ovmf": "ovmf", "xorriso": "xorriso", "mtools": "mtools", "gdb": "gdb", "git": "git",
    "bash": "bash", "coreutils": "coreutils", "gcc": "gcc", "grep": "grep", "sed": "sed", "shellcheck": "shellcheck",
}
SYSTEM = ["coreutils", "bash", "gcc", "binutils", "make", "sed", "grep", "gawk", "findutils", "tar"]


def output(*words):
    try:
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""


def version(package):
    text = output("dpkg-query", "-W", "-f", "${Version}", package)
    return text.replace("~", "-").replace(":", "-").replace("+", "-")


def first(*paths):
    return next((path for path in paths if path and os.path.exists(path)), None)


def limine():
    folder = first(os.environ.get("LIMINE_DIR"), "/usr/local/share/limine", "/usr/share/limine")
    if folder is None or not os.path.exists(f"{folder}/BOOTX64.EFI"):
        return None
    data = pathlib.Path(folder, "BOOTX64.EFI").read_bytes()
    tool = first(f"{folder}/limine", f"{folder}/../../bin/limine")
    return {"folder": os.path.realpath(folder), "tool": tool and os.path.realpath(tool),
            "version": hashlib.sha256(data).hexdigest()[:12]}


def program(name):
    """A program of the compiler: Debian's, or rustup's where that has it alone."""
    return first(f"{BIN}/{name}", output("rustup", "which", name))


sysroot = output(f"{BIN}/rustc", "--print", "sysroot")
rustlib = pathlib.Path(sysroot, "lib/rustlib")
core = output("dpkg", "-L", "coreutils").split()
names = sorted({os.path.basename(f) for f in core if f.startswith(("/bin/", "/usr/bin/"))} - {"["})
host = {
    "versions": {name: version(package) or "0" for name, package in PACKAGES.items()}
    | {"system": hashlib.sha256(output("dpkg-query", "-W", *SYSTEM).encode()).hexdigest()[:16]},
    "bins": {"coreutils": [name for name in names if os.path.exists(f"/usr/bin/{name}")]},
    "qemuBins": [name for name in ("qemu-system-x86_64", "qemu-img") if os.path.exists(f"/usr/bin/{name}")],
    "shellcheck": first("/usr/bin/shellcheck"),
    "ovmf": {
        "code": first("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_CODE.fd"),
        "vars": first("/usr/share/OVMF/OVMF_VARS_4M.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
    },
    "limine": limine(),
    "rust": {
        "bin": BIN,
        "programs": {name: program(name) for name in ("rustfmt", "cargo-fmt", "clippy-driver", "cargo-clippy")},
        "sysroot": sysroot,
        "version": output(f"{BIN}/rustc", "--version").split()[1],
        "targets": sorted(d.name for d in rustlib.iterdir() if (d / "lib").is_dir()),
        "src": (rustlib / "src/rust/library/core").exists(),
    },
}
(HERE / "host.json").write_text(json.dumps(host, indent=1, sort_keys=True) + "\n")
