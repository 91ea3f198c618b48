"""What is aimed at, as ratios within one run, and whether a record reaches it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import indicator_cache as ic

from .calls import ALONE, DICTS, HIT, OBJECTS, ONE_BAR, PREFETCH, STEPWISE, TOGETHER, UPDATE
from .peers import PEERS
from .processes import FIRST, IMPORT, LONG, TENTH
from .record import Record
from .table import BACKTEST, COPY, DIVIDE, LARGE, PANDAS, PORTABLE, TOUCH, cached

#: How many times as fast as pandas, through the cache, results and construction alike.
OVER_PANDAS = {
    DICTS: 2.0,
    OBJECTS: 2.0,
    **dict.fromkeys(("ema", "sma", "rsi", "macd", "roc", "bollinger"), 10.0),
    "atr": 50.0,
    "dmi": 20.0,
    **dict.fromkeys(STEPWISE, 20.0),
}

#: How many times as fast as the fastest peer, functions on arrays.
OVER_PEERS = {
    BACKTEST: {
        "ema": 1.8,
        "dmi": 4.0,
        "roc": 1.5,
        "rsi": 1.3,
        "macd": 1.3,
        "atr": 1.3,
        "bollinger": 1.2,
        "sma": 1.0,
    },
    LARGE: {"ema": 1.8, "dmi": 4.0, "rsi": 1.2, "macd": 1.2, "bollinger": 1.2},
}

#: What is enough at the largest size, where memory is the wall: times the loop that only reads
#: and writes.
NEAR_TOUCH = 1.3

MIB = 2**20


class Target(NamedTuple):
    """One line of the table of targets."""

    group: str
    name: str
    wanted: str
    measured: str
    #: None where it was not measured.
    met: bool | None


def touch(record: Record, operation: str, bars: int) -> float | None:
    """Return the seconds of the loop that only reads and writes: the best way of doing so."""
    names = {cell.who for cell in record.cells if cell.who.startswith(TOUCH)}
    cell = record.fastest(operation, bars, names)
    return None if cell is None else cell.best


def at_least(group: str, name: str, factor: float, measured: float | None) -> Target:
    """Compare a factor that should be large."""
    if measured is None:
        return Target(group, name, f"at least {factor:g}x", "not measured", None)
    return Target(group, name, f"at least {factor:g}x", f"{measured:.2f}x", measured >= factor)


def at_most(
    group: str,
    name: str,
    limit: float,
    measured: float | None,
    show: Callable[[float], str] = "{:.2f}x".format,
) -> Target:
    """Compare a figure that should be small."""
    if measured is None:
        return Target(group, name, f"at most {show(limit)}", "not measured", None)
    return Target(group, name, f"at most {show(limit)}", show(measured), measured <= limit)


def microseconds(value: float) -> str:
    return f"{value * 1e6:.2f} us"


def milliseconds(value: float) -> str:
    return f"{value * 1e3:.1f} ms"


def mebibytes(value: float) -> str:
    return f"{value / MIB:.2f} MiB"


def over_pandas(record: Record) -> Iterator[Target]:
    group = f"Through the cache, first call, against pandas at {BACKTEST:,} bars"
    for operation, factor in OVER_PANDAS.items():
        measured = record.ratio(operation, BACKTEST, PANDAS, cached("native"))
        yield at_least(group, operation, factor, measured)


def over_peers(record: Record) -> Iterator[Target]:
    for bars, factors in OVER_PEERS.items():
        group = f"Native against the fastest peer, functions on arrays, at {bars:,} bars"
        for operation in record.operations(bars):
            factor = factors.get(operation, 1.0 if bars == LARGE else None)
            peer = record.fastest(operation, bars, PEERS)
            own = record.best(operation, bars, "native")
            if factor is None or peer is None or own is None:
                continue
            name = f"{operation} ({peer.who})"
            target = at_least(group, name, factor, peer.best / own)
            floor = touch(record, operation, bars)
            if bars == LARGE and floor is not None:
                target = Target(
                    group,
                    name,
                    f"{target.wanted}, or {NEAR_TOUCH} times the bare loop",
                    f"{target.measured}; {own / floor:.2f} times the loop",
                    bool(target.met) or own / floor <= NEAR_TOUCH,
                )
            yield target


def floors(record: Record) -> Iterator[Target]:
    group = f"Native against what numpy needs at {LARGE:,} bars"
    yield at_most(group, "roc to a division", 1.3, record.ratio("roc", LARGE, "native", DIVIDE))
    yield at_most(group, "ema to a copy", 1.3, record.ratio("ema", LARGE, "native", COPY))


def indicators(record: Record, bars: int) -> list[str]:
    """Return the operations at a size that are one indicator each."""
    return [name for name in record.operations(bars) if name in ic.catalog()]


def beside_portable(record: Record, operation: str, target: Target) -> Target:
    """Add what native code needs whose registers are as narrow, without a sandbox and copies."""
    narrow = record.ratio(operation, LARGE, PORTABLE, "native")
    if narrow is None:
        return target
    return target._replace(measured=f"{target.measured}; portable {narrow:.2f}x")


def wasm(record: Record) -> Iterator[Target]:
    group = f"WebAssembly against native at {LARGE:,} bars"
    for operation in indicators(record, LARGE):
        inside = record.ratio(operation, LARGE, cached("wasm"), cached("native"))
        target = at_most(group, f"{operation} through the cache", 1.7, inside)
        yield beside_portable(record, operation, target)
    for operation in indicators(record, LARGE):
        outside = record.ratio(operation, LARGE, "wasm", "native")
        target = at_most(group, f"{operation} as a function", 2.2, outside)
        yield beside_portable(record, operation, target)


def small(record: Record) -> Iterator[Target]:
    group = "Short calls"
    slow, quick = record.best(ONE_BAR, 1, "wasm"), record.best(ONE_BAR, 1, "native")
    overhead = None if slow is None or quick is None else slow - quick
    yield at_most(group, "WebAssembly beyond native, one bar", 15e-6, overhead, microseconds)
    hit = record.best(HIT, BACKTEST, cached("native"))
    yield at_most(group, "cached result", 0.5e-6, hit, microseconds)
    ema = record.best("ema", 100, "native")
    yield at_most(group, "ema of 100 bars", 3e-6, ema, microseconds)
    update = record.best(UPDATE, 1, "native")
    yield at_most(group, "update of a stream", 0.5e-6, update, microseconds)
    loaded = record.best(IMPORT, 0, "native")
    yield at_most(group, "import beyond numpy", 25e-3, loaded, milliseconds)
    first = record.best(FIRST, 0, "wasm")
    yield at_most(group, "first call of WebAssembly", 0.3, first, milliseconds)


def memory(record: Record) -> Iterator[Target]:
    group = f"Peak memory of a computation at {LARGE:,} bars"
    peaks = {(one.operation, one.who): one for one in record.memory if one.bars == LARGE}
    for operation in indicators(record, LARGE):
        own, pandas = peaks.get((operation, "native")), peaks.get((operation, PANDAS))
        beyond = None if own is None else max(0, own.peak - own.outputs)
        yield at_most(group, f"{operation}, native beyond its results", MIB, beyond, mebibytes)
        if pandas is not None and own is not None:
            name = f"{operation}, native to pandas"
            yield at_most(group, name, 1.0, own.peak / pandas.peak)


def threads(record: Record) -> Iterator[Target]:
    group = "Prefetching on two threads against one"
    for backend in ("native", "wasm"):
        name = f"{PREFETCH} {backend}"
        yield at_least(group, backend, 1.7, record.ratio(name, LARGE, ALONE, TOGETHER))


def long(record: Record) -> Iterator[Target]:
    group = f"{LONG:,} bars against {TENTH:,}"
    peaks = {(one.operation, one.bars): one for one in record.memory}
    for operation in record.operations(LONG):
        own, tenth = record.best(operation, LONG, "native"), record.best(operation, TENTH, "native")
        growth = None if own is None or not tenth else own / tenth
        yield at_most(group, f"{operation}, time (linear: 10)", 11.0, growth)
        used = peaks.get((operation, LONG))
        beyond = None if used is None else max(0, used.peak - used.outputs)
        yield at_most(group, f"{operation}, beyond its results", MIB, beyond, mebibytes)


def targets(record: Record) -> list[Target]:
    """Return every target with what the record has for it."""
    groups = (over_pandas, over_peers, floors, wasm, small, memory, threads, long)
    return [target for group in groups for target in group(record)]
