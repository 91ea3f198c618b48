"""Many parameters at once: ``python -m benchmarks.many``, which fills in docs/performance.md.

Two hundred exponential averages of one column, the work of an optimisation. Some contenders write
to columns that are there already, as a copy does; some make new ones, as peers do.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import indicator_cache as ic
from indicator_cache import _many, backends

from . import machine
from .report import digits, fill_in, row
from .table import bars_of
from .timing import Contender, Timing, interleaved

BARS = 1_000_000
PERIODS = range(5, 205)

COPY = "copies into columns that are there"


def peer(name: str) -> Any:  # noqa: ANN401 - a module without types
    """Return a peer, None when it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"bench: no {name} here", file=sys.stderr)
        return None


def contenders() -> dict[str, Contender]:
    """Return what is timed, by name."""
    x = bars_of(BARS)["close"]
    spec = ic.catalog()["ema"]
    params = [(period,) for period in PERIODS]
    room = [[column] for column in np.empty((len(params), BARS))]

    def copies() -> None:
        for (column,) in room:
            np.copyto(column, x)

    def one_by_one() -> None:
        backend = backends.resolve("native")
        for one, outputs in zip(params, room, strict=True):
            backend.run(spec, one, [x], outputs)

    def swept() -> None:
        for _ in ic.sweep({"close": x}, {"ema": {"period": PERIODS}}):
            pass

    calls: dict[str, Callable[[], object]] = {
        COPY: copies,
        "at once, into columns that are there": lambda: _many.compute_many(
            "ema", [x], params, room
        ),
        "one by one, into columns that are there": one_by_one,
        "`sweep`, every result dropped": swept,
    }
    span = (PERIODS[0], PERIODS[-1], 1)
    # Eight at a time, of 2, 4, 8 or 16 that it takes.
    options = [[[float(period)] for period in PERIODS[at : at + 8]] for at in range(0, 200, 8)]
    if (vector_ta := peer("vector_ta")) is not None:
        calls["vector-ta, `ema_batch`"] = lambda: vector_ta.ema_batch(x, span)
    if (tulip := peer("tulip_rs")) is not None:
        ema = tulip.indicators.ema
        calls["tulip-rs, `simd_by_options`"] = lambda: [
            ema.simd_by_options([x], eight) for eight in options
        ]
    return {name: Contender(call) for name, call in calls.items()}


def table(timings: dict[str, Timing]) -> Iterator[str]:
    """Write the table."""
    yield row("200 averages", "ns a value", "copies")
    yield row("---", "---:", "---:")
    values = BARS * len(PERIODS)
    for name, timing in timings.items():
        ratio = timing.best / timings[COPY].best
        yield row(name, digits(timing.best / values * 1e9), f"{ratio:.2f}")


def main() -> int:
    """Measure, and fill in the page."""
    with ic.use_backend("native"):
        timings = interleaved(contenders(), allowance=2.0)
    lines = [
        f"On {machine.facts()['native path']}, one thread, {BARS:,} bars.",
        "",
        *table(timings),
    ]
    fill_in("many", lines)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
