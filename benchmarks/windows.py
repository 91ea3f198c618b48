"""Windows of many lengths: ``python -m benchmarks.windows``, which fills in docs/performance.md.

Whoever adds the new price and subtracts the old one takes as long for any length. Exact windows are
put together from pieces, and longer ones from more of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pandas as pd
from tests.bars import Array
from tests.oracles import ORACLES

import indicator_cache as ic

from . import machine, peers
from .report import digits, fill_in, row
from .table import BACKTEST, PANDAS, bars_of, defaults
from .timing import Contender, Timing, interleaved

PERIODS = (10, 20, 31, 50, 63, 64, 100, 200, 500)

#: Seconds for each contender of an operation with a period.
ALLOWANCE = 0.2

#: By operation and period, the time of everybody who has it.
Timings = dict[tuple[str, int], dict[str, Timing]]


def operations() -> list[str]:
    """Return what is a function of a window, whose length is the first parameter."""
    specs = ic.catalog().values()
    return [
        spec.name for spec in specs if spec.parameters and spec.window == spec.parameters[0].name
    ]


def contenders(
    name: str, period: int, x: Array, functions: dict[str, peers.Functions]
) -> dict[str, Contender]:
    """Return everybody who has an operation, ready to be called."""
    spec = ic.catalog()[name]
    params: list[Any] = [period, *defaults(spec)[1:]]
    found = {
        "native": Contender(partial(getattr(ic, name), x, *params)),
        PANDAS: Contender(partial(ORACLES[name], pd.Series(x), *params)),
    }
    for who, its in functions.items():
        if name in its:
            found[who] = Contender(partial(its[name], x, *params))
    return found


def measure() -> Timings:
    """Time them all."""
    functions, _, _ = peers.installed()
    x = bars_of(BACKTEST)["close"]
    with ic.use_backend("native"):
        return {
            (name, period): interleaved(contenders(name, period, x, functions), ALLOWANCE)
            for name in operations()
            for period in PERIODS
        }


def table(timings: Timings) -> Iterator[str]:
    """Write the table: native, and how many times as long the others take."""
    others = list(dict.fromkeys(who for found in timings.values() for who in found))
    others.remove("native")
    yield row("operation", "bars", "native, ns a bar", *others)
    yield row("---", *["---:"] * (2 + len(others)))
    for (name, period), found in timings.items():
        own = found["native"].best
        ratios = [f"{found[who].best / own:.2f}" if who in found else "" for who in others]
        yield row(f"`{name}`", period, digits(own / BACKTEST * 1e9), *ratios)


def main() -> int:
    """Measure, and fill in the page."""
    path = machine.facts()["native path"]
    lines = [f"On {path}, one thread, {BACKTEST:,} bars.", "", *table(measure())]
    fill_in("windows", lines)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
