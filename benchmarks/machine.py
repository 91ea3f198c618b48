"""What a measurement depends on: the processor, the system, the versions. No names, no paths."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from indicator_cache import _native

ROOT = Path(__file__).resolve().parent.parent

#: Instruction sets that could make a difference here.
SETS = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512vl", "asimd", "sve")

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def _cpuinfo() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _caches() -> str:
    found = []
    for index in sorted(_CACHES.glob("index*")):
        kind, level, size = (
            (index / name).read_text(encoding="utf-8").strip() for name in ("type", "level", "size")
        )
        if kind != "Instruction":
            found.append(f"L{level} {size}")
    return ", ".join(found)


def _rustc() -> str:
    rustc = shutil.which("rustc")
    if rustc is None:
        return "not here"
    done = subprocess.run(  # noqa: S603 - what builds the extension
        [rustc, "--version"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout.split()[1]


def facts() -> dict[str, str]:
    """Return the facts of this machine, as text."""
    info = _cpuinfo()
    known = set(info.get("flags", info.get("Features", "")).split())
    family = " ".join(
        f"{key} {info[key]}" for key in ("cpu family", "model", "stepping") if key in info
    )
    return {
        "cpu": info.get("model name", platform.processor() or platform.machine()),
        "family": family,
        "architecture": platform.machine(),
        "cores": str(os.cpu_count()),
        "caches": _caches(),
        "instruction sets": " ".join(name for name in SETS if name in known),
        "native path": _native.cpu(),
        # Without what its builder appended.
        "system": f"{platform.system()} {re.split(r'[^0-9.]', platform.release())[0]}",
        "libc": " ".join(platform.libc_ver()),
    }


def versions() -> dict[str, str]:
    """Return the versions of what every run needs."""
    packages = ("indicator-cache", "numpy", "pandas", "wasmtime")
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "rustc": _rustc(),
        **{name: importlib.metadata.version(name) for name in packages},
    }
