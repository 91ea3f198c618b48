"""What :mod:`benchmarks.processes` runs in processes of their own; prints JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

import indicator_cache as ic

from .timing import Contender, seconds

Array = npt.NDArray[np.float64]

#: Turns of a run that takes seconds.
TURNS = 3


def status(field: str) -> int:
    """Return a figure of this process in bytes, as Linux tells it."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise LookupError(field)


def peak(call: Callable[[], Any]) -> tuple[int, int]:
    """Return by how many bytes the process grew at most during a call, and the results' bytes."""
    # Forgets the highest mark so far.
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    before = status("VmRSS")
    result = call()
    grown = status("VmHWM") - before
    columns = result if isinstance(result, tuple) else (result,)
    return grown, sum(np.asarray(column).nbytes for column in columns)


def call_of(who: str, name: str, columns: list[Array]) -> Callable[[], Any]:
    """Return a computation that is ready to be called."""
    if who == "pandas":
        import pandas as pd
        from tests.oracles import ORACLES

        from .table import defaults

        series = [pd.Series(column) for column in columns]
        return partial(ORACLES[name], *series, *defaults(ic.catalog()[name]))
    ic.use_backend(who)
    return partial(getattr(ic, name), *columns)


def memory(who: str, name: str, file: str) -> tuple[int, int]:
    """Measure one computation, after a short one that loads what is needed."""
    wanted = ["close" if name == "x" else name for name in ic.catalog()[name].inputs]
    with np.load(file) as bars:
        columns = [bars[column] for column in wanted]
    call_of(who, name, [column[:1000] for column in columns])()
    return peak(call_of(who, name, columns))


def long(who: str, name: str, size: str) -> tuple[float, float, int, int, int]:
    """Time a long series."""
    bars = int(size)
    # A triangle instead of a walk, which would need much memory to make.
    close = np.abs(np.arange(float(bars)) % 2000.0 - 1000.0) + 1000.0
    made = {"x": close, "close": close}
    for column in ic.catalog()[name].inputs:
        if column not in made:
            made[column] = close + (1.0 if column == "high" else -1.0)
    columns = [made[column] for column in ic.catalog()[name].inputs]
    call_of(who, name, [column[:1000] for column in columns])()
    call = call_of(who, name, columns)
    grown, outputs = peak(call)
    times = [seconds(Contender(call), 1, warm=0) for _ in range(TURNS)]
    return min(times), median(times), TURNS, grown, outputs


if __name__ == "__main__":
    _, job, *arguments = sys.argv
    print(json.dumps({"memory": memory, "long": long}[job](*arguments)))
