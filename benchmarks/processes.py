"""What can be measured only once in a process, each time in a new one: imports, peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from tests.oracles import ORACLES

import indicator_cache as ic

from .record import Cell, Memory, Record, rounded
from .table import LARGE, PANDAS, bars_of

ROOT = Path(__file__).resolve().parent.parent

IMPORT, FIRST = "import", "first call"

#: New processes for each timing.
PROCESSES = 15

#: A run through all bars of the long series, and of one a tenth as long.
LONG, TENTH = 100_000_000, 10_000_000

# As in benchmarks.timing, which would import what the package then need not.
_TIMED = """
from time import perf_counter as passed, process_time as used
start = passed(), used()
{}
print(min(passed() - start[0], used() - start[1]))
"""

SCRIPTS = {
    IMPORT: "import numpy\n" + _TIMED.format("import indicator_cache"),
    FIRST: "import numpy, indicator_cache as ic\nx = numpy.arange(1.0, 101.0)\n"
    + _TIMED.format("ic.use_backend('wasm')\nic.ema(x)"),
}


def output_of(*arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run this Python; return what it prints."""
    command = [sys.executable, *arguments]
    done = subprocess.run(  # noqa: S603 - our own scripts
        command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment
    )
    return done.stdout


def imports(record: Record) -> None:
    """Time the import beyond numpy, and the first call of the WebAssembly backend.

    With bytecode, as an installed package has it, whatever the environment says about bytecode: in
    a folder of its own, which one run that does not count fills.
    """
    taken: dict[str, list[float]] = {name: [] for name in SCRIPTS}
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for turn in range(1 + PROCESSES):
            for name, script in SCRIPTS.items():
                seconds = float(output_of("-c", script, environment=environment))
                if turn:
                    taken[name].append(seconds)
    for name, who in ((IMPORT, "native"), (FIRST, "wasm")):
        times = taken[name]
        cell = Cell(name, 0, who, rounded(min(times)), rounded(median(times)), len(times))
        record.cells.append(cell)


def memory(record: Record) -> None:
    """Measure how much a process grows by a computation, its results included."""
    if not Path("/proc/self/clear_refs").exists():
        record.notes["memory"] = "needs Linux"
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bars.npz"
        np.savez(file, **bars_of(LARGE))  # type: ignore[arg-type] # a keyword for each array
        for name in ic.catalog():
            for who in ("native", "wasm", *([PANDAS] if name in ORACLES else [])):
                peak, outputs = json.loads(
                    output_of("-m", "benchmarks.child", "memory", who, name, str(file))
                )
                record.memory.append(Memory(name, LARGE, who, peak, outputs))


def long(record: Record, names: Sequence[str]) -> None:
    """Time a series of a hundred million bars, and one a tenth as long; measure the memory."""
    for name in names:
        for bars in (TENTH, LONG):
            best, middle, rounds, peak, outputs = json.loads(
                output_of("-m", "benchmarks.child", "long", "native", name, str(bars))
            )
            record.cells.append(Cell(name, bars, "native", rounded(best), rounded(middle), rounds))
            record.memory.append(Memory(name, bars, "native", peak, outputs))
        print(f"{name} at {LONG:,} bars", file=sys.stderr)
