"""What is asked for beside the table: whole jobs, and calls too short to see in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from tests.bars import FIELDS, Array, Bars
from tests.oracles import ORACLES, stepwise

import indicator_cache as ic

from .record import Record
from .table import BACKTEST, PANDAS, bars_of, cached, first_call
from .timing import Contender, interleaved

#: Bars for which a candle of the longer timeframe is repeated.
REPEATS = 15

#: Names of the operations, by what they are.
DICTS, OBJECTS = "construction, dicts", "construction, objects"
STEPWISE = {"ema_stepwise": ("ema", (20,)), "bollinger_stepwise": ("bollinger", (20, 2.0))}
HIT, UPDATE, ONE_BAR = "cached hit", "stream update", "one bar"

#: Several results at once, with the backend after it, and who does them.
PREFETCH, ALONE, TOGETHER = "prefetch", "one thread", "two threads"

#: A stepwise formula that has to find the new candles itself.
FROM_CANDLES = "pandas from candles"


@dataclass(slots=True)
class Candle:
    """A candle as client libraries have it."""

    open: float
    high: float
    low: float
    close: float
    volume: float


def candles_of(bars: Bars) -> list[dict[str, float]]:
    """Return a dict for each bar."""
    rows = zip(*(bars[field].tolist() for field in FIELDS), strict=True)
    return [dict(zip(FIELDS, row, strict=True)) for row in rows]


def frame_of_objects(candles: Sequence[Candle]) -> pd.DataFrame:
    """Do in pandas what the cache does with candles that are objects."""
    rows = [(c.open, c.high, c.low, c.close, c.volume) for c in candles]
    return pd.DataFrame(rows, columns=list(FIELDS))


def starts_of(candles: Sequence[object]) -> list[int]:
    """Return the bars at which a candle is not the one before."""
    before: object = None
    starts = []
    for bar, candle in enumerate(candles):
        if candle is not None and candle is not before:
            starts.append(bar)
            before = candle
    return starts


def construction(record: Record) -> None:
    """Time a cache made of candles."""
    dicts = candles_of(bars_of(BACKTEST))
    objects = [Candle(**candle) for candle in dicts]
    for operation, candles, frame in (
        (DICTS, dicts, partial(pd.DataFrame, dicts, columns=list(FIELDS))),
        (OBJECTS, objects, partial(frame_of_objects, objects)),
    ):
        build = partial(ic.IndicatorCache, {"M1": {"bid": candles}})
        found = {cached("native"): Contender(build), PANDAS: Contender(frame)}
        record.add(operation, BACKTEST, interleaved(found))


def steps(record: Record) -> None:
    """Time the stepwise forms on candles that are repeated."""
    candles = np.repeat(np.array(candles_of(bars_of(BACKTEST // REPEATS + 1)), object), REPEATS)
    aligned = candles[:BACKTEST].tolist()
    close = np.array([candle["close"] for candle in aligned])
    cache = ic.IndicatorCache({"M15": {"bid": aligned}})
    starts = starts_of(aligned)
    for operation, (name, params) in STEPWISE.items():
        oracle = ORACLES[name]

        def whole(oracle: Any = oracle, params: Any = params) -> list[Array]:  # noqa: ANN401
            return stepwise(oracle, [close], starts_of(aligned), *params)

        method = partial(getattr(cache, operation), "M15", "bid")
        found = {
            cached("native"): Contender(partial(first_call, cache, method)),
            PANDAS: Contender(partial(stepwise, oracle, [close], starts, *params)),
            FROM_CANDLES: Contender(whole),
        }
        record.add(operation, BACKTEST, interleaved(found))


def short(record: Record) -> None:
    """Time what takes microseconds: a cached result, one bar of a stream, an almost empty call."""
    cache = ic.IndicatorCache({"M1": {"bid": bars_of(BACKTEST)}})
    hit = partial(cache.ema, "M1", "bid", "close", 20)
    record.add(HIT, BACKTEST, interleaved({cached("native"): Contender(hit)}))
    one = bars_of(1)["close"]
    backends = ("native", "wasm")
    streams = {name: ic.stream("ema", backend=name) for name in backends}
    updates = {name: Contender(partial(streams[name].update, 101.5)) for name in backends}
    record.add(UPDATE, 1, interleaved(updates))
    calls = {
        name: Contender(partial(ic.ema, one), partial(ic.use_backend, name)) for name in backends
    }
    record.add(ONE_BAR, 1, interleaved(calls))


def prefetch(record: Record) -> None:
    """Time several results asked for at once, where the cache can do that."""
    bars = bars_of(1_000_000)
    asked = [f"{name}{period}" for name in ("ema:", "rsi:", "atr:", "dmi:") for period in (14, 50)]

    def all_of_them(backend: str, threads: int) -> object:
        cache = ic.IndicatorCache({"M1": {"bid": bars}}, backend=backend)
        cache.prefetch(asked, threads=threads)
        return cache

    for backend in ("native", "wasm"):
        contenders = {
            name: Contender(partial(all_of_them, backend, threads))
            for name, threads in ((ALONE, 1), (TOGETHER, 2))
        }
        record.add(f"{PREFETCH} {backend}", 1_000_000, interleaved(contenders))


def measure(record: Record) -> None:
    """Fill the record's cells."""
    before = ic.backend_info().active
    try:
        ic.use_backend("native")
        construction(record)
        steps(record)
        short(record)
        prefetch(record)
    finally:
        ic.use_backend(before)
