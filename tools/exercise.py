"""Use everything that the extension module has, for a tool that watches: `make valgrind`.

Needs neither the cache nor a test framework, so that little else is watched along with it.
`--sabotage` reads memory that is gone, and leaks, to see the tool complain.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import threading
import tracemalloc
from contextlib import suppress
from typing import Any

import numpy as np

import indicator_cache as ic
from indicator_cache import _native

BARS = 700

#: The stubs know what is right; some of what is done here is not.
run: Any = _native.run
machine: Any = _native.Machine
fill_columns: Any = _native.fill_columns


class Candle:
    """The plainest of candles."""

    def __init__(self, close: object) -> None:
        self.close = close


def indicators(path: int) -> None:
    """Run every kernel: at once, in a machine, bar by bar, saved and restored, in threads."""
    x = np.cumsum(np.sin(np.arange(BARS))) + 100.0
    x[::50] = np.nan
    for spec in ic.catalog().values():
        params = spec.numbers(spec.normalise({}))
        inputs = [x] * len(spec.inputs)
        outputs = [np.empty(BARS) for _ in spec.outputs]
        run(spec.position, params, inputs, outputs, path)
        _native.compute(path, spec.position, params, tuple(inputs))
        _native.begin_new(spec.position, params, tuple(inputs), path)
        one = machine(spec.position, params, path)
        one.run(inputs, outputs)
        other = machine.restore(one.save(), path)
        for value in x[:40].tolist():
            bar = (value,) * len(spec.inputs)
            one.peek(bar)
            one.update(bar)
            other.update(bar)
        assert one.save() == other.copy().save()  # noqa: S101

        threads = [
            threading.Thread(target=one.run, args=(inputs, [np.empty(BARS) for _ in spec.outputs]))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        one.reset()


def errors() -> None:
    """Try what is refused, at every stage."""
    x, out = np.ones(BARS), np.empty(BARS)
    read_only = np.ones(BARS)
    read_only.flags.writeable = False
    state = machine(0, [14.0], path=0).save()
    for arguments in (
        (99, [20.0], [x], [out], False),
        (0, [0.0], [x] * 3, [out], False),
        (0, [14.0], [x], [out], False),
        (0, [14.0], [x] * 3, [x], False),
        (0, [14.0], [x] * 3, [out[::2]], False),
        (0, [14.0], [x] * 3, [read_only], False),
        (0, [14.0], [x.astype(np.float32)] * 3, [out], False),
        (0, [14.0], [x, x, "x"], [out], False),
        (0, [14.0] * 9, [x] * 3, [out], False),
    ):
        with suppress(BufferError, IndexError, TypeError, ValueError):
            run(*arguments)
    for cut in range(0, len(state), 5):
        with suppress(ValueError):
            machine.restore(state[:cut], path=0)


def candles() -> None:
    """Fill columns from candles, good and bad."""
    for close in 1.5, 3, None, "x", 2**2000:
        some = [Candle(1.0), None, Candle(close), {"close": 2.0}] * 5
        column, starts = np.empty(len(some)), np.empty(len(some), np.uint8)
        fill_columns(some, ["close"], [column], starts)
        with suppress(BufferError):
            fill_columns(some, ["close"], [column[1:]], starts)


def once() -> None:
    """Do everything once."""
    for path in range(len(_native.paths())):
        indicators(path)
    errors()
    candles()
    _native.catalog()
    _native.cpu()
    _native.fingerprint()


def main() -> None:
    """Do it some times; what is alive in Python may not grow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--sabotage", action="store_true")
    options = parser.parse_args()
    once()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(options.rounds):
        once()
        if options.sabotage:
            sabotage()
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    print(f"{options.rounds} rounds over {len(ic.catalog())} indicators; {grown} bytes more")


def sabotage() -> None:
    """Let a kernel read memory that has been given back, and lose some."""
    lost = machine(7, [50_000.0], path=0)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(lost))
    column = np.empty(BARS)
    gone = (ctypes.c_double * BARS).from_address(column.ctypes.data)
    del column
    view = memoryview(gone).cast("B").cast("d")
    run(ic.catalog()["ema"].position, [3.0], [view], [np.empty(BARS)], path=0)


if __name__ == "__main__":
    main()
