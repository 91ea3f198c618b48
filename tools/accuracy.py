"""Write docs/accuracy.md: errors against exact arithmetic, here and elsewhere.

    python tools/accuracy.py

Each package is compared with the exact values of its own definition, seeds and divisors included, so
that what is measured is rounding alone. A package that is not installed is left out.
"""

from __future__ import annotations

import importlib.metadata
import math
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import indicator_cache as ic  # noqa: E402
from tests import exact  # noqa: E402
from tests.bars import Array, Bars, around, walk  # noqa: E402

TARGET = ROOT / "docs" / "accuracy.md"
COMMAND = "make accuracy"

BARS = 20_000
PERIOD, SLOW, SIGNAL, FACTOR = 20, 40, 9, 2.0

#: Bars at the start that are left out: there definitions differ most, and nobody trades on them.
WARM_UP = 2_000

Columns: TypeAlias = tuple[Array, Array, Array]


# --- data ---


def one_spike() -> Bars:
    close = walk(BARS, 33)["close"]
    close[5_000] = 1e12
    return around(close)


DATA = {
    "walk": walk(BARS, 31),
    "level": around(1e6 + 1e-3 * np.random.default_rng(32).normal(size=BARS)),
    "spike": one_spike(),
    "1e-8": walk(BARS, 34, start=1e-8),
    "1e9": walk(BARS, 35, start=1e9),
}

DATA_DOC = """- `walk`: a geometric random walk from 100, one percent a bar
- `level`: 1e6 with a deviation of 1e-3
- `spike`: a random walk with one price of 1e12, 15,000 bars before the end
- `1e-8` and `1e9`: random walks that start there"""


# --- definitions, exactly ---


def seeded(x: exact.Column, alpha: Fraction, period: int) -> exact.Column:
    """An exponential average that starts with a plain mean of its first values."""
    start = next(t for t, value in enumerate(x) if value is not None)
    head = [value for value in x[start : start + period] if value is not None]
    tail = exact.ewm([sum(head) // period, *x[start + period :]], alpha)
    return [None] * (start + period - 1) + tail


class Definition(NamedTuple):
    """What a family of implementations computes: values and magnitudes, as in tests/exact.py."""

    exact: Callable[[exact.Column, exact.Column, exact.Column], exact.Exact]


def of(name: str, output: int, *params: float) -> Callable[..., exact.Exact]:
    """One output of an oracle that reads the close or all three columns."""

    def values(high: exact.Column, low: exact.Column, close: exact.Column) -> exact.Exact:
        columns = [close] if ic.catalog()[name].inputs == ("x",) else [high, low, close]
        return exact.ORACLES[name](*columns, *params)[output]

    return values
