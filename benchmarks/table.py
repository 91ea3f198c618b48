"""The table: every operation at every size, by everybody who has it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from tests.bars import Array, Bars, columns_of, walk
from tests.oracles import ORACLES

import indicator_cache as ic
from indicator_cache.backends.native import NativeBackend, paths

from .peers import Functions
from .record import Record
from .timing import Contender, interleaved

SIZES = (100, 50_000, 1_000_000)

#: What a backtest holds.
BACKTEST = 50_000

#: The largest, where memory is what counts.
LARGE = 1_000_000

#: Baselines: what they do is said in the page.
COPY, TOUCH, DIVIDE = "copy", "touch", "divide"

PANDAS = "pandas"

#: Native code for every processor of a kind, where this one has a quicker path.
PORTABLE = "portable"

#: Seconds for each contender of an operation at a size.
ALLOWANCE = 0.4

#: Bars of a block in which columns that are read twice stay in the second-level cache.
_BLOCK = 1 << 14


def bars_of(size: int) -> Bars:
    """Return bars as a year of minutes could have them."""
    return walk(size, 17, step=1e-3)


def function(backend: str) -> str:
    """Return the name of our functions on a backend."""
    return backend


def cached(backend: str) -> str:
    """Return the name of the first call of a cache on a backend."""
    return f"cache {backend}"


def defaults(spec: ic.IndicatorSpec) -> list[Any]:
    """Return default parameters, as they would be given by position."""
    return list(spec.normalise({}))


def touch_columns(inputs: list[Array], outputs: int) -> list[Array]:
    """Read columns and write as many as asked for, whole ones, one after the other."""
    results: list[Array] = [np.copy(inputs[place % len(inputs)]) for place in range(outputs)]
    for column in inputs[outputs:]:
        np.add(results[0], column, out=results[0])
    return results


def touch_blocks(inputs: list[Array], outputs: int) -> list[Array]:
    """Do the same in blocks, so that what is used twice comes from a cache."""
    bars = len(inputs[0])
    results: list[Array] = [np.empty(bars) for _ in range(outputs)]
    for start in range(0, bars, _BLOCK):
        block = slice(start, start + _BLOCK)
        for place, result in enumerate(results):
            result[block] = inputs[place % len(inputs)][block]
        for column in inputs[outputs:]:
            np.add(results[0][block], column[block], out=results[0][block])
    return results


def first_call(cache: ic.IndicatorCache, method: Callable[[], Any]) -> None:
    """Ask, then forget: a function's result is dropped after its call as well."""
    method()
    cache.clear()


def contenders(
    spec: ic.IndicatorSpec, bars: Bars, peers: dict[str, Functions]
) -> dict[str, Contender]:
    """Return everybody who has an operation, ready to be called on the same columns."""
    columns = columns_of(spec, bars)
    params = defaults(spec)
    own = getattr(ic, spec.name)
    found: dict[str, Contender] = {}
    for backend in ic.backends.NAMES:
        found[backend] = Contender(partial(own, *columns), partial(ic.use_backend, backend))
    slow = NativeBackend(PORTABLE) if PORTABLE in paths()[:-1] else None
    if slow is not None and slow.quick is not None:
        numbers = spec.numbers(spec.checked(tuple(params)))
        quick = partial(slow.quick, spec.position, numbers, tuple(columns))
        found[PORTABLE] = Contender(quick)
    for backend in ("native", "wasm"):
        cache = ic.IndicatorCache({"M1": {"bid": bars}}, backend=backend)
        method = partial(getattr(cache, spec.name), "M1", "bid")
        found[cached(backend)] = Contender(partial(first_call, cache, method))
    if spec.name in ORACLES:
        # Whoever uses pandas has the columns as series.
        series = [pd.Series(column) for column in columns]
        found[PANDAS] = Contender(partial(ORACLES[spec.name], *series, *params))
    for name, functions in peers.items():
        if spec.name in functions:
            found[name] = Contender(partial(functions[spec.name], *columns, *params))
    close, before = bars["close"], bars["open"]
    outputs = len(spec.outputs)
    found[COPY] = Contender(close.copy)
    found[f"{TOUCH} columns"] = Contender(partial(touch_columns, columns, outputs))
    found[f"{TOUCH} blocks"] = Contender(partial(touch_blocks, columns, outputs))
    found[DIVIDE] = Contender(partial(np.divide, close, before))
    return found


def usable(found: dict[str, Contender], note: Callable[[str, str], None]) -> dict[str, Contender]:
    """Leave out those that refuse the columns, for which some need a minimum of bars."""
    works: dict[str, Contender] = {}
    for name, contender in found.items():
        try:
            if contender.prepare is not None:
                contender.prepare()
            contender.call()
        except Exception as error:  # noqa: BLE001 - any package may refuse in any way
            note(name, f"{type(error).__name__}: {error}")
        else:
            works[name] = contender
    return works


def measure(
    record: Record,
    peers: dict[str, Functions],
    sizes: tuple[int, ...] = SIZES,
    allowance: float = ALLOWANCE,
    only: set[tuple[str, int]] | None = None,
) -> None:
    """Fill the record's cells; with `only`, those operations at those sizes."""
    before = ic.backend_info().active
    try:
        for size in sizes:
            bars = bars_of(size)
            for spec in ic.catalog().values():
                if only is not None and (spec.name, size) not in only:
                    continue

                def note(who: str, why: str, what: str = f"{spec.name} {size}") -> None:
                    record.notes[f"{what} {who}"] = why

                works = usable(contenders(spec, bars, peers), note)
                record.add(spec.name, size, interleaved(works, allowance))
                print(f"{spec.name} at {size:,} bars", file=sys.stderr)
    finally:
        ic.use_backend(before)
