"""Many series in one table, what to compute over them, and the digest of the results."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

import indicator_cache as ic
from indicator_cache._requests import parse_all

from .bars import Bars, with_gaps

#: Every indicator with its defaults, and some with other parameters and sources.
INDICATORS = [*ic.catalog(), "ema:5", "ema:7@high", "rsi:7", "bollinger:10,2.5", "sma:50@volume"]

#: Bars of each series; one is too short for most indicators.
LENGTHS = {"AAPL": 300, "BRK.B": 211, "CON": 3, "GE": 256, "MSFT": 300, "X Y/Z": 177}


def series(seed: int, bars: int) -> Bars:
    """Return one series."""
    return {name: column[:bars] for name, column in with_gaps(max(bars, 150), seed).items()}


SERIES = {name: series(seed, bars) for seed, (name, bars) in enumerate(LENGTHS.items())}


def panel(order: str = "series") -> Any:  # noqa: ANN401 - a pyarrow.Table
    """Return all series in one table: one after the other, in order of time, or shuffled."""
    parts = []
    for name, columns in SERIES.items():
        bars = LENGTHS[name]
        start = np.datetime64("2024-01-01T09:30", "us")
        times = start + np.arange(bars) * np.timedelta64(60_000_000, "us")
        parts.append(pa.table({"symbol": [name] * bars, "timestamp": times, **columns}))
    table = pa.concat_tables(parts)
    if order == "series":
        return table
    if order == "time":
        return table.sort_by("timestamp")
    return table.take(np.random.default_rng(1).permutation(len(table)))


def expected() -> dict[str, dict[str, npt.NDArray[np.float64]]]:
    """Return what a cache of each series alone gives, column by column."""
    found: dict[str, dict[str, npt.NDArray[np.float64]]] = {}
    for name, columns in SERIES.items():
        view = ic.IndicatorCache({"M1": {"bid": columns}}).view("M1", "bid")
        found[name] = {}
        for request in parse_all(INDICATORS, "close"):
            values: dict[str, Any] = dict(request.values)
            result = view.get(request.spec.name, source=request.source, **values)
            outputs = [result] if len(request.spec.outputs) == 1 else result
            found[name].update(zip(request.columns, outputs, strict=True))
    return found


def digest(table: Any) -> str:  # noqa: ANN401 - anything that pyarrow takes
    """Return a digest of results: all bits of them, whatever the order of the rows."""
    arrow = table if isinstance(table, pa.Table) else pa.table(table)
    symbols = np.array(arrow["symbol"].to_pylist())
    times = arrow["timestamp"].cast(pa.timestamp("us"), safe=False).cast(pa.int64()).to_numpy()
    order = np.lexsort((times, symbols))
    total = hashlib.sha256("\0".join(symbols[order]).encode())
    total.update(times[order].tobytes())
    for name in arrow.column_names:
        if name not in {"symbol", "timestamp"}:
            total.update(name.encode())
            total.update(arrow[name].to_numpy()[order].tobytes())
    return total.hexdigest()
