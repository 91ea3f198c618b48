"""Instructions of each kernel, which valgrind counts the same on the noisiest machine."""

from __future__ import annotations

import platform
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import indicator_cache as ic

from .record import Instructions, Record
from .table import BACKTEST

ROOT = Path(__file__).resolve().parent.parent

#: What the program is built from; with the names of its functions, by which they are found.
EXAMPLE = ("--package", "indicator-wasm", "--example", "instructions")
PROFILE = ("--release", "--config", 'profile.release.strip="none"')

_COLLECTED = re.compile(r"Collected : (\d+)")


def paths() -> tuple[str, ...]:
    """Return the instruction sets that kernels are compiled for on this kind of machine."""
    return ("portable", "avx2") if platform.machine() in {"x86_64", "AMD64"} else ("portable",)


def build() -> Path:
    """Build the program; return where it is."""
    cargo = shutil.which("cargo") or "cargo"
    done = subprocess.run(  # noqa: S603 - our own program
        [cargo, "build", "--quiet", "--message-format=json", *EXAMPLE, *PROFILE],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    executables = re.findall(r'"executable":"([^"]+)"', done.stdout)
    return Path(executables[-1])


def command(
    program: str, name: str, path: str, *, bars: int = BACKTEST, runs: int = 1
) -> list[str]:
    """Return the call of the program for an indicator."""
    return [program, name, str(bars), path, str(runs)]


def count(valgrind: str, program: Path, name: str, path: str) -> int:
    """Return the instructions of one run."""
    done = subprocess.run(  # noqa: S603 - our own program
        [
            valgrind,
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            "--toggle-collect=*instructions*counted*",
            *command(str(program), name, path),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    found = _COLLECTED.search(done.stderr)
    if found is None:
        raise RuntimeError(f"callgrind says: {done.stderr}")
    return int(found[1])


def measure(record: Record) -> None:
    """Fill the record, if valgrind is here."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        record.notes["instructions"] = "not counted: valgrind is not installed"
        return
    program = build()
    for name in ic.catalog():
        for path in paths():
            counted = count(valgrind, program, name, path)
            record.instructions.append(Instructions(name, BACKTEST, path, counted))
    print("instructions counted", file=sys.stderr)


def flame_graphs(name: str = "dmi") -> list[str]:
    """Return commands that show where the time goes: in a kernel, and in Python."""
    example = shlex.join(["cargo", "flamegraph", *EXAMPLE])
    run = shlex.join(command("--", name, paths()[-1], bars=1_000_000, runs=500))
    return [
        f"CARGO_PROFILE_RELEASE_STRIP=none CARGO_PROFILE_RELEASE_DEBUG=true {example} {run}",
        "py-spy record --native --output flame.svg -- .venv/bin/python -m benchmarks run --quick",
    ]
